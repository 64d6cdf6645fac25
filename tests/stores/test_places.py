"""If these fail, data goes to the wrong place, or a password stands in an error message."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lobsterdv.errors import ConfigError, Denied, KeyMissing, Unreachable, UsageError
from lobsterdv.stores.directory import DirectoryStore
from lobsterdv.stores.open import DirectoryPlace, Place, S3Place, open_store, parse_url
from lobsterdv.stores.s3 import S3Store
from lobsterdv.stores.s3_options import MAX_PART, MAX_PARTS, MIN_PART, S3Options, part_size_for

MIB = 1 << 20


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("s3://bucket", S3Place("bucket", "")),
        ("s3://bucket/a//b/", S3Place("bucket", "a/b")),
        ("s3:/bucket/a", S3Place("bucket", "a")),
        (str(Path("s3://bucket/a/b")), S3Place("bucket", "a/b")),
        ("S3://My_Bucket.x/a b", S3Place("My_Bucket.x", "a b")),
        ("file:///data/store", DirectoryPlace(Path("/data/store"))),
        ("file:/data/my%20store", DirectoryPlace(Path("/data/my store"))),
        ("file://localhost/data", DirectoryPlace(Path("/data"))),
        ("/data/store", DirectoryPlace(Path("/data/store"))),
        ("../store", DirectoryPlace(Path("../store"))),
        ("store", DirectoryPlace(Path("store"))),
    ],
)
def test_urls_name_their_place(text: str, place: Place) -> None:
    assert parse_url(text) == place
    assert parse_url(str(place)) == place


@pytest.mark.parametrize(
    "text",
    [
        "",
        "s3://",
        "s3:///a",
        "s3://ab",
        "s3://-bucket/a",
        "s3://buck..et",
        "s3://192.168.1.1/a",
        "s3://bucket/../a",
        "s3://bucket/ä",
        "s3://bucket/a?region=x",
        "s3://bucket/a\nb",
        "file://server/share",
        "file:relative",
        "gs://bucket/a",
        "https://host/a",
        "s3://ann:canary@bucket/a",
        "https://ann:canary@host/a",
        "a\0b",
    ],
)
def test_other_urls_are_refused_without_their_secrets(text: str) -> None:
    if text == "file:relative":
        assert parse_url(text) == DirectoryPlace(Path(text)), "no slash after the scheme: a file name"
        return
    with pytest.raises(ConfigError) as caught:
        parse_url(text)
    assert "canary" not in str(caught.value)


def test_opening_connects_to_nothing(tmp_path: Path) -> None:
    store = open_store(S3Place("bucket", "a"), S3Options(bucket="other", region="us-east-1"))
    assert isinstance(store, S3Store) and store.url == "s3://bucket/a"
    folder = open_store(DirectoryPlace(tmp_path / "new"), create=True)
    assert isinstance(folder, DirectoryStore) and not (tmp_path / "new").exists()


@pytest.mark.parametrize("size", [0, 1, 5 * MIB - 1, 80 * 10**9, 90_000 * MIB, 90_000 * MIB + 1, 10**12, 5 * 2**40])
@pytest.mark.parametrize("chosen", [1, 5 * MIB, 10 * MIB, 64 * MIB])
def test_parts_stay_within_the_limits_of_s3(size: int, chosen: int) -> None:
    part = part_size_for(size, chosen=chosen)
    assert MIN_PART <= part <= MAX_PART
    assert -(-size // part) <= MAX_PARTS
    if size <= chosen * MAX_PARTS:
        assert part == max(chosen, MIN_PART), "the choice holds as long as it can"


def test_more_than_s3_takes_is_refused_before_sending() -> None:
    with pytest.raises(UsageError, match="more than S3 takes"):
        part_size_for(5 * 2**40 + 1, chosen=10 * MIB)
    store = S3Store(S3Options("bucket", endpoint_url="http://127.0.0.1:9"))
    with pytest.raises(UsageError):
        store.upload("k", 5 * 2**40 + 1)


def test_a_disk_that_is_not_mounted_is_unreachable_and_not_an_empty_store(tmp_path: Path) -> None:
    for store in (
        DirectoryStore(tmp_path / "mount", create=False),
        DirectoryStore(tmp_path / "mount" / "store", create=True),
    ):
        for use in (
            lambda store=store: store.head("k"),
            lambda store=store: store.read("k", start=0, length=1),
            lambda store=store: list(store.list("")),
            lambda store=store: store.put("a/k", b"x"),
            lambda store=store: store.upload("a/k", 1),
            lambda store=store: store.delete("k"),
        ):
            with pytest.raises(Unreachable):
                use()
    assert not (tmp_path / "mount").exists()


def test_a_new_folder_is_made_by_the_first_write(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path / "store", create=True)
    assert list(store.list("")) == []
    with pytest.raises(KeyMissing):
        store.head("k")
    assert not (tmp_path / "store").exists()
    store.put("a/b/k", b"x")
    assert (tmp_path / "store" / "a" / "b" / "k").read_bytes() == b"x"


def test_links_lead_nowhere(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"s")
    root = tmp_path / "root"
    root.mkdir()
    (root / "folder").symlink_to(outside)
    (root / "leaf").symlink_to(outside / "secret")
    store = DirectoryStore(root, create=False)
    for key in ("folder/secret", "leaf"):
        with pytest.raises((Denied, KeyMissing)):
            store.read_whole(key, limit=10)
        with pytest.raises((Denied, KeyMissing)):
            store.head(key)
    with pytest.raises(Denied):
        store.put("folder/new", b"x")
    with pytest.raises(Denied):
        store.delete("folder/secret")
    assert list(store.list("")) == []
    assert os.listdir(outside) == ["secret"]


def test_temps_are_never_listed_and_go_with_an_abort(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path, create=False)
    upload = store.upload("a/k", 10)
    assert list(store.list("")) == [] and len(os.listdir(tmp_path / "a")) == 1
    upload.abort()
    assert os.listdir(tmp_path / "a") == []


def test_a_file_where_a_folder_should_be_is_an_error_to_write_and_absence_to_read(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path, create=False)
    store.put("a", b"x")
    with pytest.raises(Unreachable):
        store.put("a/b", b"x")
    with pytest.raises(KeyMissing):
        store.read_whole("a/b", limit=1)
    store.put("c/d", b"x")
    with pytest.raises(KeyMissing):
        store.read_whole("c", limit=1)
    with pytest.raises(KeyMissing):
        store.head("c")
