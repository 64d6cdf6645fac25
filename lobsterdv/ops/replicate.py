"""remote replicate: have S3 itself copy a remote's bucket into another, and compare the two."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from lobsterdv.errors import NotARemote, Refused
from lobsterdv.formats.layout import LOCKS, MARKER, MARKS
from lobsterdv.ops.context import Failure, Project
from lobsterdv.stores.base import Stat
from lobsterdv.stores.bucket import replication
from lobsterdv.stores.open import S3Place, parse_url
from lobsterdv.stores.s3 import S3Store

_FEW = 100


@dataclass(frozen=True, slots=True)
class Lacking:
    """A key, and what is wrong with it at the second bucket."""

    key: str
    why: str


@dataclass
class ReplicateReport:
    """``changes`` are what was done, or in a dry run would be; empty when all was so already. The policies are for the
    role, which is not made here. With ``verified`` nothing was changed: ``compared`` keys were, and the first hundred
    of those that ``lack`` are named."""

    remote: str
    bucket: str
    target: str
    prefix: str
    role: str
    dry_run: bool
    changes: list[str] = field(default_factory=list)
    trust_policy: str = ""
    role_policy: str = ""
    verified: bool = False
    compared: int = 0
    lack: int = 0
    lacking: list[Lacking] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


def replicate(project: Project, name: str | None, *, to: str, role: str, dry_run: bool = False) -> ReplicateReport:
    """Write the configuration, merged with the rules of others: versioning on both sides, our prefix alone, no delete
    markers. Without a ``role`` nothing is written and the policies that one needs are in the report.

    May be repeated. Raises Refused for what cannot be a target, and for a bucket whose KMS key S3 would not copy with;
    RemoteError.
    """
    store, target_bucket, report = _begun(project, name, to, role, dry_run or not role)
    source = store.options.bucket
    if replication.has_kms_key(store):
        raise Refused(report.remote, "S3 does not copy what its KMS key encrypts by such a rule", "kms-replica")
    report.trust_policy = replication.trust_policy()
    report.role_policy = replication.role_policy(source, report.prefix, target_bucket)
    target = store.beside(target_bucket)
    try:
        for side, bucket in ((store, source), (target, target_bucket)):
            is_off = not replication.is_versioned(side)
            if is_off and not report.dry_run:
                replication.keep_versions(side)
            if is_off:
                report.changes.append(f"versioning of {bucket}")
        wanted = replication.merged(replication.replication_of(store), role, report.prefix, target_bucket)
        if wanted is not None:
            if not report.dry_run:
                replication.configure(store, wanted)
            report.changes.append(f"a rule that copies {source}/{report.prefix} to {target_bucket}")
    finally:
        target.close()
    return report


def verify_replica(project: Project, name: str | None, *, to: str) -> ReplicateReport:
    """Compare both sides by their listings: keys, sizes, ETags where these hash the content. Writes nothing.

    A second remote of its own right (``remote sync`` makes one) has a marker of its own: that there is one is enough.
    """
    store, target_bucket, report = _begun(project, name, to, "", True)
    report.verified = True
    target = store.beside(target_bucket)
    counted = _Counting(_lasting(store.list("")))
    cut = len(report.prefix)
    there = (Stat(stat.key[cut:], stat.size, stat.modified, stat.etag) for stat in target.list(report.prefix))
    try:
        for key, why in replication.differences(iter(counted), there):
            if key == MARKER and why != replication.MISSING:
                continue
            report.lack += 1
            if report.lack <= _FEW:
                report.lacking.append(Lacking(key, why))
    finally:
        target.close()
    report.compared = counted.seen
    return report


class _Counting:
    """What it hands on, counted."""

    def __init__(self, stats: Iterator[Stat]) -> None:
        self._stats = stats
        self.seen = 0

    def __iter__(self) -> Iterator[Stat]:
        for stat in self._stats:
            self.seen += 1
            yield stat


def _lasting(stats: Iterator[Stat]) -> Iterator[Stat]:
    """Without locks and marks, which come and go and mean nothing at another place."""
    return (stat for stat in stats if not stat.key.startswith((LOCKS, MARKS)))


def _begun(
    project: Project, name: str | None, to: str, role: str, dry_run: bool
) -> tuple[S3Store, str, ReplicateReport]:
    remote = project.remote(name)
    store = project.store(remote)
    if not isinstance(store, S3Store):
        raise NotARemote(remote.url, "only a bucket replicates; `remote sync` copies anything")
    place = parse_url(to)
    if not isinstance(place, S3Place) or place.prefix:
        raise Refused(to, "S3 copies into a bucket, under the same keys: --to s3://bucket", "not-a-bucket")
    if place.bucket == store.options.bucket:
        raise Refused(to, "it is the remote's own bucket", "own-bucket")
    prefix = f"{store.options.prefix}/" if store.options.prefix else ""
    report = ReplicateReport(remote.name, store.options.bucket, place.bucket, prefix, role, dry_run)
    return store, place.bucket, report
