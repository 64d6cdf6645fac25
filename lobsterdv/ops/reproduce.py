"""reproduce: run recorded commands again, in order, for what is stale; what turns out to be the same stops there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from lobsterdv.errors import LobsterError, Refused
from lobsterdv.events import Observer
from lobsterdv.formats.yamlio import Value
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.datasets import Dataset, pointers, select
from lobsterdv.ops.run import RunReport, run
from lobsterdv.ops.staleness import Reason, in_order, input_datasets, reasons

Fate = Literal["would run", "ran", "up to date", "failed", "not reached"]


@dataclass(frozen=True, slots=True)
class RunStep:
    """A command and what it makes. ``up to date``: it was stale only by an input that came out the same."""

    activity: str
    command: str
    folder: str
    outputs: list[str]
    reasons: list[Reason]
    fate: Fate
    seconds: float = 0.0
    exit_code: int = 0
    changed: list[str] = field(default_factory=list)


@dataclass
class ReproduceReport:
    """``checked`` counts datasets that were looked at; ``exit_code`` is that of the command that failed."""

    steps: list[RunStep] = field(default_factory=list)
    checked: int = 0
    exit_code: int = 0
    failures: list[Failure] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Planned:
    activity: str
    command: str
    folder: str
    params: Mapping[str, Value]
    outputs: list[str]


def reproduce(
    project: Project, paths: Sequence[str] = (), *, dry_run: bool = False, to_stderr: bool = False,
    environment: Mapping[str, str], observer: Observer,
) -> ReproduceReport:  # fmt: skip
    """Bring ``paths`` (all when empty), and what they are made from, up to date.

    A command that fails ends it; what ran before is kept. A dataset that is stale and of which no command is known is a
    Failure with Refused, and what is made from it is not reached. A dry run says what would be.
    """
    work = pointers(project, None)
    selected, failures = select(work, paths)
    report = ReproduceReport(failures=failures if paths else [])
    wanted = _with_inputs([str(s.dataset.path) for s in selected], work.good)
    found = reasons(project, work.good)
    report.checked = len([path for path in wanted if path in found])
    stale = [path for path in in_order(wanted, work.good) if found.get(path)]
    plan = _plan(stale, work.good)
    if report.failures:
        return report
    by_hand = _without_command(stale, plan, work.good)
    blocked = {failure.path for failure in by_hand}
    for step in plan:
        above = set(_with_inputs(step.outputs, work.good))
        if report.exit_code or report.failures or above & blocked:
            report.steps.append(_told(step, found, "not reached"))
        elif dry_run:
            report.steps.append(_told(step, found, "would run"))
        else:
            _take(project, step, report, to_stderr=to_stderr, environment=environment, observer=observer)
    report.failures += by_hand
    return report


def _take(
    project: Project, step: _Planned, report: ReproduceReport, *, to_stderr: bool, environment: Mapping[str, str],
    observer: Observer,
) -> None:  # fmt: skip
    known = pointers(project, None).good
    now = reasons(project, known)
    if not any(now.get(path) for path in step.outputs):
        report.steps.append(_told(step, now, "up to date"))
        return
    before = {path: known[path].pointer.digest for path in step.outputs}
    inputs = dict.fromkeys(str(item.path) for path in step.outputs for item in known[path].pointer.inputs)
    try:
        done = run(
            project, [step.command], inputs=list(inputs), outputs=step.outputs, params=step.params, name=step.activity,
            message=_message(known, step.outputs), folder=step.folder, to_stderr=to_stderr, environment=environment,
            observer=observer,
        )  # fmt: skip
    except LobsterError as error:
        report.failures.append(Failure(step.outputs[0], error))
        report.steps.append(_told(step, now, "failed"))
        return
    report.exit_code = done.exit_code
    report.failures += done.failures
    fate: Fate = "failed" if done.exit_code or done.failures else "ran"
    changed = [str(row.path) for row in done.outputs if row.digest != before.get(str(row.path))]
    report.steps.append(_told(step, now, fate, done, changed))


def _plan(stale: Sequence[str], known: Mapping[str, Dataset]) -> list[_Planned]:
    """A step for each command; what one command makes is made at once, where the last of it is needed first."""
    steps: dict[tuple[str, str, str], _Planned] = {}
    for path in stale:
        block = known[path].pointer.run or {}
        command, folder, activity = block.get("command"), block.get("folder") or "", block.get("activity")
        params = block.get("params")
        if not isinstance(command, str) or not isinstance(folder, str):
            continue
        values = params if isinstance(params, dict) else {}
        key = command, folder, repr(sorted(values.items()))
        if key not in steps:
            steps[key] = _Planned(str(activity or command), command, folder, values, [])
        steps[key].outputs.append(path)
    return list(steps.values())


def _without_command(stale: Sequence[str], plan: Sequence[_Planned], known: Mapping[str, Dataset]) -> list[Failure]:
    covered = {path for step in plan for path in step.outputs}
    found = []
    for path in stale:
        if path not in covered:
            activity = (known[path].pointer.run or {}).get("activity")
            whom = f"{activity!r} made it in Python, by no script" if activity else "no command that made it is known"
            found.append(
                Failure(path, Refused(path, f"it is stale, and {whom}: make it anew and add it", "no-command"))
            )
    return found


def _with_inputs(paths: Sequence[str], known: Mapping[str, Dataset]) -> list[str]:
    found: dict[str, None] = {}
    waiting = list(paths)
    while waiting:
        path = waiting.pop()
        if path not in found and path in known:
            found[path] = None
            waiting.extend(input_datasets(known[path].pointer, known))
    return list(found)


def _message(known: Mapping[str, Dataset], outputs: Sequence[str]) -> str | None:
    """The message that all outputs have, for the new versions to keep."""
    messages = {known[path].pointer.message for path in outputs}
    return messages.pop() if len(messages) == 1 else None


def _told(
    step: _Planned, found: Mapping[str, list[Reason]], fate: Fate, done: RunReport | None = None,
    changed: Sequence[str] = (),
) -> RunStep:  # fmt: skip
    why = dict.fromkeys(reason for path in step.outputs for reason in found.get(path, ()))
    return RunStep(
        step.activity, step.command, step.folder, step.outputs, list(why), fate,
        done.seconds if done else 0.0, done.exit_code if done else 0, list(changed),
    )  # fmt: skip
