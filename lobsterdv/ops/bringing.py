"""Bring parts of one version from a remote into the cache, by the first manifest that serves."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from lobsterdv.blobs.download import Trouble, fetch_contents
from lobsterdv.blobs.intake import Intake
from lobsterdv.blobs.local_chunks import LocalChunks
from lobsterdv.blobs.packs import SMALL_BYTES
from lobsterdv.blobs.remote import Remote, manifests, read_table
from lobsterdv.digest import Digest, Digests
from lobsterdv.errors import (
    Archived,
    ContentError,
    CorruptContent,
    LobsterError,
    MissingContent,
    NotTracked,
    RemoteError,
)
from lobsterdv.formats.contents import Content, Contents
from lobsterdv.formats.entries import Entries, Entry
from lobsterdv.formats.manifest import Manifest
from lobsterdv.formats.table import Table
from lobsterdv.ops.context import Project
from lobsterdv.ops.datasets import Dataset
from lobsterdv.ops.earlier import local_chunks
from lobsterdv.ops.resolve import entries_below, entries_of, listing_from_table

_CONTENTS = 1 << 16  # so many are asked for at a time: 50 MB of plans


@dataclass(frozen=True, slots=True)
class Brought:
    """One part: what it consists of, and how many contents and bytes of it had to come."""

    entries: Entries
    new_files: int
    new_bytes: int


def bring_parts(
    project: Project,
    room: Remote,
    dataset: Dataset,
    parts: Collection[str],
    intake: Intake,
    *,
    progress: Callable[[int], None],
    reused: Callable[[int], None] | None = None,
) -> dict[str, Brought | LobsterError]:
    """Bring the files at and below each of ``parts``, paths inside the dataset (the empty one: all of it), together.

    Any valid manifest will do, so what one of them cannot give is asked of the next. Each part fails alone, with
    MissingContent, CorruptContent or Archived when no manifest can give all of it, or NotTracked; what did arrive
    stays. ``reused`` is told of bytes that were taken from earlier versions here. Raises RemoteError.
    """
    done: dict[str, Brought | LobsterError] = {}
    problems: dict[str, LobsterError] = {}
    arrived: dict[bytes, int] = {}  # with one part the sums are enough: of a million files the digests weigh 150 MB
    files = size = 0
    local: LocalChunks | None = None
    pointer = dataset.pointer
    offers = manifests(room, pointer.digest, name=dataset.path, is_directory=pointer.is_directory)
    try:
        for _, manifest in offers:
            left = [part for part in parts if part not in done]
            try:
                table = read_table(room, manifest, name=dataset.path, below=left)
                rows = _rows(project, dataset, manifest, table, room.url)
            except ContentError as error:
                problems = dict.fromkeys(left, error) | problems
                continue
            chosen: dict[str, Entries] = {}
            for part in left:
                try:
                    chosen[part] = entries_below(rows, part, dataset.path)
                except NotTracked as error:
                    done[part] = error
            failed: dict[Digest, Trouble] = {}
            for contents in _lacking(project, Contents.of(table.contents), list(chosen.values())):
                if local is None and any(c.size >= SMALL_BYTES and len(c.lengths) > 1 for c in contents):
                    local = local_chunks(project, room, dataset, left)
                before = local.reused_bytes if local else 0
                failed |= fetch_contents(
                    room,
                    contents,
                    intake,
                    packable=pointer.is_directory,
                    name=dataset.path,
                    progress=progress,
                    local=local,
                )
                if local and reused:
                    reused(local.reused_bytes - before)
                new = [c for c in contents if c.digest not in failed]
                files, size = files + len(new), size + sum(c.size for c in new)
                if len(parts) > 1:
                    arrived.update((bytes(c.digest), c.size) for c in new)
            intake.commit()
            for part, entries in chosen.items():
                digests = set(entries.file_digests().plain()) if failed or arrived else set()
                troubles = [error for digest, error in failed.items() if bytes(digest) in digests]
                bad = min(troubles, key=lambda error: isinstance(error, Archived), default=None)
                if isinstance(bad, Archived):
                    problems[part] = Archived(bad.url, bad.key, dataset.path)  # this way it comes, with patience
                elif bad is not None:
                    problems.setdefault(part, bad)
                elif len(parts) == 1:
                    done[part] = Brought(entries, files, size)
                else:
                    came = digests & arrived.keys()
                    done[part] = Brought(entries, len(came), sum(arrived[digest] for digest in came))
            if len(done) == len(parts):
                return done
    except (MissingContent, CorruptContent) as error:
        problems = dict.fromkeys(parts, error) | problems
    except RemoteError:
        raise
    except LobsterError as error:
        problems = dict.fromkeys(parts, error)
    return problems | done


def _lacking(project: Project, contents: Contents, chosen: Sequence[Entries]) -> Iterator[list[Content]]:
    """What ``chosen`` needs and the cache lacks, some tens of thousands of contents at a time."""
    digests = Digests(contents.digests)
    whole = any(len(e) == len(contents) and bytes(e.digests) == bytes(contents.digests) for e in chosen)
    wanted = None if whole else {digest for entries in chosen for digest in entries.file_digests().plain()}
    for start in range(0, len(contents), _CONTENTS):
        part = digests[start : start + _CONTENTS]
        missing = set(project.cache.missing(part if wanted is None else [d for d in part if d in wanted]))
        rows = [contents[at] for at, digest in enumerate(part, start) if digest in missing] if missing else []
        if rows:
            yield rows


def _rows(project: Project, dataset: Dataset, manifest: Manifest, table: Table, where: str) -> Sequence[Entry]:
    """The version's entries, checked against the digest in git as far as the table is whole."""
    pointer = dataset.pointer
    if not pointer.is_directory:
        if table.contents[0].digest != pointer.digest or table.contents[0].size != pointer.size:
            raise CorruptContent(dataset.path, where, f"{pointer.size} bytes", f"{table.contents[0].size} bytes")
        return entries_of(project, dataset.path, pointer)
    if len(table.entries) == sum(ref.entries for ref in manifest.segments) or not manifest.segments:
        return listing_from_table(project, dataset.path, pointer.digest, table, where).entries
    return table.entries
