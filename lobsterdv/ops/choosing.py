"""What a garbage collection takes out of a cache, and what it leaves and why. Changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Final, Literal

from lobsterdv.blobs import collect
from lobsterdv.blobs.collect import PackFile, Plain
from lobsterdv.blobs.tombstones import forgotten
from lobsterdv.digest import Digest
from lobsterdv.errors import ContentError
from lobsterdv.formats.entries import Entries
from lobsterdv.ops.context import Project
from lobsterdv.ops.holding import Holding
from lobsterdv.ops.old_views import linked_by, old_views
from lobsterdv.ops.roots import Live, Roots, live
from lobsterdv.ops.wishes import matches

YOUNG_S: Final = 3600
"""What was kept, linked or used by a rename so recently is never collected."""
Why = Literal["unnamed", "over the limit"]
Fate = Literal["delete", "trash"]


@dataclass
class Inventory:
    plain: list[Plain]
    lists: list[Plain]
    packs: list[PackFile]
    views: list[Path]

    @property
    def size(self) -> int:
        files = sum(item.size for item in chain(self.plain, self.lists))
        return files + sum(pack.rows.pack_size for pack in self.packs)


@dataclass
class Left:
    """Bytes that could go and stay; see GcReport."""

    young: int = 0
    linked: int = 0
    packed: int = 0
    unclear: int = 0
    over: int = 0


@dataclass
class Choice:
    """What goes: contents, by what becomes of them, and listings."""

    delete: set[bytes] = field(default_factory=set)
    trash: set[bytes] = field(default_factory=set)
    evict: set[bytes] = field(default_factory=set)
    lists_deleted: set[Digest] = field(default_factory=set)
    lists_trashed: set[Digest] = field(default_factory=set)

    def parts(self) -> Iterator[tuple[Why, Fate, set[bytes]]]:
        """Contents by why they go and where to."""
        yield "unnamed", "delete", self.delete - self.evict
        yield "over the limit", "delete", self.evict
        yield "unnamed", "trash", self.trash

    def without(self, kept: Live, roots: Roots) -> Choice:
        """The same, but for what is named by now."""
        return Choice(
            (self.delete - self.evict - kept.contents) | (self.evict - kept.current - kept.others),
            self.trash - kept.contents,
            self.evict - kept.current - kept.others,
            self.lists_deleted - roots.named.keys(),
            self.lists_trashed - roots.named.keys(),
        )

    @property
    def all(self) -> set[bytes]:
        return self.delete | self.trash


def take_stock(project: Project, kept: Live) -> Inventory:
    cache = project.cache
    views = old_views(cache, kept.current, now=project.now())
    by_views = linked_by(views)
    plain = [item._replace(links=item.links - by_views[item.inode]) for item in collect.plain_files(cache)]
    return Inventory(plain, list(collect.listings(cache)), collect.packs(cache), views)


def is_anything(found: Inventory, kept: Live, roots: Roots) -> bool:
    """True when there is something that no root names."""
    return (
        any(item.digest not in kept.contents for item in found.plain)
        or any(item.digest not in roots.named for item in found.lists)
        or any(not kept.contents.issuperset(pack.rows.names()) for pack in found.packs)
    )


def choose(
    project: Project,
    found: Inventory,
    roots: Roots,
    kept: Live,
    holding: Holding | None,
    limit: int,
    left: Left,
) -> Choice:
    now = project.now()
    sizes: Counter[bytes] = Counter()
    stays: set[bytes] = set()
    for item in found.plain:
        if item.digest in kept.contents:
            continue
        sizes[item.digest] += item.size
        if now - item.changed < YOUNG_S:
            left.young += item.size
            stays.add(item.digest)
        elif item.links > 1:
            left.linked += item.size
            stays.add(item.digest)
    for pack in found.packs:
        gone = [p for p in pack.rows if p.digest not in kept.contents]
        size = sum(p.size for p in gone)
        sizes.update({bytes(p.digest): p.size for p in gone})
        if gone and now - pack.changed < YOUNG_S:
            left.young += size
            stays.update(p.digest for p in gone)
        elif 2 * size < sum(pack.rows.sizes):
            left.packed += size
            stays.update(p.digest for p in gone)
    dead = sizes.keys() - stays
    choice = Choice(delete=holding.contents(dead) if holding is not None and dead else set())
    if kept.unlisted:
        left.unclear = sum(sizes[digest] for digest in dead - choice.delete)
    else:
        choice.trash = dead - choice.delete
    old = {item.digest for item in found.lists if item.digest not in roots.named and now - item.changed >= YOUNG_S}
    choice.lists_deleted = holding.listings(old) if holding is not None and old else set()
    choice.lists_trashed = old - choice.lists_deleted
    together = choice.delete & _contents(project, choice.lists_trashed)
    choice.delete -= together  # the remote does not hold the version: what goes to the trash can be brought back whole
    choice.trash |= together
    over = found.size - sum(sizes[d] for d in choice.all) - limit
    if limit and over > 0:
        left.over = over
        if holding is not None:
            choice.evict = _evict(project, found, roots, kept, holding, over, left)
            choice.delete |= choice.evict
    return choice


def _evict(
    project: Project,
    found: Inventory,
    roots: Roots,
    kept: Live,
    holding: Holding,
    over: int,
    left: Left,
) -> set[bytes]:
    """Least recently used first, plain files and whole packs, as far as the remote holds them in every version
    that names them. What another repository names is spared: its remote may be another."""
    young = project.now() - YOUNG_S
    pushed = holding.listings(roots.named)
    alone = replace(roots, named={digest: root for digest, root in roots.named.items() if digest not in pushed})
    spared = kept.current | kept.others | _spared(project, roots) | live(project.cache, alone).contents
    units: list[tuple[float, int, set[bytes]]] = [
        (item.used, item.size, {item.digest})
        for item in found.plain
        if item.digest in kept.contents and item.digest not in spared and item.links == 1 and item.used < young
    ]
    for pack in found.packs:
        names = set(pack.rows.names())
        if pack.used < young and kept.contents.issuperset(names) and spared.isdisjoint(names):
            units.append((pack.used, pack.rows.pack_size, names))
    units.sort(key=lambda unit: unit[0])
    evicted: set[bytes] = set()
    at = 0
    while over > 0 and at < len(units):
        portion, bytes_ = [], 0
        while at < len(units) and bytes_ < over:
            portion.append(units[at])
            bytes_ += units[at][1]
            at += 1
        held = holding.contents(chain.from_iterable(names for _, _, names in portion))
        for _, size, names in portion:
            if names <= held:
                evicted |= names
                over -= size
    left.over = max(0, over)
    return evicted


def _contents(project: Project, versions: Iterable[Digest]) -> set[bytes]:
    """The contents of directory versions whose listings are here and whole."""
    found: set[bytes] = set()
    for digest in versions:
        try:
            entries = project.cache.listing(digest, name=str(digest)).entries
        except ContentError:
            continue
        found.update(Entries.of(entries).file_digests().plain())
    return found


def complete(kept: Live, roots: Roots, holding: Holding | None) -> None:
    """Ask the remote for what is in the named directory versions whose listing is not here. One that was forgotten
    there has no files to spare any more."""
    for digest in list(kept.unlisted) if holding is not None else ():
        contents = holding.names_of(digest) if holding is not None else None
        if contents is not None:
            del kept.unlisted[digest]
            kept.contents |= contents
            if digest in roots.current:
                kept.current |= contents
            if digest in roots.others:
                kept.others |= contents
    for digest in forgotten(holding.room) if holding is not None and kept.unlisted else ():
        kept.unlisted.pop(digest, None)


def _spared(project: Project, roots: Roots) -> set[bytes]:
    globs = [glob.strip() for glob in (project.config.text("cache.keep") or "").split(",") if glob.strip()]
    if not globs:
        return set()
    named = {digest: root for digest, root in roots.named.items() if matches(root.path, globs)}
    return live(project.cache, replace(roots, named=named)).contents
