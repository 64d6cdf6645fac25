"""What a commit must not leave behind: big data in git itself, pointers that are broken, data that no pointer names
yet. Looks only; bytes are read where a file's times cannot tell, as ``status`` does."""

from __future__ import annotations

from dataclasses import dataclass, field

from lobsterdv.errors import FormatError, Refused
from lobsterdv.events import Observer, Warned
from lobsterdv.formats.pointer import SUFFIX, parse_pointer
from lobsterdv.git_changes import sizes, staged_files, unstaged
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.datasets import PATTERN, dataset_of
from lobsterdv.ops.status import status
from lobsterdv.units import size


@dataclass
class CommitReport:
    """What is in the way of a commit, as failures; ``lenient``: it is only told (``hooks.commit: warn``)."""

    lenient: bool = False
    failures: list[Failure] = field(default_factory=list)


def before_commit(project: Project, *, observer: Observer) -> CommitReport:
    """Look at what git's index would commit. Five git processes and one ``status``."""
    report = CommitReport(project.config.text("hooks.commit") == "warn")
    staged = staged_files(project.git)
    blobs = sizes(project.git, (row.blob for row in staged))
    limit = project.config.number("big_file")
    for row in staged:
        if blobs.get(row.blob, 0) >= limit and not row.path.endswith(SUFFIX):
            reason = f"{size(blobs[row.blob])} of data would be committed to git itself"
            report.failures.append(Failure(row.path, Refused(row.path, reason, "big-file")))
    changed = [row for row in staged if row.path.endswith(SUFFIX)]
    contents = project.git.read(row.blob for row in changed)
    broken = set()
    for row in changed:
        try:
            parse_pointer(contents.get(row.blob, b""), what=row.path)
        except FormatError as error:
            broken.add(dataset_of(row.path))
            report.failures.append(Failure(row.path, error))
    for dataset in status(project, observer=observer).datasets:
        if dataset.work == "modified" and dataset.path not in broken:
            reason = "it has changes that no pointer names yet"
            report.failures.append(Failure(dataset.path, Refused(dataset.path, reason, "unadded")))
    for path in unstaged(project.git, PATTERN):
        observer(Warned(f"{path} is changed but not staged; `git add {path}` puts it into a commit"))
    return report
