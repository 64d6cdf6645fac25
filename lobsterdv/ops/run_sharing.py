"""Run records between the cache and a remote: written once each, under the name of their bytes."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress

from lobsterdv import workers
from lobsterdv.blobs.remote import Remote, read_document
from lobsterdv.digest import Digest, digest_of, parse_hex
from lobsterdv.errors import ContentError, FormatError, KeyMissing, MissingContent
from lobsterdv.formats.layout import run_key
from lobsterdv.formats.runs import encode_run, parse_run
from lobsterdv.ops.run_records import RUNS, keep_run, kept_run, kept_run_names


def send_runs(room: Remote, held: Callable[[], Collection[tuple[str, Digest]]]) -> int:
    """Write the records of runs that made what the remote holds (``held``: datasets' paths and versions), those that it
    was not seen to have; returns how many. No request when there is nothing new."""
    waiting = [name for name in kept_run_names(room.cache) if room.cache.kept_remote(room.kept(run_key(name))) is None]
    if not waiting:
        return 0
    there = held()

    def send(name: Digest) -> bool:
        record = kept_run(room.cache, name)
        if record is None or not any((str(made.path), made.digest) in there for made in record.outputs):
            return False
        key, data = run_key(name), encode_run(record)
        if digest_of(data) != name:
            return False  # written by another version of lobsterdv: its bytes are not ours to write again
        if not room.store.put(key, data, if_absent=True) and room.store.head(key).size != len(data):
            room.store.put(key, data)
        room.cache.keep_remote(room.kept(key), data)
        return True

    return sum(workers.each(send, waiting, jobs=room.jobs))


def fetch_runs(room: Remote) -> int:
    """Bring the run records that the cache lacks; returns how many. Damaged and unreadable ones are passed over."""
    known = set(kept_run_names(room.cache))
    wanted = []
    for stat in room.store.list(f"{RUNS}/"):
        with suppress(FormatError):
            name = parse_hex(stat.key.rpartition("/")[2], what=stat.key)
            if stat.key == run_key(name) and name not in known:
                wanted.append(name)

    def fetch(name: Digest) -> bool:
        with suppress(ContentError, FormatError, KeyMissing, MissingContent):
            data = read_document(room, run_key(name), name, name=f"run {name.short}")
            return keep_run(room.cache, parse_run(data, what=f"run {name.short}")) == name
        return False

    return sum(workers.each(fetch, wanted, jobs=room.jobs))
