"""What to type when git, or what lies in a git repository, is why something is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lobsterdv.cli.situation import Entry, Remedy, Situation
from lobsterdv.cli.words import quote
from lobsterdv.errors import Refused


def _git_tracked(error: Refused, at: Situation) -> list[Remedy]:
    command = f"{at.words.git('rm', '-r', '--cached', at.arg)} && {at.words.ldv('add', at.arg)}"
    return [Remedy(command, "git lets go of it; the files stay")]


def _big_file(error: Refused, at: Situation) -> list[Remedy]:
    name = at.words.arg(error.path)
    out = f"{at.words.git('rm', '--cached', name)} && {at.words.ldv('add', name)}"
    return [Remedy(out, "keeps it with lobsterdv; git gets a pointer")]


def _unadded(error: Refused, at: Situation) -> list[Remedy]:
    name = at.words.arg(error.path)
    back = Remedy(at.words.ldv("checkout", "--force", name), "goes back; the changes go to the trash")
    return [Remedy(at.words.ldv("add", name), "keeps them as a new version, to be committed too"), back]


def _own_hook(error: Refused, at: Situation) -> list[Remedy]:
    return [Remedy(at.words.ldv("hooks", "install", "--chain"), "runs yours first, then lobsterdv's")]


def _chained_hook(error: Refused, at: Situation) -> list[Remedy]:
    return [Remedy(f"mv {quote(error.path)} NEW-NAME", "if it is not needed any more; then install again")]


def _overlapping(error: Refused, at: Situation) -> list[Remedy]:
    name = at.words.arg(error.path)
    return [
        Remedy(at.words.ldv("merge", "--ours", name), "takes your side's of these files"),
        Remedy(at.words.ldv("merge", "--theirs", name), "takes the other side's"),
        Remedy(at.words.ldv("merge", "--ours-for", "FILE", "--theirs", name), "yours of one file, theirs of the rest"),
    ]


def _one_sided(error: Refused, at: Situation) -> list[Remedy]:
    pointer, place = at.words.arg(error.path + ".ldv.yaml"), at.words.ldv("pull", at.words.arg(error.path))
    keep = f"{at.words.git('add', pointer)} && {place}"
    return [Remedy(keep, "keeps the side that is there"), Remedy(at.words.git("rm", pointer), "removes it")]


def _two_kinds(error: Refused, at: Situation) -> list[Remedy]:
    pointer, place = at.words.arg(error.path + ".ldv.yaml"), at.words.ldv("pull", at.words.arg(error.path))
    add = at.words.git("add", pointer)
    return [
        Remedy(f"{at.words.git('checkout', side, pointer)} && {add} && {place}", f"takes {side[2:]}")
        for side in ("--ours", "--theirs")
    ]


def _no_conflict(error: Refused, at: Situation) -> list[Remedy]:
    return [Remedy(at.words.ldv("status"), "shows which pointers are in conflict")]


def _worktree(error: Refused, at: Situation) -> list[Remedy]:
    return [
        Remedy(f"ls -ld {quote(error.path)}", "is it gone, or only not mounted?"),
        Remedy(at.words.git("worktree", "prune"), "if it is gone for good"),
    ]


def _other_worktree(error: Refused, at: Situation) -> list[Remedy]:
    name = quote(at.path) if at.path else "PATH"
    return [Remedy(f"lobsterdv -C {quote(error.path)} undelete {name}", "brings it back there")]


def _shallow(error: Refused, at: Situation) -> list[Remedy]:
    return [Remedy(at.words.git("fetch", "--unshallow"), "or do it from a whole clone")]


def _uncommitted_tag(error: Refused, at: Situation) -> list[Remedy]:
    path = at.words.arg(error.path)
    return [Remedy(at.words.git("commit", "-m", "MESSAGE"), "then tag it"),
            Remedy(at.words.ldv("tag", "--rev", "HEAD", path, "NAME"), "names the one that is committed")]  # fmt: skip


REFUSALS: Final[Mapping[str, Entry]] = {
    "big-file": _big_file,
    "chained-hook": _chained_hook,
    "git-tracked": _git_tracked,
    "no-conflict": _no_conflict,
    "one-sided": _one_sided,
    "other-worktree": _other_worktree,
    "overlapping": _overlapping,
    "own-hook": _own_hook,
    "shallow": _shallow,
    "two-kinds": _two_kinds,
    "unadded": _unadded,
    "uncommitted-tag": _uncommitted_tag,
    "worktree": _worktree,
}
