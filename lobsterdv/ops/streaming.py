"""open: a file of any version as a stream; from the cache when it is there, else in place from the remote."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import BinaryIO, cast

from lobsterdv.blobs.remote import manifests, read_table
from lobsterdv.blobs.stream import RemoteFile
from lobsterdv.digest import Digest
from lobsterdv.errors import ContentError, CorruptContent, LobsterError, MissingContent, NotTracked, Refused
from lobsterdv.events import Observer
from lobsterdv.formats.listing import Entry
from lobsterdv.formats.table import Content, Table
from lobsterdv.ops.connection import connect
from lobsterdv.ops.context import Project
from lobsterdv.ops.datasets import Selected, pointers, select
from lobsterdv.ops.forgotten import explained
from lobsterdv.ops.resolve import entries_below, entries_of


def open_stream(
    project: Project, name: str, *, rev: str | None = None, remote: str | None = None, observer: Observer
) -> BinaryIO:
    """The bytes of a dataset that is a file, or of a file inside a directory dataset. Seekable, read-only.

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
    room = connect(project, project.remote(remote))
    pointer = selection.dataset.pointer
    problem: LobsterError = MissingContent(name, str(pointer.digest), room.url)
    try:
        for _, manifest in manifests(
            room, pointer.digest, name=selection.dataset.path, is_directory=pointer.is_directory
        ):
            try:
                table = read_table(room, manifest, name=selection.dataset.path, below=[selection.below])
                content = content_of(selection, table, name)
            except ContentError as error:
                problem = error
                continue
            return cast(BinaryIO, io.BufferedReader(RemoteFile(room, content, name=name), buffer_size=64 << 10))
    except (MissingContent, CorruptContent) as error:
        problem = explained(room, name, pointer.digest, error)
    raise problem


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
