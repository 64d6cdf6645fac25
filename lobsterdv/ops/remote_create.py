"""remote create: a bucket that a lab can trust, made or put right. It takes nothing away and changes no bucket of
others; every step may be repeated."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from lobsterdv.errors import Denied, UsageError
from lobsterdv.ops.context import Failure
from lobsterdv.stores.base import Store
from lobsterdv.stores.bucket import making
from lobsterdv.stores.bucket.asking import Unsupported, calls_of
from lobsterdv.stores.bucket.settings import NAMES, Look, Wanted, look_at, put
from lobsterdv.stores.s3_calls import S3Calls

Outcome = Literal["done", "already", "would do", "not possible", "denied"]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was wanted, and what became of it."""

    name: str
    outcome: Outcome
    detail: str


@dataclass
class CreateReport:
    """``region`` is where the bucket is, or will be; ``elsewhere``: it was there already, and not where it was asked
    for. ``remote`` is the name under which it was added to the project."""

    url: str
    region: str
    dry_run: bool
    steps: list[Step] = field(default_factory=list)
    remote: str | None = None
    elsewhere: bool = False
    failures: list[Failure] = field(default_factory=list)


def create_remote(store: Store, wanted: Wanted, *, dry_run: bool) -> CreateReport:
    """Make the store's bucket, and what protects it. With ``dry_run`` it only looks.

    What the server does not know is told and left out. Raises Refused for a bucket of somebody else, Denied when the
    bucket may not be made, RemoteError.
    """
    calls = calls_of(store)
    if calls is None:
        raise UsageError(f"{store.url} is a folder: `remote add` is all it needs")
    region = wanted.region or calls.meeting()[1] or making.FIRST_REGION
    report = CreateReport(store.url, region, dry_run)
    found = making.find(calls)
    if found.state == "ours":
        told = f"{calls.bucket} is yours"
        if found.region and found.region != region:
            report.region, report.elsewhere = found.region, True
            told += f", and is in {found.region}, not in {region}: a bucket stays where it was made"
        report.steps.append(Step("bucket", "already", told))
    elif dry_run:
        report.steps.append(Step("bucket", "would do", f"{calls.bucket} in {region}"))
        report.steps += [Step(name, "would do", "as for every new bucket") for name in _names(wanted)]
        return report
    else:
        making.make(calls, region)
        report.steps.append(Step("bucket", "done", f"{calls.bucket} in {region}"))
    for step, error in protect(calls, wanted, dry_run=dry_run):
        report.steps.append(step)
        if error is not None:
            report.failures.append(Failure(step.name, error))
    return report


def protect(calls: S3Calls, wanted: Wanted, *, dry_run: bool) -> list[tuple[Step, Denied | None]]:
    """Put right whatever lacks, each by itself; what is denied comes with its error."""
    return [_step(calls, wanted, look, dry_run=dry_run) for look in look_at(calls, wanted)]


def _step(calls: S3Calls, wanted: Wanted, look: Look, *, dry_run: bool) -> tuple[Step, Denied | None]:
    if look.state == "kept":
        return Step(look.name, "already", look.detail), None
    if look.state == "denied" and isinstance(look.why, Denied):
        return Step(look.name, "denied", look.detail), look.why
    if look.state != "lacking":
        return Step(look.name, "not possible", look.detail), None
    if dry_run:
        return Step(look.name, "would do", look.change), None
    try:
        put(calls, wanted, look)
    except Unsupported as error:
        return Step(look.name, "not possible", str(error)), None
    except Denied as error:
        return Step(look.name, "denied", f"{error.action} is denied"), error
    return Step(look.name, "done", look.change), None


def _names(wanted: Wanted) -> list[str]:
    left_out = {"tags"} if not wanted.tags else set()
    return [name for name in NAMES if name not in left_out | ({"TLS only"} if not wanted.tls_only else set())]
