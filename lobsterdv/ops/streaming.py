"""open: a file of any version as a stream; from the cache when it is there, else in place from the remote."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import BinaryIO, cast

from lobsterdv.blobs.remote import Remote, read_table
from lobsterdv.blobs.stream import FailingOver, RemoteFile
from lobsterdv.digest import Digest
from lobsterdv.errors import CorruptContent, MissingContent, NotTracked, Refused
from lobsterdv.events import Observer
from lobsterdv.formats.listing import Entry
from lobsterdv.formats.manifest import Manifest
from lobsterdv.formats.table import Content, Table
from lobsterdv.ops.context import Project
from lobsterdv.ops.datasets import Selected, pointers, select
from lobsterdv.ops.in_turn import by_each_manifest, given
from lobsterdv.ops.resolve import entries_below, entries_of


def open_stream(
    project: Project, name: str, *, rev: str | None = None, remote: str | None = None, observer: Observer
) -> BinaryIO:
    """The bytes of a dataset that is a file, or of a file inside a directory dataset. Seekable, read-only.

    What one remote lacks, holds damaged or cannot be asked for comes from the next, also in the middle of reading.
    Raises NotTracked, Refused for a directory, MissingContent, CorruptContent, RemoteError; reading a
    stream from the remote may raise the last three too.
    """
    selected, failures = select(pointers(project, rev), [name], rev=rev)
    if failures or len(selected) != 1:
        raise failures[0].error if failures else NotTracked(name, rev)
    selection = selected[0]
    digest = file_digest(project, selection, name)
    if digest is not None and not project.cache.missing([digest]):
        if project.cache.is_plain(digest):
            return project.cache.verified_path(digest, name=name).open("rb")
        return io.BytesIO(project.cache.read_small(digest, name=name))
    dataset = selection.dataset
    streams = given(
        project,
        remote,
        lambda _, room: _streams(room, selection, name, digest),
        missing=MissingContent(name, str(dataset.pointer.digest), "", dataset.pointer.size),
        observer=observer,
    )
    return cast(BinaryIO, io.BufferedReader(FailingOver(next(streams), streams), buffer_size=64 << 10))


def _streams(room: Remote, selection: Selected, name: str, expected: Digest | None) -> Iterator[RemoteFile]:
    """The file by each manifest at a remote that describes it. Raises MissingContent, CorruptContent, Forgotten when
    there are no more, and RemoteError."""

    def opened(manifest: Manifest) -> RemoteFile:
        return RemoteFile(room, content_at(room, selection, manifest, name, expected), name=name)

    return by_each_manifest(room, selection.dataset, opened, name=name)


def file_digest(project: Project, selection: Selected, name: str) -> Digest | None:
    """The digest of the one file that a selection means, when the listing that tells it is here, else None.

    Raises Refused for what is no regular file, NotTracked.
    """
    dataset, below = selection
    if dataset.pointer.is_directory and not below:
        raise Refused(name, "it is a directory; name a file in it, or use path()", "directory")
    try:
        entries = entries_of(project, dataset.path, dataset.pointer)
    except (MissingContent, CorruptContent):
        return None
    return _the_file(entries_below(entries, below, dataset.path), below, name).digest


def content_at(room: Remote, selection: Selected, manifest: Manifest, name: str, expected: Digest | None) -> Content:
    """A selected file's content by a manifest. Raises MissingContent; CorruptContent when it is not ``expected``."""
    dataset, below = selection
    content = content_of(selection, read_table(room, manifest, name=dataset.path, below=[below]), name)
    if expected is not None and content.digest != expected:
        raise CorruptContent(f"the manifest of {name}", room.url, str(expected), str(content.digest))
    return content


def content_of(selection: Selected, table: Table, name: str) -> Content:
    """The content of the one file that a selection means. Raises Refused for what is no regular file, NotTracked."""
    if not selection.dataset.pointer.is_directory:
        return table.contents[0]
    entry = _the_file(entries_below(table.entries, selection.below, selection.dataset.path), selection.below, name)
    return next(c for c in table.contents if c.digest == entry.digest)


def _the_file(entries: Sequence[Entry], below: str, name: str) -> Entry:
    chosen = [e for e in entries if e.path == below]
    if len(chosen) != 1 or chosen[0].digest is None:
        raise Refused(name, "it is not a regular file", "directory")
    return chosen[0]
