"""What to type about each way of being refused, by the code that a ``Refused`` carries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from lobsterdv.cli.situation import Remedy, Situation
from lobsterdv.cli.words import quote
from lobsterdv.errors import Refused

Entry = Callable[[Refused, Situation], list[Remedy]]


def refusal(error: Refused, at: Situation) -> list[Remedy]:
    """The entry for the error's code."""
    return REFUSALS.get(error.code, _look_around)(error, at)


def _look_around(error: Refused, at: Situation) -> list[Remedy]:
    return [Remedy(at.words.ldv("list"), "shows which datasets there are")]


def _git_tracked(error: Refused, at: Situation) -> list[Remedy]:
    command = f"{at.words.git('rm', '-r', '--cached', at.arg)} && {at.words.ldv('add', at.arg)}"
    return [Remedy(command, "git lets go of it; the files stay")]


def _directory(error: Refused, at: Situation) -> list[Remedy]:
    return [Remedy(at.words.ldv("path", at.words.arg(error.path)), "gives the whole folder")]


def _copied(error: Refused, at: Situation) -> list[Remedy]:
    return [Remedy(at.words.ldv("add", at.arg), "keeps a copy")]


def _embedded(error: Refused, at: Situation) -> list[Remedy]:
    return [Remedy(at.words.ldv("remote", "add", "lab", "s3://BUCKET/PREFIX"), "or a directory on another disk")]


def _other_file_system(error: Refused, at: Situation) -> list[Remedy]:
    own = Remedy("export LOBSTERDV_CACHE_DIR=DIR", "a cache on the data's file system; the key `cache.dir` keeps it")
    past = [Remedy(at.words.ldv("add", "--to-remote", at.arg), "sends it past the cache")] if at.can_share else []
    return [*_copied(error, at), *past, own]


def _whole_project(error: Refused, at: Situation) -> list[Remedy]:
    return [Remedy(at.words.ldv("add", "FOLDER"), "a folder or file with data")]


def _not_found(error: Refused, at: Situation) -> list[Remedy]:
    parent = error.path.rstrip("/").rpartition("/")[0] or "."
    if at.command == "remote add" or at.command == "init":
        return [Remedy(f"mkdir -p {at.words.arg(parent)}")]
    return [Remedy(f"ls {at.words.arg(parent)}", "shows what is there")]


def _symlink(error: Refused, at: Situation) -> list[Remedy]:
    return [Remedy(at.words.ldv("add", f'"$(readlink -f {at.arg})"'), "if it is in the project")]


def _special(error: Refused, at: Situation) -> list[Remedy]:
    if at.command != "add":
        return [Remedy(f"rm {at.words.arg(error.path)}")]
    line, file = quote("/" + error.path), at.words.arg(".lobsterdvignore")
    return [Remedy(f"echo {line} >> {file}", "leaves it out of the dataset")]


def _through_link(error: Refused, at: Situation) -> list[Remedy]:
    parent = at.words.arg(at.path.rpartition("/")[0] or ".")
    return [Remedy(f"ls -ld {parent}", "data lies in real folders of the project; put one in the link's place")]


def _collision(error: Refused, at: Situation) -> list[Remedy]:
    return [Remedy(at.words.ldv("path", at.arg), "still gives read-only files where the file system is able to")]


def _outside(error: Refused, at: Situation) -> list[Remedy]:
    if at.command == "add":
        name = error.path.rstrip("/").rpartition("/")[2]
        copy = f"cp -R {quote(error.path)} {quote(at.words.root or '.')}/"
        return [Remedy(copy, f"and then add {name} there")]
    return [Remedy(at.words.ldv("list"), "shows the datasets of this project")]


def _reserved(error: Refused, at: Situation) -> list[Remedy]:
    return [Remedy(at.words.ldv("remote", "add", "lab", "URL"), "any other name")]


def _exists(error: Refused, at: Situation) -> list[Remedy]:
    if at.command == "move":
        return [Remedy(at.words.ldv("remove", at.words.arg(error.path)), "or choose another name")]
    return [Remedy(at.words.ldv("remote", "remove", quote(error.path)), "then add it again")]


def _part(error: Refused, at: Situation) -> list[Remedy]:
    target = at.words.arg(error.path)
    return [Remedy(f"rm -r {target} && {at.words.ldv('add', target)}", "makes a version without it")]


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


def _unnamed_input(error: Refused, at: Situation) -> list[Remedy]:
    path = at.words.arg(error.path)
    return [
        Remedy(at.words.ldv("add", path), "makes a version of what is there"),
        Remedy(at.words.ldv("checkout", "--force", path), "goes back to the version that the pointer names"),
    ]


def _absent_input(error: Refused, at: Situation) -> list[Remedy]:
    return [Remedy(at.words.ldv("pull", at.words.arg(error.path)))]


def _not_held(error: Refused, at: Situation) -> list[Remedy]:
    return [Remedy(at.words.ldv("push", at.words.arg(error.path)), "then the remote holds it")]


def _damaged_there(error: Refused, at: Situation) -> list[Remedy]:
    heal = at.words.ldv("verify", "--remote", "--read-data", "--repair", at.words.arg(error.path))
    return [Remedy(heal, "heals it there, from the copy that is here")]


def _linked(error: Refused, at: Situation) -> list[Remedy]:
    return [Remedy(at.words.ldv("unprotect", at.words.arg(error.path)), "makes files of their own of the links")]


def _tenant(error: Refused, at: Situation) -> list[Remedy]:
    forget = at.words.ldv("gc", "--unregister", quote(error.path))
    return [
        Remedy(f"ls -ld {quote(error.path)}", "is it gone, or only not mounted?"),
        Remedy(forget, "if it is gone for good: what only it named is unnamed then"),
    ]


def _tenant_here(error: Refused, at: Situation) -> list[Remedy]:
    forget = at.words.ldv("gc", "--unregister", quote(error.path), "--yes")
    return [Remedy(forget, "if it uses another cache now, or is to lose what it keeps here")]


def _no_tenant(error: Refused, at: Situation) -> list[Remedy]:
    return [Remedy(at.words.ldv("gc"), "names the projects that cannot be read")]


def _worktree(error: Refused, at: Situation) -> list[Remedy]:
    return [
        Remedy(f"ls -ld {quote(error.path)}", "is it gone, or only not mounted?"),
        Remedy(at.words.git("worktree", "prune"), "if it is gone for good"),
    ]


def _other_worktree(error: Refused, at: Situation) -> list[Remedy]:
    name = quote(at.path) if at.path else "PATH"
    return [Remedy(f"lobsterdv -C {quote(error.path)} undelete {name}", "brings it back there")]


def _clock(error: Refused, at: Situation) -> list[Remedy]:
    return [Remedy("date -u", "is this machine's clock right? Else set it, or ask whoever runs the server")]


def _expired(error: Refused, at: Situation) -> list[Remedy]:
    return [Remedy(at.words.ldv("push", at.words.arg(error.path)), "by whoever has this version")]


def _list(error: Refused, at: Situation) -> list[Remedy]:
    return [Remedy(at.again(), "if it happens again, the server loses parts of its lists: never collect there")]


def _lost(error: Refused, at: Situation) -> list[Remedy]:
    return [Remedy(at.words.ldv("push", "--all"), "by everyone who pushes there: writes again what is missing")]


def _shallow(error: Refused, at: Situation) -> list[Remedy]:
    return [Remedy(at.words.git("fetch", "--unshallow"), "or do it from a whole clone")]


def _unreadable_root(error: Refused, at: Situation) -> list[Remedy]:
    repair = at.words.ldv("verify", "--remote", "--all", "--repair")
    return [Remedy(repair, "in the project that it belongs to, by whoever has the data"),
            Remedy("pip install -U lobsterdv", "if a newer one wrote it")]  # fmt: skip


def _forget_current(error: Refused, at: Situation) -> list[Remedy]:
    path = at.words.arg(error.path)
    return [Remedy(at.words.ldv("revert", path, "--to", "REV"), "a version that may be kept, or add a new one"),
            Remedy(at.words.ldv("remove", path), "if the dataset goes altogether")]  # fmt: skip


def _forget_shared(error: Refused, at: Situation) -> list[Remedy]:
    return [Remedy(at.words.ldv("list", "--remote", "NAME"), "shows all projects there; forget it in that one first")]


def _no_command(error: Refused, at: Situation) -> list[Remedy]:
    path = at.words.arg(error.path)
    anew = at.words.ldv("run", "--in", "INPUT", "--out", path, "--", "COMMAND")
    return [
        Remedy(anew, "makes it, and remembers how"),
        Remedy(at.words.ldv("show", path), "tells what is known of it"),
    ]


def _tag_exists(error: Refused, at: Situation) -> list[Remedy]:
    path = at.words.arg(error.path)
    return [Remedy(at.words.ldv("tag", "--force", path, "NAME"), "lets the name mean this version"),
            Remedy(at.words.ldv("tag", path), "lists its names")]  # fmt: skip


def _uncommitted_tag(error: Refused, at: Situation) -> list[Remedy]:
    path = at.words.arg(error.path)
    return [Remedy(at.words.git("commit", "-m", "MESSAGE"), "then tag it"),
            Remedy(at.words.ldv("tag", "--rev", "HEAD", path, "NAME"), "names the one that is committed")]  # fmt: skip


def _foreign_bucket(error: Refused, at: Situation) -> list[Remedy]:
    again = at.words.ldv("remote", "create", "s3://ANOTHER-NAME")
    return [Remedy(again, "a name that nobody has: put your lab's in front"),
            Remedy("export AWS_PROFILE=NAME", "if it belongs to another account of yours")]  # fmt: skip


def _another_place(error: Refused, at: Situation) -> list[Remedy]:
    return [Remedy(at.words.ldv(at.command, "--help"), "another bucket, or another remote"),
            Remedy(at.words.ldv("remote", "list"), "shows the remotes")]  # fmt: skip


def _no_logging(error: Refused, at: Situation) -> list[Remedy]:
    return [Remedy(at.words.ldv("remote", "logging", "enable", quote(error.path)), "from then on it writes them")]


REFUSALS: Final[Mapping[str, Entry]] = {
    "absent-input": _absent_input,
    "big-file": _big_file,
    "chained-hook": _chained_hook,
    "clock": _clock,
    "collision": _collision,
    "directory": _directory,
    "embedded": _embedded,
    "exists": _exists,
    "expired": _expired,
    "foreign": _copied,
    "foreign-bucket": _foreign_bucket,
    "forget-current": _forget_current,
    "forget-shared": _forget_shared,
    "git-tracked": _git_tracked,
    "hard-links": _copied,
    "linked": _linked,
    "list": _list,
    "lost": _lost,
    "no-command": _no_command,
    "no-conflict": _no_conflict,
    "no-logging": _no_logging,
    "no-tenant": _no_tenant,
    "not-a-bucket": _another_place,
    "not-found": _not_found,
    "damaged-there": _damaged_there,
    "not-held": _not_held,
    "one-sided": _one_sided,
    "only-here": _embedded,
    "other-file-system": _other_file_system,
    "other-worktree": _other_worktree,
    "outside": _outside,
    "overlap": _look_around,
    "overlapping": _overlapping,
    "own-bucket": _another_place,
    "own-hook": _own_hook,
    "part": _part,
    "reserved": _reserved,
    "same-place": _another_place,
    "shallow": _shallow,
    "special-file": _special,
    "symlink": _symlink,
    "tag-exists": _tag_exists,
    "tenant": _tenant,
    "tenant-here": _tenant_here,
    "through-link": _through_link,
    "two-kinds": _two_kinds,
    "unadded": _unadded,
    "uncommitted-tag": _uncommitted_tag,
    "unnamed-input": _unnamed_input,
    "unreadable-root": _unreadable_root,
    "whole": _look_around,
    "whole-project": _whole_project,
    "worktree": _worktree,
}
