"""From a remote's name to a Remote whose marker was read in this run; remembers markers by their etag."""

from __future__ import annotations

import os

from lobsterdv.blobs.remote import Remote, create_marker, read_marker
from lobsterdv.errors import KeyMissing, NotARemote
from lobsterdv.formats.config import Remote as RemoteConfig
from lobsterdv.formats.layout import MARKER, Marker
from lobsterdv.index.capable import load_capabilities
from lobsterdv.index.pushed import forget_marker, load_marker, save_marker
from lobsterdv.ops.context import Project
from lobsterdv.stores.base import Adapts


def connect(project: Project, config: RemoteConfig, *, create: bool = False, jobs: int | None = None) -> Remote:
    """The remote, known to be one in this run: one HEAD when its marker is known, else a GET.

    With ``create`` an empty place becomes a remote. Raises NotARemote, RemoteError, UnknownFormat.
    """
    store = project.store(config)
    place = config.place
    if isinstance(store, Adapts):
        store.adapt(load_capabilities(project.index, place, project.now()))
    marker = _remembered(project, place, config)
    if marker is None:
        marker = read_marker(store)
        if marker is None and create:
            marker = create_marker(store, store_id=os.urandom(16).hex())
        if marker is None:
            raise NotARemote(store.url, "nothing was pushed there yet", is_empty=True)
        save_marker(project.index, place, store.head(MARKER).etag, marker.store_id)
    return Remote(store, project.cache, marker, jobs or config.number("concurrency"))


def _remembered(project: Project, place: str, config: RemoteConfig) -> Marker | None:
    known = load_marker(project.index, place)
    if known is None:
        return None
    etag, store_id = known
    try:
        if etag and project.store(config).head(MARKER).etag == etag:
            return Marker(store_id)
    except KeyMissing:
        pass
    forget_marker(project.index, place)
    return None
