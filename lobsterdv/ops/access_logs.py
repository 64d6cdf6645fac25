"""remote logging enable, remote logs: who reads what of a remote, by S3's own access logs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lobsterdv.blobs.remote import Remote, read_document, records
from lobsterdv.errors import ContentError, FormatError, KeyMissing, LocalIOError, NotARemote, Refused
from lobsterdv.events import Observer, Warned
from lobsterdv.formats.access_log import MAX_LINE, Access, parse_access
from lobsterdv.formats.layout import CATALOG, PROJECT_ID, manifest_key, object_key, segment_key
from lobsterdv.formats.manifest import objects_in, segments_in
from lobsterdv.ops.connection import connect
from lobsterdv.ops.context import Failure, Project
from lobsterdv.stores.base import Store
from lobsterdv.stores.bucket.logging import LogTarget, allow_delivery, enable, log_target
from lobsterdv.stores.open import S3Place, parse_url
from lobsterdv.stores.s3 import S3Store

_PIECE = 4 << 20  # bytes of a log that are read at once
_LATE_S = 86400.0  # logs arrive hours after what they tell


@dataclass(frozen=True, slots=True)
class LoggingReport:
    """``policy_changed`` when the target's policy lacked the statement."""

    remote: str
    bucket: str
    target: str
    policy_changed: bool
    failures: tuple[Failure, ...] = ()


@dataclass
class Use:
    """What was asked: of a dataset, by a user or in an operation. ``last`` is seconds since 1970, 0 for never."""

    name: str
    requests: int = 0
    reads: int = 0
    sent_bytes: int = 0
    errors: int = 0
    last: float = 0.0

    def add(self, access: Access) -> None:
        self.requests += 1
        self.reads += access.operation.startswith("REST.GET.")
        self.sent_bytes += access.sent_bytes
        self.errors += access.status >= 400
        self.last = max(self.last, access.at)


@dataclass
class LogsReport:
    """``datasets`` hottest first, by bytes; an object that several share counts for each. ``unused`` are datasets of
    the catalog that nobody read in the window. ``total`` is everything below the remote's prefix."""

    remote: str
    since: float
    total: Use = field(default_factory=lambda: Use("total"))
    datasets: list[Use] = field(default_factory=list)
    users: list[Use] = field(default_factory=list)
    operations: list[Use] = field(default_factory=list)
    errors: list[Use] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    lines: int = 0
    unreadable_lines: int = 0
    failures: list[Failure] = field(default_factory=list)


def enable_logging(project: Project, name: str | None, *, target: str | None) -> LoggingReport:
    """Have a remote's bucket log to ``target`` (``s3://bucket/prefix``; by default ``BUCKET-logs`` under the bucket's
    name), and let the log service write there. May be repeated. Raises Refused for what is no bucket; RemoteError."""
    remote = project.remote(name)
    store = _bucket(project, name)
    bucket = store.options.bucket
    place = parse_url(target or f"s3://{bucket}-logs/{bucket}")
    if not isinstance(place, S3Place):
        raise Refused(target or "", "logs go to a bucket: --target s3://bucket/prefix", "not-a-bucket")
    if place.bucket == bucket:
        raise Refused(str(place), "a bucket that logs to itself logs its logging; take another one", "own-bucket")
    where = LogTarget(place.bucket, f"{place.prefix}/" if place.prefix else "")
    at_target = store.beside(where.bucket)
    try:
        changed = allow_delivery(at_target, bucket, where)  # first: what is logged meanwhile would be lost
        enable(store, where)
    finally:
        at_target.close()
    return LoggingReport(remote.name, bucket, str(where), changed)


def logs(
    project: Project,
    name: str | None,
    *,
    days: float,
    files: Sequence[Path] = (),
    jobs: int | None = None,
    observer: Observer,
) -> LogsReport:
    """Read the access logs of the last ``days``, from ``files`` or from where the bucket logs to. Writes nothing.

    Raises Refused when the bucket does not log; RemoteError, LocalIOError.
    """
    remote = project.remote(name)
    report = LogsReport(remote.name, project.now() - days * 86400)
    place = parse_url(remote.url)
    prefix = f"{place.prefix}/" if isinstance(place, S3Place) and place.prefix else ""
    owners = _owners(connect(project, remote, jobs=jobs), project, observer)
    lines = _of_files(files) if files else _of_bucket(_bucket(project, name), remote.name, report.since)
    uses: dict[str, dict[str, Use]] = {kind: {} for kind in ("datasets", "users", "operations", "errors")}

    def count(kind: str, what: str, access: Access) -> None:
        uses[kind].setdefault(what, Use(what)).add(access)

    for line in lines:
        report.lines += 1
        access = parse_access(line)
        if access is None:
            report.unreadable_lines += 1
            continue
        if access.at < report.since or not access.key.startswith(prefix):
            continue
        report.total.add(access)
        count("users", access.user or "anonymous", access)
        count("operations", access.operation, access)
        if access.status >= 400:
            count("errors", f"{access.status} {access.error}".strip(), access)
        for owner in owners.get(access.key.removeprefix(prefix), ()):
            count("datasets", owner, access)
    for kind, found in uses.items():
        setattr(report, kind, sorted(found.values(), key=lambda use: (-use.sent_bytes, -use.requests, use.name)))
    read = {use.name for use in report.datasets if use.reads}
    report.unused = sorted({owner for names in owners.values() for owner in names} - read)
    return report


def _owners(room: Remote, project: Project, observer: Observer) -> dict[str, tuple[str, ...]]:
    """Which datasets the keys of a remote belong to: their objects, segments and manifests."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    projects = {stat.key.removeprefix(CATALOG).partition("/")[0] for stat in room.store.list(CATALOG)}
    for project_id in sorted(filter(PROJECT_ID.fullmatch, projects)):
        for _, record in records(room, project_id, known=()):
            owner = record.path if project_id == project.project_id else f"{project_id[:8]}:{record.path}"
            key = manifest_key(record.pointer.digest, record.manifest)
            found[key].add(owner)
            try:
                stored = read_document(room, key, record.manifest, name=owner)
                objects = list(objects_in(stored, "manifest", what=key))
                for digest in segments_in(stored, what=key):
                    part = segment_key(digest)
                    found[part].add(owner)
                    objects += objects_in(read_document(room, part, digest, name=owner), "segment", what=part)
            except (KeyMissing, ContentError, FormatError) as error:
                observer(Warned(f"what {owner} consists of cannot be read, so its use is not counted: {error}"))
                continue
            for item in objects:
                found[object_key(item.digest)].add(owner)
    return {key: tuple(sorted(names)) for key, names in found.items()}


def _of_files(files: Sequence[Path]) -> Iterator[bytes]:
    for path in files:
        try:
            with path.open("rb") as file:
                yield from _lines(iter(lambda: file.read(_PIECE), b""))
        except OSError as error:
            raise LocalIOError(str(path), error.strerror or str(error), error.errno or 0) from error


def _of_bucket(store: S3Store, name: str, since: float) -> Iterator[bytes]:
    target = log_target(store)
    if target is None:
        raise Refused(name, "its bucket writes no access logs", "no-logging")
    place = store.beside(target.bucket)
    try:
        for stat in place.list(target.prefix):
            if stat.modified >= since - _LATE_S and not stat.archived:
                yield from _lines(_pieces(place, stat.key, stat.size))
    finally:
        place.close()


def _pieces(place: Store, key: str, size: int) -> Iterator[bytes]:
    for start in range(0, size, _PIECE):
        yield place.read(key, start=start, length=min(_PIECE, size - start))


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Lines, of which a longer one than any log has is given in part, once. Holds a piece and a line."""
    rest, skipping = b"", False
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            if not skipping and line:
                yield line
            skipping = False
        if len(rest) > MAX_LINE:
            if not skipping:
                yield rest
            rest, skipping = b"", True
    if rest and not skipping:
        yield rest


def _bucket(project: Project, name: str | None) -> S3Store:
    remote = project.remote(name)
    store = project.store(remote)
    if not isinstance(store, S3Store):
        raise NotARemote(remote.url, "access logs are of S3 buckets")
    return store
