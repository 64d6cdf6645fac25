"""What hooks ask of git: its hooks folder and settings, what a commit would change, what changed between two.

Each function says how many processes it starts.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from lobsterdv.errors import GitFailed
from lobsterdv.git import Git

_FILE_MODES = ("100644", "100755")


class Staged(NamedTuple):
    """A file that the next commit adds or changes."""

    path: str
    blob: str


def hooks_folder(git: Git) -> Path:
    """Where git looks for hooks: ``core.hooksPath``, else ``hooks`` in the common git folder. One process."""
    found = git.ask("rev-parse", "--git-path", "hooks").decode(errors="surrogateescape").rstrip("\n")
    return git.root / Path(found).expanduser()


def get_setting(git: Git, key: str) -> str | None:
    """The value that git's configuration gives a key, of whatever scope. One process."""
    out = git.ask("config", "--get", key, accept=(0, 1)).decode(errors="surrogateescape")
    return out.removesuffix("\n") if out else None


def set_setting(git: Git, key: str, value: str) -> None:
    """Set a key in the repository's own configuration. One process."""
    git.ask("config", "--local", key, value)


def drop_settings(git: Git, section: str) -> bool:
    """Remove a section of the repository's own configuration; False when there was none. One process."""
    try:
        git.ask("config", "--local", "--remove-section", section)
    except GitFailed as error:
        if "no such section" in error.detail.lower():
            return False
        raise
    return True


def is_whole_clone(git: Git) -> bool:
    """False for a shallow clone, and for a partial one: what such a clone lacks says nothing. Two processes."""
    if git.ask("rev-parse", "--is-shallow-repository").strip() != b"false":
        return False
    return not git.ask("config", "--get-regexp", r"^(remote\..*\.promisor|extensions\.partialclone)$", accept=(0, 1))


def commits_here(git: Git, commits: Iterable[str]) -> set[str]:
    """Those of ``commits`` that this clone has. One process; none without commits."""
    wanted = sorted(set(commits))
    if not wanted:
        return set()
    out = git.ask("cat-file", "--batch-check", stdin="".join(f"{name}\n" for name in wanted).encode())
    rows = [line.split(b" ") for line in out.splitlines()]
    return {name for name, row in zip(wanted, rows, strict=True) if len(row) == 3 and row[1] == b"commit"}


def staged_files(git: Git) -> list[Staged]:
    """Regular files that git's index adds to HEAD or changes, before the first commit too. One process."""
    out = git.ask("diff", "--cached", "--raw", "-z", "--no-abbrev", "--no-renames", "--diff-filter=AMT")
    fields = out.decode(errors="surrogateescape").split("\0")[:-1]
    rows = []
    for facts, path in zip(fields[::2], fields[1::2], strict=True):
        _, mode, _, blob, _ = facts.split(" ")
        if mode in _FILE_MODES:
            rows.append(Staged(path, blob))
    return rows


def unstaged(git: Git, pattern: str) -> list[str]:
    """Tracked paths that match and differ between the work tree and git's index. One process."""
    out = git.ask("diff", "--name-only", "-z", "--no-renames", "--", pattern)
    return out.decode(errors="surrogateescape").split("\0")[:-1]


def changed(git: Git, old: str | None, new: str, pattern: str) -> dict[str, str]:
    """Matching paths that differ between two commits, with git's letter for how (A, M, D, T); without ``old`` all of
    ``new`` are added. One process, two without ``old``."""
    if old is None:
        old = git.ask("hash-object", "-t", "tree", "--stdin").decode().strip()  # git's empty tree
    out = git.ask("diff", "--name-status", "-z", "--no-renames", old, new, "--", pattern)
    fields = out.decode(errors="surrogateescape").split("\0")[:-1]
    return dict(zip(fields[1::2], fields[::2], strict=True))


def sizes(git: Git, objects: Iterable[str]) -> dict[str, int]:
    """Bytes of each object, those that this clone lacks left out. One process; none without objects."""
    wanted = list(dict.fromkeys(objects))
    if not wanted:
        return {}
    out = git.ask("cat-file", "--batch-check=%(objectsize)", stdin="".join(f"{o}\n" for o in wanted).encode())
    lines = out.decode().splitlines()
    return {name: int(line) for name, line in zip(wanted, lines, strict=True) if line.isdecimal()}
