"""remote doctor: everything about one remote in S3, a line each, with what fixes it. Writes below ``probe/`` only; with
``fix`` it adds the protections that a bucket lacks, and takes nothing away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from lobsterdv.errors import Denied, LobsterError, NoBucket, UsageError
from lobsterdv.ops.context import Failure
from lobsterdv.ops.doctor import Finding
from lobsterdv.ops.doctor_connection import Connected, connection_findings
from lobsterdv.ops.doctor_probes import probe_findings
from lobsterdv.ops.remote_create import Step, protect
from lobsterdv.stores.base import Store
from lobsterdv.stores.bucket.asking import calls_of
from lobsterdv.stores.bucket.settings import Look, Wanted, look_at
from lobsterdv.stores.capabilities import Capabilities
from lobsterdv.stores.s3_calls import S3Calls


@dataclass
class RemoteDoctorReport:
    """``fixed`` is what was done about it before the findings were made."""

    name: str
    url: str
    findings: list[Finding] = field(default_factory=list)
    fixed: list[Step] = field(default_factory=list)
    capabilities: Capabilities = field(default_factory=Capabilities)
    failures: list[Failure] = field(default_factory=list)

    @property
    def healthy(self) -> bool:
        return all(finding.state != "failed" for finding in self.findings)


def remote_doctor(
    store: Store, wanted: Wanted, *, name: str, fix: bool, now: Callable[[], float], tell: Callable[[Step], None]
) -> RemoteDoctorReport:
    """Examine the remote ``name``. With ``fix``, missing protections are added first: ``tell`` hears of each before it
    is. Raises UsageError for a folder; what goes wrong at a server is a finding."""
    calls = calls_of(store)
    if calls is None:
        raise UsageError(f"{store.url} is a folder: `lobsterdv selftest --remote {name}` tries it out")
    report = RemoteDoctorReport(name, store.url)
    connected = connection_findings(calls, name, now=now, into=report.findings)
    if connected is not Connected.YES:
        return report
    if fix:
        for step, _ in protect(calls, wanted, dry_run=True):
            if step.outcome == "would do":
                tell(step)
        report.fixed = [step for step, _ in protect(calls, wanted, dry_run=False) if step.outcome != "already"]
    report.capabilities = probe_findings(calls, name, now=now, into=report.findings)
    report.findings += _protections(calls, wanted, name, {step.name: step for step in report.fixed})
    return report


def _protections(calls: S3Calls, wanted: Wanted, name: str, fixed: dict[str, Step]) -> Iterator[Finding]:
    try:
        for look in look_at(calls, wanted):
            yield _protection(look, name, fixed.get(look.name))
    except NoBucket as error:  # somebody removed it meanwhile
        yield Finding("bucket", "failed", str(error))
    except LobsterError as error:
        yield Finding("protections", "unknown", str(error))


def _protection(look: Look, name: str, step: Step | None) -> Finding:
    if look.state == "kept":
        return Finding(look.name, "ok", look.detail + (" (done just now)" if step and step.outcome == "done" else ""))
    if look.state == "lacking":
        if step is not None:
            return Finding(look.name, "warning", f"{look.detail}; {step.detail}", _ask_for(name))
        return Finding(look.name, "warning", look.detail, f"lobsterdv remote doctor {name} --fix")
    denied = isinstance(look.why, Denied)
    return Finding(look.name, "unknown", look.detail, _ask_for(name) if denied else "")


def _ask_for(name: str) -> str:
    return f"lobsterdv remote policy {name} --role admin   (for whoever may give it)"
