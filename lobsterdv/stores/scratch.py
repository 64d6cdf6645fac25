"""A corner of a store for one measurement: made sure of before, removed after, and nothing outside ``bench/``."""

from __future__ import annotations

import secrets
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final

from lobsterdv import workers
from lobsterdv.errors import Denied, KeyMissing, LobsterError
from lobsterdv.stores.base import Stat, Store
from lobsterdv.stores.directory import DirectoryStore
from lobsterdv.stores.s3 import S3Store
from lobsterdv.stores.s3_calls import LIST, WRITE

FOLDER: Final = "bench/"
_ABANDONED_S: Final = 24 * 3600.0
_JOBS: Final = 8


def new_corner(store: Store) -> str:
    """A prefix, without a slash at its end, that nobody else uses, where this process may write, read and remove: tried
    with one small value. Removes first what was left behind there a day ago by whoever was killed.

    Raises Denied with the action that is not allowed, before anything is written if it is the removal; RemoteError.
    """
    corner = f"{FOLDER}{secrets.token_hex(8)}"
    probe = f"{corner}/probe"
    store.delete(probe)  # of nothing: asks for the right alone
    store.put(probe, b"lobsterdv bench\n")
    now = store.head(probe).modified
    remove(store, corner)
    abandoned = {stat.key.split("/")[1] for stat in store.list(FOLDER) if now - stat.modified > _ABANDONED_S}
    for name in abandoned:
        remove(store, f"{FOLDER}{name}")
    return corner


def remove(store: Store, corner: str) -> None:
    """Remove everything below ``corner``, for good where versions are kept and that is allowed, and give up what was on
    its way there. May be repeated. Raises Denied, RemoteError."""
    assert corner.startswith(FOLDER) and len(corner) > len(FOLDER)
    if isinstance(store, DirectoryStore):
        _remove_folder(store, corner)
        return
    if isinstance(store, S3Store):
        _give_up(store, corner)
    for _ in workers.each(lambda stat: _remove(store, stat), store.list(f"{corner}/"), jobs=_JOBS):
        pass


def _remove(store: Store, stat: Stat) -> None:
    with suppress(Denied, KeyMissing):
        if store.delete_exact(store.head(stat.key)):
            return
    store.delete(stat.key)


def _remove_folder(store: DirectoryStore, corner: str) -> None:
    folder = Path(store.url) / corner
    with store.translating("delete", corner), suppress(FileNotFoundError):
        shutil.rmtree(folder)
    with suppress(OSError):  # another corner is in it
        folder.parent.rmdir()


def _give_up(store: S3Store, corner: str) -> None:
    """Unfinished uploads, as far as the server tells them."""
    calls = store.calls
    with suppress(LobsterError):  # not every server lists them; the bucket's lifecycle rule removes them
        listed = calls.ask(
            LIST, corner, lambda client: client.list_multipart_uploads(Bucket=calls.bucket, Prefix=calls.key(corner))
        )
        for upload in listed.get("Uploads", []):
            full, number = upload["Key"], upload["UploadId"]
            if full.startswith(f"{calls.key(corner)}/"):
                calls.ask(
                    WRITE,
                    corner,
                    lambda client, full=full, number=number: client.abort_multipart_upload(  # type: ignore[misc]
                        Bucket=calls.bucket, Key=full, UploadId=number
                    ),
                )
