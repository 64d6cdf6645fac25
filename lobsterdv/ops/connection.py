"""From a remote's name to a Remote whose marker was read in this run; remembers markers by their etag."""

from __future__ import annotations

import os

from lobsterdv import workers
from lobsterdv.blobs.graves import Graves
from lobsterdv.blobs.remote import Remote, create_marker, read_marker
from lobsterdv.errors import KeyMissing, NotARemote
from lobsterdv.formats.config import Remote as RemoteConfig
from lobsterdv.formats.layout import MARKER, Marker
from lobsterdv.index.capable import load_capabilities
from lobsterdv.index.pushed import forget_marker, load_marker, save_marker
from lobsterdv.ops.context import Project
from lobsterdv.stores.base import Adapts, Store


def connect(
    project: Project, config: RemoteConfig, *, create: bool = False, reading: bool = False, jobs: int | None = None
) -> Remote:
    """The remote, known to be one in this run: one HEAD when its marker is known, else a GET and a HEAD.

    With ``create`` an empty place becomes a remote. With ``reading`` its tombstones are listed meanwhile: whoever reads
    manifests needs them. Raises NotARemote, RemoteError, UnknownFormat.
    """
    store = project.store(config)
    place = config.place
    graves = Graves()
    if isinstance(store, Adapts):
        store.adapt(load_capabilities(project.index, place, project.now()))

    def find() -> Marker:
        return _remembered(project, place, store) or _read(project, place, store, create=create)

    marker = workers.both(find, lambda: graves.look(store))[0] if reading else find()
    return Remote(store, project.cache, marker, jobs or config.number("concurrency"), graves=graves)


def _remembered(project: Project, place: str, store: Store) -> Marker | None:
    known = load_marker(project.index, place)
    if known is None:
        return None
    etag, store_id = known
    if etag and _etag(store) == etag:
        return Marker(store_id)
    forget_marker(project.index, place)
    return None


def _read(project: Project, place: str, store: Store, *, create: bool) -> Marker:
    if create:
        marker: Marker | None = read_marker(store) or create_marker(store, store_id=os.urandom(16).hex())
        etag = _etag(store)
    else:
        marker, etag = workers.both(lambda: read_marker(store), lambda: _etag(store))
    if marker is None:
        raise NotARemote(store.url, "nothing was pushed there yet", is_empty=True)
    save_marker(project.index, place, etag, marker.store_id)
    return marker


def _etag(store: Store) -> str:
    try:
        return store.head(MARKER).etag
    except KeyMissing:
        return ""
