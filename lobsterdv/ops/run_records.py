"""Run records in the cache: what runs met, each under the name of its bytes (docs/format.md, section 8.6)."""

from __future__ import annotations

from collections.abc import Iterator

from lobsterdv.blobs.cache import Cache
from lobsterdv.digest import Digest, digest_of, parse_hex
from lobsterdv.errors import FormatError
from lobsterdv.formats.layout import run_key
from lobsterdv.formats.runs import RunRecord, encode_run, parse_run

RUNS = "runs"


def keep_run(cache: Cache, record: RunRecord) -> Digest:
    """Keep a run record in the cache; returns its name."""
    data = encode_run(record)
    name = digest_of(data)
    cache.keep_remote(run_key(name), data)
    return name


def kept_run(cache: Cache, name: Digest) -> RunRecord | None:
    """A record of the cache, None when it is not here or is not what its name says."""
    data = cache.kept_remote(run_key(name))
    if data is None or digest_of(data) != name:
        return None
    try:
        return parse_run(data, what=f"run {name.short}")
    except FormatError:
        return None


def kept_run_names(cache: Cache) -> list[Digest]:
    """The names of the run records in the cache, in order. At most 257 listings."""
    found = []
    for folder in cache.kept_below(f"{RUNS}/"):
        for key in cache.kept_below(f"{folder}/"):
            try:
                found.append(parse_hex(key.rpartition("/")[2], what=key))
            except FormatError:
                continue
    return found


def kept_runs(cache: Cache) -> Iterator[tuple[Digest, RunRecord]]:
    """Every readable run record of the cache, in the order of their names."""
    for name in kept_run_names(cache):
        if (record := kept_run(cache, name)) is not None:
            yield name, record
