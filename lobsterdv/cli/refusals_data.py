"""What to type when the data, its place, or a cache is why something is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lobsterdv.cli.situation import Entry, Remedy, Situation
from lobsterdv.cli.words import quote
from lobsterdv.errors import Refused


def look_around(error: Refused, at: Situation) -> list[Remedy]:
    return [Remedy(at.words.ldv("list"), "shows which datasets there are")]


def _directory(error: Refused, at: Situation) -> list[Remedy]:
    return [Remedy(at.words.ldv("path", at.words.arg(error.path)), "gives the whole folder")]


def _copied(error: Refused, at: Situation) -> list[Remedy]:
    return [Remedy(at.words.ldv("add", at.arg), "keeps a copy")]


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


def _document(error: Refused, at: Situation) -> list[Remedy]:
    path = at.words.arg(error.path)
    return [
        Remedy(f"ls -l {path}", "shows what it is, and where it leads"),
        Remedy(f"rm {path}", "a file of the project's own can take its place"),
    ]


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


def _part(error: Refused, at: Situation) -> list[Remedy]:
    target = at.words.arg(error.path)
    return [Remedy(f"rm -r {target} && {at.words.ldv('add', target)}", "makes a version without it")]


def _unnamed_input(error: Refused, at: Situation) -> list[Remedy]:
    path = at.words.arg(error.path)
    return [
        Remedy(at.words.ldv("add", path), "makes a version of what is there"),
        Remedy(at.words.ldv("checkout", "--force", path), "goes back to the version that the pointer names"),
    ]


def _absent_input(error: Refused, at: Situation) -> list[Remedy]:
    return [Remedy(at.words.ldv("pull", at.words.arg(error.path)))]


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


REFUSALS: Final[Mapping[str, Entry]] = {
    "absent-input": _absent_input,
    "collision": _collision,
    "directory": _directory,
    "document": _document,
    "foreign": _copied,
    "hard-links": _copied,
    "linked": _linked,
    "no-command": _no_command,
    "no-tenant": _no_tenant,
    "not-found": _not_found,
    "other-file-system": _other_file_system,
    "outside": _outside,
    "overlap": look_around,
    "part": _part,
    "special-file": _special,
    "symlink": _symlink,
    "tag-exists": _tag_exists,
    "tenant": _tenant,
    "tenant-here": _tenant_here,
    "through-link": _through_link,
    "unnamed-input": _unnamed_input,
    "whole": look_around,
    "whole-project": _whole_project,
}
