"""gc: make room in the cache without losing anything.

What no project registered in the cache names any more goes: deleted when the remote holds it, seen in this run and
proved (``ops.proofs``), else moved to the trash. Beyond ``cache.max`` the least recently used contents go too, if the
remote holds them: never what a work tree, an index or a HEAD names, never what ``cache.keep`` spares. Without ``yes``
nothing is changed.

Everything is found out before the cache is taken alone (``blobs.tenants``); then the roots are read once more, and
what is named by now stays. So a verb that runs beside it loses nothing: it holds up the removal, or its pointer is
seen. What was kept within the last hour stays too, for file systems without locks.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from lobsterdv.blobs import collect
from lobsterdv.blobs.tenants import alone, tenants, unregister
from lobsterdv.blobs.trash import delete_entry, new_entry
from lobsterdv.digest import Digest
from lobsterdv.errors import ContentError, Refused
from lobsterdv.events import Finished, Observer, Started, Warned
from lobsterdv.formats.entries import Entries
from lobsterdv.ops.choosing import Choice, Fate, Inventory, Left, Why, choose, complete, is_anything, take_stock
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.holding import Holding, ask
from lobsterdv.ops.old_views import remove_views
from lobsterdv.ops.roots import Live, Roots, live, roots_of
from lobsterdv.ops.setting_aside import expired


@dataclass(frozen=True, slots=True)
class Collected:
    """``files`` of one version (``size`` bytes in all) that go. ``path`` is empty when nothing tells of which dataset
    it was, ``digest`` None for small files of which nothing tells the version; ``used`` is when they were last kept or
    read, in seconds since 1970."""

    path: str
    digest: Digest | None
    files: int
    size: int
    used: float
    why: Why
    fate: Fate


@dataclass
class GcReport:
    """``freed_bytes`` are deleted from the cache, ``trashed_bytes`` moved to the trash (``trash``: its new entry),
    ``purged_bytes`` (entries by name: ``purged``) deleted from there; ``wanted_bytes`` stay there though their time
    is over, because something names them again. What could go and stays: ``young_bytes`` (kept within the last hour),
    ``linked_bytes`` (the work tree's own files: nothing would be freed), ``packed_bytes`` (in packs most of which
    stays), and, while listings of ``unlisted`` versions are nowhere, ``unclear_bytes`` (they could be theirs).
    ``over_bytes`` are left above the limit. Without ``acted`` it is what would be."""

    acted: bool
    remote: str | None
    cache_bytes: int = 0
    freed_bytes: int = 0
    trashed_bytes: int = 0
    purged_bytes: int = 0
    wanted_bytes: int = 0
    young_bytes: int = 0
    linked_bytes: int = 0
    packed_bytes: int = 0
    unclear_bytes: int = 0
    over_bytes: int = 0
    trash: str | None = None
    collected: list[Collected] = field(default_factory=list)
    unlisted: list[str] = field(default_factory=list)
    purged: list[str] = field(default_factory=list)
    unregistered: str | None = None
    failures: list[Failure] = field(default_factory=list)


def gc(
    project: Project,
    *,
    remote: str | None = None,
    yes: bool = False,
    empty_trash: bool = False,
    jobs: int | None = None,
    observer: Observer,
) -> GcReport:
    """Find what can go, and, with ``yes``, take it out. ``empty_trash`` deletes all that lay in the trash before, but
    for what something names again.

    Raises Refused for a registered project that cannot be read, RemoteError for a remote that cannot be asked, Busy
    when other verbs do not end; nothing has changed then. Killed anywhere, each content is in the cache or in the
    trash, and the next run goes on.
    """
    cache = project.cache
    report = GcReport(yes, None)
    observer(Started("looking"))
    roots = roots_of(project)
    kept = live(cache, roots)
    found = take_stock(project, kept)
    report.cache_bytes = found.size
    limit = project.config.number("cache.max")
    holding = None
    if is_anything(found, kept, roots) or 0 < limit < found.size:
        holding = ask(project, remote, roots.projects, proved=yes, jobs=jobs, observer=observer)
        report.remote = None if holding is None else project.remote(remote).name
    complete(kept, roots, holding)
    report.unlisted = sorted(root.path for root in kept.unlisted.values())
    left = Left()
    choice = choose(project, found, roots, kept, holding, limit, left)
    report.young_bytes, report.linked_bytes, report.packed_bytes = left.young, left.linked, left.packed
    report.unclear_bytes, report.over_bytes = left.unclear, left.over
    _name(project, report, found, choice, roots, holding)
    observer(Finished("looking"))
    if not yes:
        _count(report, found, choice)
        _purge(project, report, roots, kept, empty_trash)
        return report
    with alone(cache.folder, observer=observer):
        roots = roots_of(project)
        kept = live(cache, roots)
        complete(kept, roots, holding)
        choice = choice.without(kept, roots)
        report.collected = []
        _name(project, report, found, choice, roots, holding)
        _count(report, found, choice)
        _purge(project, report, roots, kept, empty_trash)
        _act(project, found, choice, report, observer)
    return report


def unregister_project(project: Project, folder: str, *, yes: bool = False) -> GcReport:
    """Forget a project that used this cache: what only it names counts as unnamed from then on. Raises Refused for one
    that is not known, and, without ``yes``, for one that is still there."""
    where = Path(os.path.abspath(folder))
    known = [t for t in tenants(project.cache.folder) if where in (t.git_dir, t.git_dir.parent)]
    if not known:
        raise Refused(folder, "no project there is known to use this cache", "no-tenant")
    if any(tenant.git_dir.is_dir() for tenant in known) and not yes:
        raise Refused(folder, "it is there, and what it names would lose its protection", "tenant-here")
    unregister(project.cache.folder, where)
    return GcReport(True, None, unregistered=str(where))


def _name(
    project: Project, report: GcReport, found: Inventory, choice: Choice, roots: Roots, holding: Holding | None
) -> None:
    """The choice as versions: by the listings that are here, the catalog and the roots."""
    paths = {} if holding is None else dict(holding.paths)
    paths |= {digest: root.path for digest, root in roots.named.items()}
    sizes: dict[bytes, tuple[int, float]] = {}
    for item in found.plain:
        if item.digest in choice.delete or item.digest in choice.trash:
            sizes[item.digest] = (item.size, item.used)
    for pack in found.packs:
        for p in pack.rows:
            if p.digest in choice.delete or p.digest in choice.trash:
                sizes.setdefault(p.digest, (p.size, pack.used))

    listed: dict[Digest | None, float] = {item.digest: item.used for item in found.lists}

    def row(path: str, digest: Digest | None, contents: Iterable[bytes], why: Why, fate: Fate) -> None:
        mine = [sizes.pop(d) for d in dict.fromkeys(contents) if d in sizes]
        if mine or (fate == "trash" and digest in choice.lists_trashed):
            used = max((at for _, at in mine), default=listed.get(digest, 0.0))
            report.collected.append(Collected(path, digest, len(mine), sum(n for n, _ in mine), used, why, fate))

    for item in found.lists:
        try:
            entries = project.cache.listing(item.digest, name=str(item.digest)).entries
        except ContentError:
            continue
        contents = set(Entries.of(entries).file_digests().plain())
        for why, fate, chosen in choice.parts():
            row(paths.get(item.digest, ""), item.digest, contents & chosen, why, fate)
    plain = {item.digest for item in found.plain}
    for why, fate, chosen in choice.parts():
        for digest in sorted(chosen & sizes.keys() & (plain | paths.keys())):
            row(paths.get(Digest(digest), ""), Digest(digest), [digest], why, fate)
        row("", None, chosen & sizes.keys(), why, fate)
    report.collected.sort(key=lambda row: (row.path == "", row.path, row.used))


def _count(report: GcReport, found: Inventory, choice: Choice) -> None:
    """The bytes of files that go. A pack's go when it is rewritten."""
    report.freed_bytes = sum(i.size for i in found.plain if i.digest in choice.delete)
    report.trashed_bytes = sum(i.size for i in found.plain if i.digest in choice.trash)
    for pack in found.packs:
        report.freed_bytes += sum(p.size for p in pack.rows if p.digest in choice.delete)
        report.trashed_bytes += sum(p.size for p in pack.rows if p.digest in choice.trash)


def _purge(project: Project, report: GcReport, roots: Roots, kept: Live, everything: bool) -> None:
    """What leaves the trash. The caller holds the cache alone when that is more than a question."""
    gone, report.wanted_bytes = expired(project, roots, kept, everything=everything)
    report.purged = [entry.name for entry in gone]
    report.purged_bytes = sum(entry.size for entry in gone)
    for entry in gone if report.acted else ():
        delete_entry(entry.folder)


def _act(project: Project, found: Inventory, choice: Choice, report: GcReport, observer: Observer) -> None:
    """In the order that ``blobs.collect`` promises."""
    cache = project.cache
    remove_views(found.views)
    entry = None
    if choice.trash or choice.lists_trashed:
        rows = [row for row in report.collected if row.fate == "trash"]
        about = {
            "why": "gc",
            "versions": [
                {"path": r.path, "digest": str(r.digest) if r.digest else None, "files": r.files, "size": r.size}
                for r in rows
            ],
        }
        entry = new_entry(cache.trash, now=project.now(), about=about)
        report.trash = str(entry)
        plain = (item.digest for item in found.plain if item.digest in choice.trash)
        collect.move_to_trash(cache, entry, plain, choice.lists_trashed)
    for pack in found.packs:
        delete = choice.delete.intersection(pack.rows.names())
        trash = choice.trash.intersection(pack.rows.names())
        if (delete or trash) and not collect.thin_pack(cache, pack.rows, delete=delete, trash=trash, entry=entry):
            observer(Warned(f"pack {pack.rows.pack.short} of the cache is damaged and was left as it is"))
    collect.delete_plain(cache, (item.digest for item in found.plain if item.digest in choice.delete))
    collect.delete_listings(cache, choice.lists_deleted)
