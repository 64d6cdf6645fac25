"""push to several remotes: one after another, each told by itself; what fails at one does not stop the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from lobsterdv.errors import LobsterError
from lobsterdv.events import Observer
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.push import PushReport, push


@dataclass
class PushesReport:
    """``pushes`` are of the remotes that could be used; the others are failures under their remote's name."""

    pushes: list[PushReport] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


def push_to_each(
    project: Project,
    paths: Sequence[str],
    *,
    remotes: Sequence[str],
    rev: str | None = None,
    everything: bool = False,
    jobs: int | None = None,
    ignore_missing: bool = False,
    plain: bool = False,
    observer: Observer,
) -> PushesReport:
    """``push`` to each of ``remotes``, in their order, each once. Raises ConfigError for an unknown name before
    anything is sent."""
    report = PushesReport()
    for name in dict.fromkeys(project.remote(name).name for name in remotes):
        try:
            done = push(
                project,
                paths,
                remote=name,
                rev=rev,
                everything=everything,
                jobs=jobs,
                ignore_missing=ignore_missing,
                plain=plain,
                observer=observer,
            )
        except LobsterError as error:
            report.failures.append(Failure(name, error))
            continue
        report.pushes.append(done)
        report.failures += [Failure(failure.path, failure.error) for failure in done.failures]
    return report
