"""url: where a version's bytes lie at a remote as one object that is just that file, for tools that read URLs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from lobsterdv.blobs.remote import Remote
from lobsterdv.digest import Digest
from lobsterdv.errors import (
    Archived,
    ContentError,
    CorruptContent,
    KeyMissing,
    MissingContent,
    NotTracked,
    NotVerbatim,
)
from lobsterdv.events import Observer
from lobsterdv.formats.config import Remote as RemoteConfig
from lobsterdv.formats.layout import object_key
from lobsterdv.formats.manifest import Manifest
from lobsterdv.formats.table import RAW, Content
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.datasets import Selected, pointers, select
from lobsterdv.ops.in_turn import by_each_manifest, given
from lobsterdv.ops.streaming import content_at, file_digest


@dataclass
class UrlReport:
    """``url`` is ``s3://bucket/key``, or the path of a file for a remote that is a directory. ``size`` in bytes.
    Whoever reads there can compare the BLAKE3 (``b3sum``) with ``digest``."""

    name: str
    digest: Digest
    size: int
    remote: str
    url: str
    failures: list[Failure] = field(default_factory=list)


def url(
    project: Project, name: str, *, rev: str | None = None, remote: str | None = None, observer: Observer
) -> UrlReport:
    """The URL of a dataset that is a file, or of a file inside a directory dataset, as its pointer (at ``rev``) names
    it. Any manifest of the version will do, at the first remote that has one; the object was seen there, with its size,
    in this call.

    Raises NotTracked, Refused for a directory, NotVerbatim when no manifest stores it whole and as it is,
    MissingContent, CorruptContent, Archived, RemoteError.
    """
    selected, failures = select(pointers(project, rev), [name], rev=rev)
    if failures or len(selected) != 1:
        raise failures[0].error if failures else NotTracked(name or ".", rev)
    selection = selected[0]
    dataset = selection.dataset
    expected = file_digest(project, selection, name)
    missing = MissingContent(name, str(dataset.pointer.digest), "", dataset.pointer.size)

    def at(config: RemoteConfig, room: Remote) -> Iterator[UrlReport]:
        for content, key in _verbatim(room, selection, name, expected):
            yield UrlReport(name, content.digest, content.size, config.name, f"{room.url.rstrip('/')}/{key}")

    return next(given(project, remote, at, missing=missing, observer=observer))


def _verbatim(room: Remote, selection: Selected, name: str, expected: Digest | None) -> Iterator[tuple[Content, str]]:
    """The content and the key of its object, by each manifest that stores it so. Raises as ``url`` when there are no
    more."""
    dataset = selection.dataset

    def placed(manifest: Manifest) -> tuple[Content, str]:
        content = content_at(room, selection, manifest, name, expected)
        how = how_stored(content)
        if how != "verbatim":
            raise NotVerbatim(name, dataset.path, room.url, how)
        return content, _seen(room, content, name)

    return by_each_manifest(room, dataset, placed, name=name, passing=(ContentError, NotVerbatim, Archived))


def how_stored(content: Content) -> str:
    """``verbatim`` for a content that is an object of its own; else as ``NotVerbatim`` says."""
    if not content.extents:
        return "empty"
    if any(extent.object.codec != RAW for extent in content.extents):
        return "compressed"
    if len(content.extents) > 1:
        return "ranges"
    (extent,) = content.extents
    if extent.offset or extent.object.size != content.size:
        return "packed"
    return "verbatim"


def _seen(room: Remote, content: Content, name: str) -> str:
    """The key of a verbatim content's object, which is there and whole as far as its size tells."""
    (extent,) = content.extents
    key = object_key(extent.object.digest)
    if extent.object.digest != content.digest:
        raise CorruptContent(f"the manifest of {name}", room.url, str(content.digest), str(extent.object.digest))
    try:
        stat = room.store.head(key)
    except KeyMissing:
        raise MissingContent(name, str(content.digest), room.url, content.size) from None
    if stat.size != content.size:
        raise CorruptContent(name, f"{room.url}/{key}", f"{content.size} bytes", f"{stat.size} bytes")
    if stat.archived:
        raise Archived(room.url, key)
    return key
