"""run: run a command, and keep what it made as versions that say what they were made from, and how.

Order: inputs are resolved before the command starts, so that they are what it read; outputs are added when it has ended
well; the run record comes last. Killed in between, nothing claims what did not happen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from lobsterdv.digest import Digest
from lobsterdv.errors import MissingContent, UsageError
from lobsterdv.events import Observer
from lobsterdv.formats.pointer import Input
from lobsterdv.formats.runs import RunRecord
from lobsterdv.formats.yamlio import Value
from lobsterdv.ops.add import Added, add
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.datasets import pointers
from lobsterdv.ops.run_records import keep_run
from lobsterdv.ops.runs import code_state, resolve_inputs, run_block, script_of, utc
from lobsterdv.ops.status import status
from lobsterdv.paths import safe_path
from lobsterdv.runner import interpreter_facts, run_command, shell_text

_SCRIPTS = (".py", ".r", ".rmd", ".qmd", ".ipynb", ".jl", ".sh", ".pl", ".nf", ".smk")


@dataclass(frozen=True, slots=True)
class Left:
    """Data that a failed command may have left half made: a dataset whose files are ``changed`` or ``gone``, or files
    (``new``) that no version names. They stay as they are."""

    path: str
    state: Literal["changed", "gone", "new"]


@dataclass
class RunReport:
    """``exit_code`` is the command's; ``skipped`` when nothing had changed since the last time. ``seconds`` of wall
    time; ``record`` is the run record's name, in the cache and with the next push at the remote; ``left`` tells what
    lies in the work tree after a command that failed."""

    activity: str
    command: str
    inputs: list[Input]
    outputs: list[Added] = field(default_factory=list)
    exit_code: int = 0
    seconds: float = 0.0
    skipped: bool = False
    record: Digest | None = None
    left: list[Left] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


def run(
    project: Project,
    words: Sequence[str],
    *,
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
    params: Mapping[str, Value] | None = None,
    name: str | None = None,
    message: str | None = None,
    if_changed: bool = False,
    folder: str = "",
    to_stderr: bool = False,
    environment: Mapping[str, str],
    observer: Observer,
) -> RunReport:
    """Run ``words`` in ``folder`` (below the project's root), and add ``outputs``; without any, the datasets that it
    modified. ``inputs`` and ``outputs`` are relative to the root. ``to_stderr``: what the command prints goes there.

    A command that fails, or that leaves an output out, records nothing. With ``if_changed`` it is not run when every
    output is unmodified and says that it was made by this command, code and parameters from these inputs.
    Raises NotTracked and Refused for inputs that are no version, UsageError.
    """
    if not words:
        raise UsageError("no command: put it after --")
    if if_changed and not outputs:
        raise UsageError("--if-changed needs --out: what else should be up to date?")
    given = resolve_inputs(project, inputs, observer=observer)
    command = shell_text(words)
    activity = name or _activity(words)
    place = project.root / folder
    block = run_block(activity, command, script_of(project, words, place), params or {}, folder)
    report = RunReport(activity, command, list(given))
    if if_changed and _is_current(project, outputs, given, block, observer):
        report.skipped = True
        return report
    commit, dirty = code_state(project)
    facts = interpreter_facts(words, folder=place, environment=environment)
    started = project.now()
    report.exit_code = run_command(words, folder=place, environment=environment, to_stderr=to_stderr)
    ended = project.now()
    report.seconds = ended - started
    if report.exit_code:
        report.left = _left(project, outputs, observer)
        return report
    made = list(outputs) or _modified(project, observer)
    for path in made:
        if not (project.root / path).exists() and not any(c in path for c in "*?["):
            missing = MissingContent(path, "the output", "the work tree: the command ended well without it")
            report.failures.append(Failure(path, missing))
    if report.failures or not made:
        return report
    added = add(project, made, message=message, inputs=given, run=block, observer=observer)
    report.outputs, report.failures = added.added, added.failures
    if report.outputs:
        record = RunRecord(
            activity=activity,
            inputs=given,
            outputs=tuple(Input(safe_path(row.path), row.digest) for row in report.outputs),
            started=utc(started),
            ended=utc(ended),
            by=project.git.identity(),
            host=project.host,
            command=command,
            script=_text(block.get("script")),
            params=params or {},
            commit=commit,
            dirty=dirty,
            environment=facts,
        )
        report.record = keep_run(project.cache, record)
    return report


def _activity(words: Sequence[str]) -> str:
    """What to call a command that was given no name: its script, else its program."""
    parts = words[0].split() if len(words) == 1 else list(words)
    named = [part for part in parts[1:] if part.lower().endswith(_SCRIPTS)]
    last = (named[0] if named else parts[0]).rpartition("/")[2]
    return last.partition(".")[0] or last


def _is_current(
    project: Project, outputs: Sequence[str], given: tuple[Input, ...], block: dict[str, Value], observer: Observer
) -> bool:
    known = pointers(project, None).good
    if any(path not in known for path in outputs):
        return False
    made = [known[path].pointer for path in outputs]
    if any(pointer.inputs != given or pointer.run != block for pointer in made):
        return False
    return all(row.work == "clean" for row in status(project, outputs, observer=observer).datasets)


def _modified(project: Project, observer: Observer) -> list[str]:
    return [row.path for row in status(project, observer=observer).datasets if row.work == "modified"]


def _left(project: Project, outputs: Sequence[str], observer: Observer) -> list[Left]:
    """Of ``outputs`` (of all datasets without), those whose files are not what a version names."""
    tracked = [path for path in outputs if path in pointers(project, None).good]
    found = []
    if tracked or not outputs:
        for row in status(project, tracked, observer=observer).datasets:
            if row.work in ("modified", "absent"):
                found.append(Left(row.path, "changed" if row.work == "modified" else "gone"))
    new = [path for path in outputs if path not in tracked and (project.root / path).exists()]
    return found + [Left(path, "new") for path in new]


def _text(value: Value) -> str | None:
    return value if isinstance(value, str) else None
