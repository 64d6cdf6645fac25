"""git: the only subprocesses. Pointers at any revision are read through one ``cat-file --batch``, never a checkout.

Each method says how many processes it starts; ``Git.calls`` counts them. Names are passed NUL-separated
and after ``--``, so that no file name is taken for an option.
"""

from __future__ import annotations

import random
import re
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from lobsterdv.errors import Busy, GitFailed, NoGit, UnknownRevision

_INDEX_TRIES: Final = 80  # 0.05 to 0.2 s apart
_COMMIT: Final = re.compile("\x01([0-9a-f]+)\n*")


class Staged(NamedTuple):
    """One path in git's index. ``stage`` is 0, or 1 to 3 while a merge conflict is open."""

    path: str
    blob: str
    stage: int


class Change(NamedTuple):
    """A commit that gave ``path`` the content ``blob``."""

    commit: str
    path: str
    blob: str


@dataclass
class Git:
    """One repository with a work tree. ``root`` is the work tree's, ``common_dir`` is shared by all worktrees."""

    root: Path
    git_dir: Path
    common_dir: Path
    environment: Mapping[str, str]
    calls: list[str] = field(default_factory=list)

    @classmethod
    def find(cls, folder: Path, *, environment: Mapping[str, str]) -> Git:
        """The repository that ``folder`` is in. One process. Raises NoGit."""
        calls: list[str] = []
        command = ["rev-parse", "--show-toplevel", "--absolute-git-dir", "--git-common-dir"]
        try:
            out = _run(folder, command, environment, calls).decode(errors="surrogateescape").split("\n")
        except GitFailed as error:
            if "not a git repository" in error.detail or "must be run in a work tree" in error.detail:
                raise NoGit(str(folder)) from None
            raise
        return cls(Path(out[0]), Path(out[1]), (folder / out[2]).resolve(), environment, calls)

    @staticmethod
    def create(folder: Path, *, environment: Mapping[str, str]) -> None:
        """``git init`` in ``folder``. One process."""
        _run(folder, ["init", "--quiet"], environment, [])

    def work_files(self, pattern: str, *, ignored: bool = False) -> list[str]:
        """Tracked and untracked paths that match ``pattern``, ignored ones only when asked for (that looks through
        ignored folders); deleted ones may be among them. One process."""
        which = [] if ignored else ["--exclude-standard"]
        return _names(self._git("ls-files", "-z", "-c", "-o", *which, "--deduplicate", "--", pattern))

    def tracked_below(self, paths: Iterable[str]) -> list[str]:
        """What git tracks at or below ``paths``. One process."""
        literal = [f":(literal,top){p}" for p in paths]
        return _names(self._git("ls-files", "-z", "--full-name", "--", *literal)) if literal else []

    def untracked(self) -> list[str]:
        """Untracked paths that are not ignored. One process."""
        return _names(self._git("ls-files", "-z", "-o", "--exclude-standard"))

    def ignored(self, paths: Iterable[str]) -> list[str]:
        """Those of ``paths`` that git ignores. One process."""
        wanted = list(paths)
        if not wanted:
            return []
        return _names(self._git("check-ignore", "-z", "--stdin", stdin=_nul(wanted), accept=(0, 1)))

    def staged(self, pattern: str) -> list[Staged]:
        """Entries of git's index that match ``pattern``. One process."""
        rows = []
        for line in _names(self._git("ls-files", "-z", "-s", "--", pattern)):
            facts, _, path = line.partition("\t")
            _mode, blob, stage = facts.split(" ")
            rows.append(Staged(path, blob, int(stage)))
        return rows

    def stage(self, paths: Iterable[str]) -> None:
        """``git add`` the paths, also when they are gone. One process; none without paths.

        Another process that holds git's index is waited for, up to 10 s; then raises Busy.
        """
        literal = _nul(f":(literal,top){p}" for p in sorted(set(paths)))
        for attempt in range(_INDEX_TRIES if literal else 0):
            if attempt:
                time.sleep(0.05 + random.random() * 0.15)
            try:
                self._git("add", "-A", "--pathspec-from-file=-", "--pathspec-file-nul", stdin=literal)
                return
            except GitFailed as error:
                if "index.lock" not in error.detail or "File exists" not in error.detail:
                    raise
        if literal:
            raise Busy("git's index", "another git process")

    def commit(self, message: str) -> str:
        """Commit what is staged; returns the new commit. Two processes. Raises GitFailed when nothing is."""
        self._git("commit", "--quiet", "--message", message)
        return self.commit_of("HEAD")

    def clone_to(self, folder: Path) -> None:
        """Clone this repository to a new folder. One process."""
        self._git("clone", "--quiet", "--", str(self.root), str(folder))

    def commit_of(self, rev: str) -> str:
        """The commit a revision names. One process, two for ``:/words``. Raises UnknownRevision."""
        try:
            if ":/" in rev:  # a search takes in everything behind it
                rev = self._git("rev-parse", "--verify", "--quiet", "--end-of-options", rev).decode().strip()
            out = self._git("rev-parse", "--verify", "--quiet", "--end-of-options", rev + "^{commit}")
        except GitFailed:
            raise UnknownRevision(rev) from None
        return out.decode().strip()

    def tags_for(self, commits: Sequence[str]) -> dict[str, str]:
        """Commits to names by tags (``v1``, ``v1~2``), those that no tag reaches left out. One process for each
        thousand."""
        found: dict[str, str] = {}
        for start in range(0, len(commits), 1000):
            part = commits[start : start + 1000]
            names = self._git("name-rev", "--tags", "--name-only", *part).decode(errors="replace").split("\n")
            found |= {c: n.removesuffix("^0") for c, n in zip(part, names, strict=False) if n not in ("", "undefined")}
        return found

    def files_at(self, commit: str, suffix: str) -> dict[str, str]:
        """Path to blob of every file at ``commit`` whose name ends in ``suffix``. One process."""
        found = {}
        for line in _names(self._git("ls-tree", "-r", "-z", "--full-tree", commit)):
            facts, _, path = line.partition("\t")
            if path.endswith(suffix):
                found[path] = facts.split(" ")[2]
        return found

    def history(
        self, pattern: str, *, everything: bool = False, tips: Sequence[str] = ("HEAD",), without: Sequence[str] = ()
    ) -> list[Change]:
        """Every content that a matching path had in the history of ``tips`` (less that of ``without``), or in that of
        all refs and HEAD, newest first. One process.

        A merge commit counts with what it changed against each parent. Empty before the first commit.
        """
        revs = ["--all"] if everything else [*tips, *(f"^{rev}" for rev in without)]
        try:
            out = self._git(
                "log", "-z", "--raw", "-m", "--no-abbrev", "--no-renames", "--format=%x01%H",
                *revs, "--", pattern,
            )  # fmt: skip
        except GitFailed as error:
            if "does not have any commits yet" in error.detail or "bad revision 'HEAD'" in error.detail:
                return []
            raise
        return list(_changes(_names(out)))

    def read(self, blobs: Iterable[str]) -> dict[str, bytes]:
        """Blob ids (or ``rev:path``) to their bytes, missing ones left out. One process; none without ids."""
        wanted = list(dict.fromkeys(blobs))
        if not wanted:
            return {}
        out = self._git("cat-file", "--batch", stdin="".join(f"{b}\n" for b in wanted).encode())
        found: dict[str, bytes] = {}
        position = 0
        for name in wanted:
            end = out.index(b"\n", position)
            facts = out[position:end].split(b" ")
            position = end + 1
            if facts[-1] in (b"missing", b"ambiguous"):
                continue
            size = int(facts[2])
            found[name] = out[position : position + size]
            position += size + 1
        return found

    def identity(self) -> str:
        """``Name <address>`` as git would sign a commit, or an empty string. One process."""
        try:
            return self._git("var", "GIT_AUTHOR_IDENT").decode(errors="replace").rsplit(" ", 2)[0].strip()
        except GitFailed:
            return ""

    def ask(self, *args: str, stdin: bytes = b"", accept: tuple[int, ...] = (0,)) -> bytes:
        """What any git command prints. One process. Raises GitFailed for an exit status not in ``accept``."""
        return self._git(*args, stdin=stdin, accept=accept)

    def _git(self, *args: str, stdin: bytes = b"", accept: tuple[int, ...] = (0,)) -> bytes:
        return _run(self.root, args, self.environment, self.calls, stdin=stdin, accept=accept)


def git_version(*, environment: Mapping[str, str]) -> str:
    """``git --version``'s number. One process. Raises NoGit when git is not installed."""
    return _run(Path("/"), ["--version"], environment, []).decode().split()[2]


def _run(
    folder: Path,
    args: Iterable[str],
    environment: Mapping[str, str],
    calls: list[str],
    *,
    stdin: bytes = b"",
    accept: tuple[int, ...] = (0,),
) -> bytes:
    command = ["git", *args]
    calls.append(command[1])
    try:
        process = subprocess.Popen(
            command, cwd=folder, env={**environment, "LC_ALL": "C"},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise GitFailed("git", "git is not installed" if folder.is_dir() else f"no folder {folder}") from error
    with process:
        try:
            out, err = process.communicate(stdin)
        except BaseException:
            process.terminate()  # it takes its lock files away; killed, as subprocess.run does, it would not
            raise
    if process.returncode not in accept:
        detail = err.decode(errors="replace").strip() or f"exit status {process.returncode}"
        raise GitFailed(" ".join(command[:2]), detail.replace("\n", "; ")[:500])
    return out


def _changes(fields: Iterable[str]) -> Iterator[Change]:
    """`log -z --raw` output: a commit line ends in NUL or runs into its first change, paths are fields."""
    commit = ""
    pending = ""
    for text in fields:
        if pending:
            if pending.strip("0"):  # all zeros: the path was removed
                yield Change(commit, text, pending)
            pending = ""
            continue
        rest = text.lstrip("\n")
        if match := _COMMIT.match(rest):
            commit, rest = match[1], rest[match.end() :]
        if rest.startswith(":"):
            pending = rest.split(" ")[3]


def _names(out: bytes) -> list[str]:
    return out.decode(errors="surrogateescape").split("\0")[:-1]


def _nul(names: Iterable[str]) -> bytes:
    return "\0".join(names).encode(errors="surrogateescape")
