"""path: a verified, read-only local path of any version, fetched if needed. The work tree is not touched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lobsterdv.errors import CorruptContent, LobsterError, NotTracked, RemoteError
from lobsterdv.events import Observer
from lobsterdv.formats.listing import Entry
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.datasets import Selected, pointers, select
from lobsterdv.ops.fetch import fetch, fetch_again
from lobsterdv.ops.using import uses_cache
from lobsterdv.ops.views import view_of


@dataclass
class PathReport:
    """``path`` is absolute; ``new_bytes`` were fetched for it."""

    name: str
    digest: str
    path: Path | None
    new_bytes: int
    failures: list[Failure] = field(default_factory=list)


@uses_cache
def locate(
    project: Project,
    name: str,
    *,
    rev: str | None = None,
    remote: str | None = None,
    observer: Observer,
) -> PathReport:
    """The local path of a dataset, or of a path inside one, as its pointer (at ``rev``) names it.

    Raises NotTracked, MissingContent, CorruptContent, RemoteError. Threads and processes may call it at once.
    """
    found = ensure(project, name, rev=rev, remote=remote, observer=observer)
    try:
        return _locate(project, name, found, rev=rev, remote=remote, observer=observer)
    except CorruptContent as error:
        selection, entries, _ = found
        try:
            again = fetch_again(project, [selection], {selection: entries}, remote=remote, rev=rev, observer=observer)
        except RemoteError:
            raise error from None  # that the cache is damaged is the news
        if again.failures:
            raise error from None
    return _locate(project, name, found, rev=rev, remote=remote, observer=observer)


def _locate(
    project: Project,
    name: str,
    found: tuple[Selected, Sequence[Entry], int],
    *,
    rev: str | None,
    remote: str | None,
    observer: Observer,
) -> PathReport:
    selection, entries, new_bytes = found
    dataset, below = selection
    pointer = dataset.pointer
    if below and (entry := _single(entries, below)) is not None and entry.digest is not None:
        alone = [Entry(type(entry.path)(""), entry.type, entry.size, entry.digest)]
        path = view_of(project, entry.digest, below.rpartition("/")[2], alone, is_directory=False)
        return PathReport(name, str(entry.digest), path, new_bytes)
    leaf = dataset.path.rpartition("/")[2]
    whole = entries
    if below:  # a folder inside: the derived tree of the whole directory holds it
        selection, whole, more = ensure(project, dataset.path, rev=rev, remote=remote, observer=observer)
        new_bytes += more
    path = view_of(project, pointer.digest, leaf, whole, is_directory=pointer.is_directory)
    return PathReport(name, str(pointer.digest), path / below if below else path, new_bytes)


def ensure(
    project: Project, name: str, *, rev: str | None = None, remote: str | None = None, observer: Observer
) -> tuple[Selected, Sequence[Entry], int]:
    """Make sure that the cache holds what ``name`` means; returns it, its entries, and the bytes fetched."""
    selected, failures = select(pointers(project, rev), [name], rev=rev)
    if failures:
        raise failures[0].error
    if len(selected) != 1 or not name:
        raise NotTracked(name or ".", rev)
    report = fetch(project, [name], rev=rev, remote=remote, observer=observer)
    if report.failures:
        error: LobsterError = report.failures[0].error
        raise error
    selection = selected[0]
    return selection, report.entries[selection], sum(row.new_bytes for row in report.fetched)


def _single(entries: Sequence[Entry], below: str) -> Entry | None:
    return entries[0] if len(entries) == 1 and entries[0].path == below else None
