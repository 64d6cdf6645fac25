"""repack: when versions were retired, what is left of an object may be little. Versions that need such objects are
placed anew, in objects that hold nothing else, under second manifests; the old records are retired, and `remote gc`
takes the old manifests and objects when their time has come. Nothing is deleted here.

A version is sent as a push sends it, with the wasteful objects taken for absent. Until its new record is there the old
one counts; a reader tries one manifest after the other. Killed anywhere, once more goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from lobsterdv.blobs.accounting import Account
from lobsterdv.blobs.heads import Heads, Sent
from lobsterdv.blobs.intake import Intake
from lobsterdv.blobs.remote import Remote
from lobsterdv.blobs.remote_look import read_catalogs
from lobsterdv.blobs.source import CacheSource
from lobsterdv.blobs.storage import storage_for
from lobsterdv.blobs.tombstones import forgotten
from lobsterdv.digest import Digest
from lobsterdv.errors import LobsterError, RemoteError
from lobsterdv.events import Advanced, Finished, Observer, Started
from lobsterdv.formats.contents import RAW, Content, Contents
from lobsterdv.formats.layout import object_key
from lobsterdv.formats.record import Record
from lobsterdv.index.pushed import Pushed, forget_pushed, save_pushed
from lobsterdv.ops.bringing import bring_parts
from lobsterdv.ops.claims import claimed_table
from lobsterdv.ops.connection import connect
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.datasets import Dataset
from lobsterdv.ops.placing import Signer, send_version
from lobsterdv.ops.retiring import retire
from lobsterdv.ops.stats import manifest_of, parts_of
from lobsterdv.ops.using import uses_cache
from lobsterdv.ops.wishes import Wish, matches
from lobsterdv.stores.distrusting import DistrustingStore

WASTEFUL: Final = 0.5
"""An object of which so much, or more, is named by no version that counts."""
_SMALL: Final = 64 << 10  # bytes; less waste than that is not worth a request


@dataclass(frozen=True, slots=True)
class Repacked:
    """A version that needs ``needed_bytes`` of wasteful objects; ``new_bytes`` were sent for it (0 when this was only
    looked at)."""

    path: str
    digest: Digest
    needed_bytes: int
    new_bytes: int


@dataclass
class RepackReport:
    """``objects`` of ``bytes`` hold ``waste_bytes`` that no version of this project names any more; ``acted``: done, or
    only looked at."""

    acted: bool
    remote: str
    url: str
    objects: int = 0
    bytes: int = 0
    waste_bytes: int = 0
    versions: list[Repacked] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


@uses_cache
def repack(
    project: Project, paths: Sequence[str] = (), *, remote: str | None = None, yes: bool = False,
    jobs: int | None = None, observer: Observer,
) -> RepackReport:  # fmt: skip
    """Place anew what lies in wasteful objects, of ``paths`` (all datasets when empty); without ``yes`` only say what
    that would be. Each version fails alone. Raises Refused for a catalog that cannot be read, RemoteError."""
    config = project.remote(remote)
    room = connect(project, config, jobs=jobs)
    report = RepackReport(yes, config.name, room.url)
    filed = [row for row in read_catalogs(room, forgotten=forgotten(room)) if row.retired is None]
    own = [row for row in filed if row.project_id == project.project_id and not row.is_forgotten]
    rows = {_pushed(row.record, row.name): row for row in own}
    account, used = Account(), {}
    for at, row in enumerate(sorted(rows, key=lambda row: row.at)):
        for _ in parts_of(room, row, manifest_of(room, row), account, at):
            pass
        contents = Contents.of(claimed_table(room, row.path, row.version, row.manifest).contents)
        used[row] = [part for content in contents for part in _stored(content)]
    wasteful = {
        name: (size, waste)
        for name, (size, waste) in account.waste().items()
        if waste >= max(_SMALL, int(size * WASTEFUL))
    }
    report.objects, report.bytes = len(wasteful), sum(size for size, _ in wasteful.values())
    report.waste_bytes = sum(waste for _, waste in wasteful.values())
    todo = [row for row in used if matches(row.path, paths) and any(name in wasteful for name, _ in used[row])]
    needed = {row: sum(stored for name, stored in used[row] if name in wasteful) for row in todo}
    if not yes:
        report.versions = [Repacked(row.path, row.version, needed[row], 0) for row in todo]
        return report
    careful = replace(room, store=DistrustingStore(room.store, map(object_key, wasteful)))
    signer = Signer(project.project_id, project.git.identity(), project.host)
    storage = storage_for(config.text("compression") or "auto")
    shelf = f"{room.marker.store_id}/{project.project_id}"
    observer(Started("repacking", sum(rows[row].record.pointer.size for row in todo), len(todo)))
    known = list(used)
    for row in todo:
        record = rows[row].record
        wish = Wish(record.path, record.pointer, record.commit, False)
        sent = Sent()
        try:
            _bring(project, room, wish)
            new = send_version(
                project, careful, wish, CacheSource(project.cache), [o for o in known if o.path == row.path], known,
                replace(storage, plain=record.pointer.storage == "plain"),
                Heads(careful, room.jobs).counting(sent), signer,
                part_threshold=config.number("multipart_threshold"), jobs=room.jobs,
                progress=lambda new_bytes: observer(Advanced("repacking", new_bytes)),
            )  # fmt: skip
        except RemoteError:
            raise
        except LobsterError as error:
            report.failures.append(Failure(row.path, error))
            continue
        known = [other for other in known if other != row] + [new]
        if new.record != row.record:
            retire(project, room, [rows[row]])
            forget_pushed(project.index, shelf, [row])
        save_pushed(project.index, shelf, [new])
        report.versions.append(Repacked(row.path, row.version, needed[row], sent.new_bytes))
    observer(Finished("repacking"))
    return report


def _bring(project: Project, room: Remote, wish: Wish) -> None:
    """What the cache lacks of a version, from the remote that is repacked. Raises MissingContent, CorruptContent."""
    with Intake(project.cache, keeps_whole=True) as intake:
        dataset = Dataset(wish.path, wish.pointer)
        outcome = bring_parts(project, room, dataset, [""], intake, progress=lambda new_bytes: None)[""]
    if isinstance(outcome, LobsterError):
        raise outcome


def _stored(content: Content) -> Iterator[tuple[Digest, int]]:
    """The objects that a content lies in, and how many of their bytes are its own."""
    chunk = 0
    for extent in content.extents:
        lengths = content.lengths if extent.object.codec == RAW else content.stored_lengths
        yield extent.object.digest, sum(lengths[chunk : chunk + extent.chunks])
        chunk += extent.chunks


def _pushed(record: Record, name: Digest) -> Pushed:
    return Pushed(str(record.path), record.pointer.digest, record.manifest, name, record.at)
