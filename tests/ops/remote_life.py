"""A remote in memory whose clock the test turns, and people whose clocks go with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from lobsterdv.blobs.remote import Remote
from lobsterdv.blobs.remote_look import named_by, read_catalogs
from lobsterdv.formats.layout import object_key
from lobsterdv.ops.connection import connect
from lobsterdv.ops.gc_remote import RemoteGcReport, collect_remote
from lobsterdv.stores.memory import MemoryStore
from tests.ops.lab import Lab, checked

DAY = 86400.0
START = 2_000_000_000.0


class Years:
    """Time, for a store and whoever uses it."""

    def __init__(self, store: MemoryStore, labs: Iterable[Lab] = ()) -> None:
        self.store = store
        store.now = START
        for lab in labs:
            self.join(lab)

    def join(self, lab: Lab) -> None:
        lab.project.now = lambda: self.store.now

    def pass_days(self, days: float) -> None:
        self.store.now += days * DAY


def collect(lab: Lab, *paths: str, **options: Any) -> RemoteGcReport:
    """``remote gc --yes``."""
    return checked(collect_remote(lab.project, paths, yes=True, observer=lab.observe, **options))


def look(lab: Lab, *paths: str, **options: Any) -> RemoteGcReport:
    return checked(collect_remote(lab.project, paths, observer=lab.observe, **options))


def dangling(lab: Lab, store: MemoryStore) -> list[str]:
    """Keys that a catalog record names and that are not there: what gc must never cause. Manifests are read from the
    store itself, not from what the cache keeps."""
    found: Remote = connect(lab.project, lab.project.remote())
    room = replace(found, store=store, cache=_Forgetful())
    roots = [row for row in read_catalogs(room) if row.is_root(store.now)]
    named = named_by(room, roots)
    wanted = {*named.keys, *(object_key(digest) for digest in named.objects)}
    return sorted(wanted - {stat.key for stat in store.list("")})


class _Forgetful:
    """A cache that keeps no documents."""

    def kept_remote(self, key: str) -> None:
        return None

    def keep_remote(self, key: str, data: bytes) -> None:
        pass
