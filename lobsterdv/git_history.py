"""The history of pointers: which commit gave which path which content, by whom, when, and what was there before.

Each function says how many processes it starts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from lobsterdv.errors import GitFailed
from lobsterdv.git import Git

_FORMAT: Final = "--format=%x01%H%x02%at%x02%an <%ae>%x02%s"


class Commit(NamedTuple):
    """``at`` is the author's time in seconds since 1970, ``author`` is ``Name <address>``."""

    oid: str
    at: int
    author: str
    subject: str


class Step(NamedTuple):
    """A commit that gave ``path`` the content ``blob`` (None: removed it); ``before`` are the different contents that
    its parents had there: none for a new file, two or more for a merge."""

    commit: Commit
    path: str
    blob: str | None
    before: tuple[str, ...]


def tips(git: Git) -> dict[str, str]:
    """What every ref and HEAD name, the commits of tags rather than the tags. One process, two before the first
    commit and for a detached HEAD."""
    out = git.ask("for-each-ref", "--format=%(refname) %(objectname) %(objecttype) %(*objectname) %(*objecttype)")
    found = {}
    for line in out.decode(errors="surrogateescape").splitlines():
        name, oid, kind, *peeled = line.split(" ")
        if kind == "tag" and len(peeled) == 2 and peeled[1] == "commit":
            found[name] = peeled[0]
        elif kind == "commit":
            found[name] = oid
    try:
        found["HEAD"] = git.ask("rev-parse", "--verify", "--quiet", "HEAD").decode().strip()
    except GitFailed:
        pass  # before the first commit
    return found


def steps(git: Git, paths: Sequence[str], *, tips: Iterable[str], without: Iterable[str] = ()) -> Iterator[Step]:
    """What the commits behind ``tips``, and not behind ``without``, changed at ``paths`` (pathspecs), newest first, no
    commit before one that it is an ancestor of. One process; none without tips.

    Of a merge only what it made differ from every parent: the rest its parents' own commits tell.
    """
    wanted = "".join([*(f"{tip}\n" for tip in tips), *(f"^{tip}\n" for tip in without)])
    if not wanted:
        return
    out = git.ask(
        "log", "-z", "-c", "--raw", "--no-abbrev", "--no-renames", "--topo-order", _FORMAT, "--stdin", "--", *paths,
        stdin=wanted.encode(),
    )  # fmt: skip
    yield from _steps(out.decode(errors="surrogateescape").split("\0"))


def is_behind(git: Git, old: Iterable[str], new: Iterable[str]) -> bool:
    """True when everything behind the ``old`` tips is behind the ``new`` ones too. False when git has lost one. One
    process."""
    wanted = "".join([*(f"{tip}\n" for tip in old), *(f"^{tip}\n" for tip in new)])
    try:
        return not git.ask("rev-list", "--max-count=1", "--stdin", stdin=wanted.encode()).strip()
    except GitFailed:
        return False


def commit_before(git: Git, moment: str, tip: str) -> str | None:
    """The newest commit behind ``tip`` that was made before ``moment`` (as git reads dates). One process."""
    out = git.ask("rev-list", "--max-count=1", f"--before={moment}", "--end-of-options", tip)
    return out.decode().strip() or None


def _steps(fields: Iterable[str]) -> Iterator[Step]:
    """`log -z -c --raw`: a commit's line, then a field of facts and one of the path for each change."""
    commit = Commit("", 0, "", "")
    facts: list[str] = []
    for text in fields:
        if facts:
            parents = facts[0].count(":")
            *before, blob = facts[parents + 1 : 2 * parents + 2]
            known = dict.fromkeys(old for old in before if old.strip("0"))
            yield Step(commit, text, blob if blob.strip("0") else None, tuple(known))
            facts = []
            continue
        line = text.strip("\n")
        if line.startswith("\x01"):
            oid, at, author, subject = line[1:].split("\x02", 3)
            commit = Commit(oid, int(at), author, subject)
        elif line.startswith(":"):
            facts = line.split(" ")


def drawn(git: Git, paths: Sequence[str], *, tips: Iterable[str]) -> list[tuple[str, str]]:
    """`git log --graph` of the commits that changed ``paths``: each line's drawing, and the commit that it shows, or an
    empty text. One process; none without tips."""
    wanted = "".join(f"{tip}\n" for tip in tips)
    if not wanted:
        return []
    out = git.ask("log", "--graph", "--topo-order", "--format=%x01%H", "--stdin", "--", *paths, stdin=wanted.encode())
    rows = [line.partition("\x01") for line in out.decode(errors="replace").splitlines()]
    return [(drawing.rstrip(), oid) for drawing, _, oid in rows]
