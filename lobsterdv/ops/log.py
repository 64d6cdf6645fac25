"""log: the versions of datasets as git's history has them, with what is known of each. Offline."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from lobsterdv.errors import FormatError, NotTracked, UnknownRevision
from lobsterdv.events import Observer
from lobsterdv.formats.pointer import SUFFIX, Input, Pointer, parse_pointer
from lobsterdv.git_history import Step, drawn, steps, tips
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.datasets import Dataset, dataset_of, enclosing, pointers
from lobsterdv.ops.driver import pointer_text
from lobsterdv.ops.names import commit_of
from lobsterdv.ops.presence import Presence
from lobsterdv.ops.runs import utc

What = Literal["added", "changed", "described", "removed", "merged", "uncommitted"]
_TAGS: Final = "refs/tags/"
_TAGGED_AT_MOST: Final = 20_000  # tags times datasets that are looked at


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A commit gave a dataset a version; ``commit`` is None for what only the work tree's pointer says.

    ``what``: ``described`` when only message or lineage changed; ``merged`` by a merge commit. ``previous`` is what was
    there before. ``is_here``: the cache has it; ``is_pushed``: the default remote, None when this machine does not
    know. ``patch``: what changed in the pointer, as lines of a unified diff.
    """

    dataset: str
    what: What
    digest: str | None
    previous: str | None
    commit: str | None
    at: str | None
    author: str | None
    subject: str | None
    message: str | None = None
    kind: str | None = None
    size: int | None = None
    files: int | None = None
    summary: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[Input, ...] = ()
    activity: str | None = None
    tags: list[str] = field(default_factory=list)
    is_here: bool = False
    is_pushed: bool | None = None
    patch: list[str] = field(default_factory=list)


@dataclass
class LogReport:
    """``versions`` newest first. ``graph``, when asked for: git's drawing, line by line, with the numbers of the
    versions that belong to each line."""

    versions: list[LogEntry] = field(default_factory=list)
    graph: list[tuple[str, list[int]]] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


def log(
    project: Project, paths: Sequence[str] = (), *, rev: str | None = None, everything: bool = False,
    limit: int | None = None, patch: bool = False, graph: bool = False, observer: Observer,
) -> LogReport:  # fmt: skip
    """The versions of the datasets that ``paths`` mean (all when empty), in the history of HEAD, of ``rev``, or of all
    refs (``everything``).

    A name that never was a dataset there is a Failure with NotTracked. Raises UnknownRevision.
    """
    report = LogReport()
    work = pointers(project, None).good if rev is None else {}
    tops = _tops(project, rev, everything, paths)
    specs = [spec for path in paths for spec in _specs(path, work)] or [f"*{SUFFIX}"]
    found = [step for step in steps(project.git, specs, tips=tops) if step.path.endswith(SUFFIX)]
    blobs = {blob for step in found for blob in (step.blob, *step.before) if blob}
    parsed = dict(_parsed(project, blobs))
    entries = [*_uncommitted(project, paths, work, found, parsed), *(_entry(step, parsed) for step in found)]
    for path in paths:
        if not any(_means(path, entry.dataset) for entry in entries):
            report.failures.append(Failure(path, NotTracked(path, rev)))
    entries = entries[:limit]
    tagged = tags_by_pointer(project, {entry.dataset for entry in entries})
    presence = Presence(project)
    by_commit = {(step.commit.oid, step.path.removesuffix(SUFFIX)): step for step in found}
    for entry in entries:
        step = by_commit.get((entry.commit or "", entry.dataset))
        pointer = parsed.get(step.blob or "") if step else (work[entry.dataset].pointer if entry.digest else None)
        report.versions.append(_completed(project, presence, entry, pointer, step, parsed, tagged, patch=patch))
    if graph:
        numbers: dict[str, list[int]] = {}
        for number, entry in enumerate(report.versions):
            numbers.setdefault(entry.commit or "", []).append(number)
        report.graph = [("*", numbers[""])] if "" in numbers else []
        report.graph += [(line, numbers.get(oid, [])) for line, oid in drawn(project.git, specs, tips=tops)]
    return report


def _tops(project: Project, rev: str | None, everything: bool, paths: Sequence[str]) -> list[str]:
    if everything:
        return sorted(set(tips(project.git).values()))
    if rev is not None:
        return [commit_of(project, rev, dataset_of(paths[0]) if len(paths) == 1 else None)]
    try:
        return [project.git.commit_of("HEAD")]
    except UnknownRevision:
        return []


def _specs(path: str, work: Mapping[str, Dataset]) -> list[str]:
    """A path as git's pathspecs: a dataset, what lies in one, a folder of datasets, a glob."""
    path = dataset_of(path)
    if path in ("", "."):
        return [f"*{SUFFIX}"]
    if any(c in path for c in "*?["):
        return [f":(top,glob){path}{SUFFIX}"]
    around = enclosing(work, path)
    return [f":(top,literal){around or path}{SUFFIX}", f":(top,literal){path}/"]


def _means(path: str, dataset: str) -> bool:
    path = dataset_of(path)
    return (
        path in ("", ".", dataset)
        or dataset.startswith(path + "/")
        or path.startswith(dataset + "/")
        or any(c in path for c in "*?[")
    )


def _parsed(project: Project, blobs: set[str]) -> Iterator[tuple[str, Pointer]]:
    for blob, data in project.git.read(sorted(blobs)).items():
        try:
            yield blob, parse_pointer(data, what=blob)
        except FormatError:
            continue  # a conflict that was committed, say: shown as a version that nobody can read


def _uncommitted(
    project: Project,
    paths: Sequence[str],
    work: Mapping[str, Dataset],
    found: Sequence[Step],
    parsed: Mapping[str, Pointer],
) -> Iterator[LogEntry]:
    newest: dict[str, Pointer | None] = {}
    for step in reversed(found):
        newest[step.path.removesuffix(SUFFIX)] = parsed.get(step.blob) if step.blob else None
    for name, dataset in work.items():
        before = newest.get(name)
        if (paths and not any(_means(path, name) for path in paths)) or dataset.pointer == before:
            continue
        previous = str(before.digest) if before else None
        yield LogEntry(name, "uncommitted", str(dataset.pointer.digest), previous, None, None, None, None)


def _entry(step: Step, parsed: Mapping[str, Pointer]) -> LogEntry:
    commit, path, blob, before = step
    now = parsed.get(blob) if blob else None
    olds = [parsed[old] for old in before if old in parsed]
    what: What = "changed"
    if blob is None:
        what = "removed"
    elif not before:
        what = "added"
    elif len(before) > 1:
        what = "merged"
    elif now and olds and now.same_version(olds[0]):
        what = "described"
    return LogEntry(
        path.removesuffix(SUFFIX), what, str(now.digest) if now else None, str(olds[0].digest) if olds else None,
        commit.oid, utc(commit.at), commit.author, commit.subject,
    )  # fmt: skip


def _completed(
    project: Project, presence: Presence, entry: LogEntry, pointer: Pointer | None, step: Step | None,
    parsed: Mapping[str, Pointer], tagged: Mapping[tuple[str, str], list[str]], *, patch: bool,
) -> LogEntry:  # fmt: skip
    if pointer is None:
        return entry
    is_here = project.cache.has_listing(pointer.digest) if pointer.is_directory else project.cache.has(pointer.digest)
    activity = (pointer.run or {}).get("activity")
    old = next((parsed[blob] for blob in step.before if blob in parsed), None) if step else None
    return replace(
        entry,
        message=pointer.message,
        kind=pointer.kind,
        size=pointer.size,
        files=pointer.files,
        summary=pointer.summary or {},
        inputs=pointer.inputs,
        activity=activity if isinstance(activity, str) else None,
        tags=tagged.get((entry.dataset, step.blob or ""), []) if step else [],
        is_here=is_here,
        is_pushed=presence.of(entry.dataset, pointer.digest, is_ours=is_here),
        patch=_patch(old, pointer) if patch and step else [],
    )


def _patch(old: Pointer | None, new: Pointer) -> list[str]:
    before = pointer_text(old, None) if old else []
    lines = difflib.unified_diff(before, pointer_text(new, None), lineterm="", n=0)
    return [line for line in lines if not line.startswith(("---", "+++", "@@"))]


def tags_by_pointer(project: Project, datasets: set[str]) -> dict[tuple[str, str], list[str]]:
    """The tags at which a dataset had a pointer, by dataset and the pointer's blob; ``PATH@NAME`` as NAME, for that
    dataset alone. Two git processes."""
    refs = tips(project.git).items()
    named = {ref.removeprefix(_TAGS): oid for ref, oid in refs if ref.startswith(_TAGS)}
    pairs = [
        (tag.removeprefix(f"{name}@"), name, f"{oid}:{name}{SUFFIX}")
        for tag, oid in sorted(named.items())
        for name in sorted(datasets)
        if "@" not in tag or tag.startswith(f"{name}@")
    ]
    pairs = [pair for pair in pairs if "\n" not in pair[2]][:_TAGGED_AT_MOST]
    if not pairs:
        return {}
    asked = "".join(f"{where}\n" for _, _, where in pairs).encode(errors="surrogateescape")
    out = project.git.ask("cat-file", "--batch-check=%(objectname)", stdin=asked)
    lines = out.decode(errors="replace").splitlines()
    found: dict[tuple[str, str], list[str]] = {}
    for (tag, name, _), line in zip(pairs, lines, strict=True):
        if " " not in line:
            found.setdefault((name, line), []).append(tag)
    return found
