"""doctor: does everything here work as it should? Each finding says its state, its reason and what fixes it."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from lobsterdv import chunker, copying, durable, temps
from lobsterdv.blobs.remote import read_marker
from lobsterdv.documents import LINES_BYTES, read_document
from lobsterdv.errors import LobsterError
from lobsterdv.events import Observer
from lobsterdv.formats.config import Remote
from lobsterdv.formats.settings import EMBEDDED
from lobsterdv.git import git_version
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.gitfiles import ATTRIBUTES

State = Literal["ok", "warning", "failed", "unknown"]
"""``unknown``: it may not be asked, or the server does not know it."""
_LOW_SPACE = 5 * 1000**3


@dataclass(frozen=True, slots=True)
class Finding:
    """One check. ``fix`` is a command to type, empty when nothing is wrong."""

    name: str
    state: State
    detail: str
    fix: str = ""


@dataclass
class DoctorReport:
    findings: list[Finding] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    @property
    def healthy(self) -> bool:
        return all(finding.state != "failed" for finding in self.findings)


def doctor(project: Project | None, *, version: str, observer: Observer) -> DoctorReport:
    """Check this machine, and the project when there is one. Writes only temps, which it removes."""
    report = DoctorReport([Finding("lobsterdv", "ok", version), Finding("python", "ok", platform.python_version())])
    if chunker.is_compiled():
        report.findings.append(Finding("chunker", "ok", "compiled"))
    else:
        fix = "pip install --force-reinstall --no-binary pyfastcdc pyfastcdc"
        report.findings.append(Finding("chunker", "warning", "the pure Python one, about 200 times slower", fix))
    if project is None:
        report.findings.append(Finding("project", "warning", "not in a project", "lobsterdv init"))
        return report
    checks: list[Callable[[Project], Iterator[Finding]]] = [_git, _attributes, _cache, _remotes]
    for check in checks:
        report.findings.extend(check(project))
    return report


def _git(project: Project) -> Iterator[Finding]:
    yield Finding("git", "ok", git_version(environment=project.git.environment))
    identity = project.git.identity()
    if identity:
        yield Finding("git identity", "ok", identity)
    else:
        yield Finding(
            "git identity", "warning", "git does not know who you are", "git config --global user.email YOU@LAB"
        )
    yield Finding("project", "ok", f"{project.root} ({project.project_id[:8]})")


def _attributes(project: Project) -> Iterator[Finding]:
    try:
        data = read_document(project.root / ".gitattributes", LINES_BYTES, name=".gitattributes")
    except (LobsterError, OSError) as error:
        if not isinstance(error, FileNotFoundError):
            yield Finding(".gitattributes", "failed", str(error), "ls -l .gitattributes")
            return
        data = b""
    if ATTRIBUTES.encode() in data.splitlines():
        yield Finding(".gitattributes", "ok", "pointers keep their line ends")
    else:
        yield Finding(".gitattributes", "warning", "it lacks the line for pointers", "lobsterdv init")


def _cache(project: Project) -> Iterator[Finding]:
    folder = project.cache.folder
    try:
        durable.make_folder(project.cache.temps)
        descriptor, temp = durable.create_temp(project.cache.temps)
    except (LobsterError, OSError) as error:
        yield Finding("cache", "failed", f"{folder} cannot be written: {error}", f"chmod u+rwX {folder}")
        return
    try:
        free = shutil.disk_usage(folder).free
        state: State = "ok" if free > _LOW_SPACE else "warning"
        fix = "" if state == "ok" else "set cache.dir to a larger disk in ~/.config/lobsterdv/config.yaml"
        yield Finding("cache", state, f"{folder}, {free / 1e9:.1f} GB free", fix)
        yield Finding("links", "ok", ", ".join(_links(project.root, temp, descriptor)))
    finally:
        os.close(descriptor)
        temp.unlink()
    quarantine = folder / "quarantine"
    damaged = len(os.listdir(quarantine)) if quarantine.is_dir() else 0
    if damaged:
        yield Finding(
            "quarantine", "warning", f"{damaged} damaged files were set aside in {quarantine}", "lobsterdv pull"
        )


def _links(root: Path, temp: Path, descriptor: int) -> list[str]:
    """The ways of placing a cached file in the work tree that work here."""
    working = []
    name = root / f"{temps.PREFIX}doctor-{os.urandom(6).hex()}"
    other = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, b"lobster")
        if copying.clone(descriptor, other):
            working.append("reflink")
        working.append("copy")
    finally:
        os.close(other)
        name.unlink()
    for label, make in (("hardlink", os.link), ("symlink", os.symlink)):
        try:
            make(temp, name)
            working.append(label)
            name.unlink()
        except OSError:
            continue
    return working


def _remotes(project: Project) -> Iterator[Finding]:
    for name, remote in sorted(project.config.remotes.items()):
        if name != EMBEDDED or project.remote().name == EMBEDDED:
            yield _remote(project, remote)


def _remote(project: Project, remote: Remote) -> Finding:
    label = f"remote {remote.name}"
    if remote.name == EMBEDDED:
        fix = "lobsterdv remote add lab s3://BUCKET/PREFIX"
        return Finding(label, "warning", "the only remote is in this repository's git folder, on this machine", fix)
    try:
        marker = read_marker(project.store(remote))
    except LobsterError as error:
        return Finding(label, "failed", str(error), f"lobsterdv push --remote {remote.name} -v")
    detail = f"{remote.url} reachable" + ("" if marker else ", nothing pushed yet")
    return Finding(label, "ok", detail)
