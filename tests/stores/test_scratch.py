"""A corner for one measurement leaves nothing behind, and touches nothing else."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lobsterdv.errors import Denied
from lobsterdv.stores.base import Stat, Store
from lobsterdv.stores.directory import DirectoryStore
from lobsterdv.stores.memory import MemoryStore
from lobsterdv.stores.s3 import S3Store
from lobsterdv.stores.scratch import FOLDER, new_corner, remove
from tests.servers import Server


def keys(store: Store) -> list[str]:
    return sorted(stat.key for stat in store.list(""))


@pytest.fixture(params=["moto", "directory", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "moto":
        moto: Server = request.getfixturevalue("moto")
        return moto.store(moto.new_bucket(), "lab")
    return DirectoryStore(tmp_path, create=False) if request.param == "directory" else MemoryStore()


def test_a_corner_is_empty_and_removed_whole(store: Store) -> None:
    store.put("objects/a", b"of the user")
    corner = new_corner(store)
    assert keys(store) == ["objects/a"]
    store.put(f"{corner}/0/objects/x", b"1")
    store.put(f"{corner}/1/objects/x", b"2")
    store.put(f"{corner}x", b"of another")
    remove(store, corner)
    assert keys(store) == [f"{corner}x", "objects/a"]
    remove(store, corner)


def test_no_folder_is_left_in_a_folder(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path, create=False)
    corner = new_corner(store)
    store.put(f"{corner}/0/k", b"1")
    remove(store, corner)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_one_left_goes_a_day_later(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path, create=False)
    store.put(f"{FOLDER}old/0/k", b"1")
    store.put(f"{FOLDER}new/0/k", b"1")
    day = time.time() - 25 * 3600
    os.utime(tmp_path / FOLDER / "old/0/k", (day, day))
    new_corner(store)
    assert keys(store) == [f"{FOLDER}new/0/k"]


def test_versions_and_unfinished_uploads_go_too(moto: Server) -> None:
    bucket = moto.new_bucket()
    moto.client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    store = moto.store(bucket, "lab", part_size=5 << 20)
    corner = new_corner(store)
    store.put(f"{corner}/k", b"1")
    store.upload(f"{corner}/large", 6 << 20).send(0, bytes(5 << 20))
    store.upload("objects/large", 6 << 20).send(0, bytes(5 << 20))
    remove(store, corner)
    left = moto.client.list_multipart_uploads(Bucket=bucket)["Uploads"]
    assert [upload["Key"] for upload in left] == ["lab/objects/large"]
    versions = moto.client.list_object_versions(Bucket=bucket, Prefix="lab/bench/")
    assert [version["Key"] for version in versions.get("Versions", [])] == []


def test_without_the_right_to_remove_versions_for_good(moto: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(self: S3Store, stat: Stat) -> bool:
        raise Denied(self.url, "s3:DeleteObjectVersion", stat.key)

    monkeypatch.setattr(S3Store, "delete_exact", denied)
    store = moto.store(moto.new_bucket(), "lab")
    corner = new_corner(store)
    store.put(f"{corner}/k", b"1")
    remove(store, corner)
    assert keys(store) == []


def test_without_the_right_to_remove_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    refuse: Callable[[str], None] = lambda key: (_ for _ in ()).throw(Denied("memory", "s3:DeleteObject", key))  # noqa: E731
    monkeypatch.setattr(store, "delete", refuse)
    with pytest.raises(Denied):
        new_corner(store)
    assert keys(store) == []
