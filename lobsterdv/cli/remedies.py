"""From an error to what to type. Every error that a user can see has an entry here; tests hold it to that.

An entry takes the error and the situation and gives one or more remedies: a command, and a few words on
what it does. Commands are exact; only CAPITALS are the user's to fill in.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from lobsterdv import errors
from lobsterdv.cli.words import Words, quote, short
from lobsterdv.errors import LobsterError

SUFFIX: Final = ".ldv.yaml"


class Remedy(NamedTuple):
    """A command to type, and what it does when that is not plain."""

    command: str
    note: str = ""

    def __str__(self) -> str:
        return f"{self.command}   ({self.note})" if self.note else self.command


@dataclass(frozen=True)
class Situation:
    """What was going on: the command and all that was typed, the item that failed (relative to the project),
    the remotes' names by URL."""

    words: Words
    command: str = ""
    path: str = ""
    typed: tuple[str, ...] = ()
    remotes: Mapping[str, str] = field(default_factory=dict)

    def remote(self, url: str) -> str:
        """The name of the remote whose URL an error tells; NAME when it has none."""
        return next((name for known, name in self.remotes.items() if url.startswith(known)), "NAME")

    @property
    def arg(self) -> str:
        """The item as it is typed; PATH when there is none."""
        return self.words.arg(self.path) if self.path else "PATH"

    def again(self, *options: str) -> str:
        """The command as it was typed, with more options."""
        end = self.typed.index("--") if "--" in self.typed else len(self.typed)
        return " ".join(["lobsterdv", *map(quote, self.typed[:end]), *options, *map(quote, self.typed[end:])])


def remedies(error: LobsterError, at: Situation) -> list[Remedy]:
    """What to type, best first; at least one."""
    for kind in type(error).__mro__:
        if kind in TABLE:
            return TABLE[kind](error, at)
    return [Remedy(at.words.ldv("doctor"))]


def _usage(error: errors.UsageError, at: Situation) -> list[Remedy]:
    return [Remedy(at.words.ldv(at.command, "--help"))]


def _not_a_project(error: errors.NotAProject, at: Situation) -> list[Remedy]:
    return [Remedy(at.words.ldv("init"))]


def _no_git(error: errors.NoGit, at: Situation) -> list[Remedy]:
    if at.command == "init":
        return [Remedy(at.words.ldv("init", "--yes"), "makes the git repository too")]
    return [Remedy(f"{at.words.git('init')} && {at.words.ldv('init')}")]


def _git_failed(error: errors.GitFailed, at: Situation) -> list[Remedy]:
    if "not installed" in error.detail:
        return [Remedy("git --version", "install git first: https://git-scm.com/downloads")]
    if "dubious ownership" in error.detail:
        folder = quote(at.words.root or at.words.folder)
        return [Remedy(f"git config --global --add safe.directory {folder}", "if you trust whoever owns it")]
    if "index.lock" in error.detail:
        lock = at.words.arg(".git/index.lock")
        return [Remedy(at.again(), "when the other git has ended"), Remedy(f"rm {lock}", "if none is running")]
    return [Remedy(at.words.git("status"), "shows what is wrong with the repository")]


def _refused(error: errors.Refused, at: Situation) -> list[Remedy]:
    return REFUSALS.get(error.code, _look_around)(error, at)


def _look_around(error: errors.Refused, at: Situation) -> list[Remedy]:
    return [Remedy(at.words.ldv("list"), "shows which datasets there are")]


def _git_tracked(error: errors.Refused, at: Situation) -> list[Remedy]:
    command = f"{at.words.git('rm', '-r', '--cached', at.arg)} && {at.words.ldv('add', at.arg)}"
    return [Remedy(command, "git lets go of it; the files stay")]


def _directory(error: errors.Refused, at: Situation) -> list[Remedy]:
    return [Remedy(at.words.ldv("path", at.words.arg(error.path)), "gives the whole folder")]


def _whole_project(error: errors.Refused, at: Situation) -> list[Remedy]:
    return [Remedy(at.words.ldv("add", "FOLDER"), "a folder or file with data")]


def _not_found(error: errors.Refused, at: Situation) -> list[Remedy]:
    parent = error.path.rstrip("/").rpartition("/")[0] or "."
    if at.command == "remote add" or at.command == "init":
        return [Remedy(f"mkdir -p {at.words.arg(parent)}")]
    return [Remedy(f"ls {at.words.arg(parent)}", "shows what is there")]


def _symlink(error: errors.Refused, at: Situation) -> list[Remedy]:
    return [Remedy(at.words.ldv("add", f'"$(readlink -f {at.arg})"'), "if it is in the project")]


def _special(error: errors.Refused, at: Situation) -> list[Remedy]:
    if at.command != "add":
        return [Remedy(f"rm {at.words.arg(error.path)}")]
    line, file = quote("/" + error.path), at.words.arg(".lobsterdvignore")
    return [Remedy(f"echo {line} >> {file}", "leaves it out of the dataset")]


def _through_link(error: errors.Refused, at: Situation) -> list[Remedy]:
    parent = at.words.arg(at.path.rpartition("/")[0] or ".")
    return [Remedy(f"ls -ld {parent}", "data lies in real folders of the project; put one in the link's place")]


def _collision(error: errors.Refused, at: Situation) -> list[Remedy]:
    return [Remedy(at.words.ldv("path", at.arg), "still gives read-only files where the file system is able to")]


def _outside(error: errors.Refused, at: Situation) -> list[Remedy]:
    if at.command == "add":
        name = error.path.rstrip("/").rpartition("/")[2]
        copy = f"cp -R {quote(error.path)} {quote(at.words.root or '.')}/"
        return [Remedy(copy, f"and then add {name} there")]
    return [Remedy(at.words.ldv("list"), "shows the datasets of this project")]


def _reserved(error: errors.Refused, at: Situation) -> list[Remedy]:
    return [Remedy(at.words.ldv("remote", "add", "lab", "URL"), "any other name")]


def _exists(error: errors.Refused, at: Situation) -> list[Remedy]:
    if at.command == "move":
        return [Remedy(at.words.ldv("remove", at.words.arg(error.path)), "or choose another name")]
    return [Remedy(at.words.ldv("remote", "remove", quote(error.path)), "then add it again")]


def _part(error: errors.Refused, at: Situation) -> list[Remedy]:
    target = at.words.arg(error.path)
    return [Remedy(f"rm -r {target} && {at.words.ldv('add', target)}", "makes a version without it")]


def _not_tracked(error: errors.NotTracked, at: Situation) -> list[Remedy]:
    if error.rev:
        return [Remedy(at.words.ldv("list", "--rev", quote(error.rev)), "shows the datasets there")]
    tracked = Remedy(at.words.ldv("list"), "shows the datasets")
    if at.command in ("push", "status", "remove", "unprotect", "path"):
        return [Remedy(at.words.ldv("add", at.words.arg(error.path)), "tracks it"), tracked]
    return [tracked]


def _unknown_revision(error: errors.UnknownRevision, at: Situation) -> list[Remedy]:
    return [Remedy(at.words.git("fetch", "--tags"), "if it is a colleague's"), Remedy(at.words.git("log", "--oneline"))]


def _config(error: errors.ConfigError, at: Situation) -> list[Remedy]:
    if "remote named" in error.problem:
        return [Remedy(at.words.ldv("remote", "list"), "shows the remotes")]
    if error.source.startswith("LOBSTERDV_"):
        return [Remedy(f"unset {error.source}")]
    if "project id" in error.problem:
        return [Remedy(at.words.ldv("init"), "gives it one")]
    if error.source.endswith(".yaml"):
        return [Remedy(f"${{EDITOR:-vi}} {at.words.arg(error.source)}", "docs/format.md lists every key")]
    return [Remedy(at.words.ldv(at.command or "remote add", "--help"))]


def _format(error: errors.FormatError, at: Situation) -> list[Remedy]:
    name = error.what.partition(" at ")[0]
    if name.endswith(SUFFIX) or name.rpartition("/")[2] == ".lobsterdv.yaml":
        return [Remedy(at.words.git("checkout", "HEAD", "--", at.words.arg(name)), "takes it as it was committed")]
    return [Remedy(at.words.ldv("doctor"))]


def _newer(error: errors.FormatError, at: Situation) -> list[Remedy]:
    return [Remedy("pip install -U lobsterdv")]


def _conflicted(error: errors.ConflictedPointer, at: Situation) -> list[Remedy]:
    found = []
    for side, digest in (("ours", error.ours), ("theirs", error.theirs)):
        pointer = at.words.arg(error.what)
        take = f"{at.words.git('checkout', f'--{side}', pointer)} && {at.words.git('add', pointer)}"
        place = at.words.ldv("pull", at.words.arg(error.what.removesuffix(SUFFIX)))
        found.append(Remedy(f"{take} && {place}", f"{side}: {short(digest) or 'unreadable'}"))
    return found


def _unsafe_path(error: errors.UnsafePath, at: Situation) -> list[Remedy]:
    return [Remedy(f"mv {at.words.arg(error.what)} NEW-NAME")]


def _changed_meanwhile(error: errors.ChangedMeanwhile, at: Situation) -> list[Remedy]:
    return [Remedy(at.again(), "when nothing writes to it any more")]


def _local_io(error: errors.LocalIOError, at: Situation) -> list[Remedy]:
    place = at.words.arg(error.path) if error.path else "."
    folder = at.words.arg(error.path.rpartition("/")[0] or "/") if error.path.startswith("/") else "."
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return [Remedy(f"df -h {folder}", "free some space and run the command again; what is done stays done")]
        case errno.EACCES | errno.EPERM:
            return [Remedy(f"ls -ld {folder} {place}", "you may not write or read there")]
        case errno.EROFS:
            return [Remedy(f"df {folder}", "this file system is read-only")]
        case errno.EMFILE | errno.ENFILE:
            return [Remedy("ulimit -n 4096", "allows more open files")]
    return [Remedy(at.words.ldv("doctor"))]


def _missing(error: errors.MissingContent, at: Situation) -> list[Remedy]:
    rest = Remedy(at.again("--ignore-missing"), "takes the rest")
    if at.command in ("fetch", "pull", "path", "list"):
        first = Remedy(at.words.ldv("push", at.arg), "by whoever has this version, on their machine")
        return [first] if at.command in ("path", "list") else [first, rest]
    if at.command == "push":
        keep = "adds the file that is here as the version"
        return [
            Remedy(at.words.ldv("fetch", "--remote", "OTHER", at.arg)),
            Remedy(at.words.ldv("add", at.arg), keep),
            rest,
        ]
    if at.command == "add":
        return [Remedy(at.words.ldv("fetch", at.words.arg(error.name.removeprefix("the listing of "))))]
    return [Remedy(at.words.ldv("pull", at.arg))]


def _corrupt(error: errors.CorruptContent, at: Situation) -> list[Remedy]:
    if error.where == "the cache":
        return [Remedy(at.words.ldv("fetch", at.arg), "the damaged copy is set aside; this brings a good one")]
    return [
        Remedy(at.words.ldv("fetch", "--remote", "OTHER", at.arg), "if another remote has it"),
        Remedy(at.words.ldv("push", at.arg), "by whoever has this version: sends again what is missing or cut short"),
    ]


def _key_missing(error: errors.KeyMissing, at: Situation) -> list[Remedy]:
    return [Remedy(at.words.ldv("push"), "by whoever has the data: sends again what is missing")]


def _not_a_remote(error: errors.NotARemote, at: Situation) -> list[Remedy]:
    if "nothing was pushed" in error.problem:
        return [Remedy(at.words.ldv("push"), "makes it one")]
    return [Remedy(at.words.ldv("remote", "list"), "is the URL right?")]


def _unreachable(error: errors.Unreachable, at: Situation) -> list[Remedy]:
    return [
        Remedy(at.words.ldv("doctor"), "asks every remote"),
        Remedy(at.words.ldv("remote", "list"), "shows the URLs"),
    ]


def _denied(error: errors.Denied, at: Situation) -> list[Remedy]:
    if not error.url.startswith("s3:"):
        return [Remedy(f"ls -ld {quote(error.url.removeprefix('file://'))}", "you may not read or write there")]
    ask = f"who you are; its owner grants {error.action}"
    return [Remedy("aws sts get-caller-identity", ask), Remedy("export AWS_PROFILE=NAME", "to be someone else")]


def _credentials(error: errors.CredentialsError, at: Situation) -> list[Remedy]:
    return [
        Remedy("aws configure", "keeps an access key"),
        Remedy("aws sso login", "with single sign-on"),
        Remedy("export AWS_PROFILE=NAME", "uses another profile"),
    ]


def _no_bucket(error: errors.NoBucket, at: Situation) -> list[Remedy]:
    return [
        Remedy(f"aws s3 mb s3://{error.bucket}", "makes it"),
        Remedy(at.words.ldv("remote", "list"), "is the name right?"),
    ]


def _wrong_region(error: errors.WrongRegion, at: Situation) -> list[Remedy]:
    name = at.remote(error.url)
    again = at.words.ldv("remote", "add", name, quote(error.url), "--region", quote(error.actual or "REGION"))
    return [Remedy(f"{at.words.ldv('remote', 'remove', name)} && {again}")]


def _throttled(error: errors.Throttled, at: Situation) -> list[Remedy]:
    gently = ("-j", "2") if at.command in ("push", "fetch", "pull") else ()
    return [Remedy(at.again(*gently), "goes on where it stopped")]


def _untrusted(error: errors.Untrusted, at: Situation) -> list[Remedy]:
    return [Remedy(at.words.ldv("remote", "trust", quote(error.name)), "if you know this endpoint")]


def _would_overwrite(error: errors.WouldOverwrite, at: Situation) -> list[Remedy]:
    command = at.command if at.command in ("checkout", "pull") else "checkout"
    return [
        Remedy(at.words.ldv("add", at.arg), "keeps the changes as a new version"),
        Remedy(at.words.ldv(command, "--force", at.arg), "moves them to the trash"),
    ]


def _archived(error: errors.Archived, at: Situation) -> list[Remedy]:
    bucket, _, prefix = error.url.removeprefix("s3://").partition("/")
    key = f"{prefix.rstrip('/')}/{error.key}".lstrip("/")
    restore = f"aws s3api restore-object --bucket {quote(bucket)} --key {quote(key)} --restore-request Days=7"
    return [Remedy(restore, "takes hours; then run the command again")]


def _busy(error: errors.Busy, at: Situation) -> list[Remedy]:
    return [Remedy(at.again(), "when the other has ended")]


def _any(error: LobsterError, at: Situation) -> list[Remedy]:
    return [Remedy(at.words.ldv("doctor"))]


Entry = Callable[[Any, Situation], list[Remedy]]
REFUSALS: Final[Mapping[str, Entry]] = {
    "collision": _collision,
    "directory": _directory,
    "exists": _exists,
    "git-tracked": _git_tracked,
    "not-found": _not_found,
    "outside": _outside,
    "overlap": _look_around,
    "part": _part,
    "reserved": _reserved,
    "special-file": _special,
    "symlink": _symlink,
    "through-link": _through_link,
    "whole-project": _whole_project,
}
"""What to do about a Refused, by its code."""

TABLE: Final[Mapping[type[LobsterError], Entry]] = {
    LobsterError: _any,
    errors.UsageError: _usage,
    errors.NotAProject: _not_a_project,
    errors.NoGit: _no_git,
    errors.GitFailed: _git_failed,
    errors.Refused: _refused,
    errors.NotTracked: _not_tracked,
    errors.UnknownRevision: _unknown_revision,
    errors.ConfigError: _config,
    errors.FormatError: _format,
    errors.UnknownFormat: _newer,
    errors.UnknownFeature: _newer,
    errors.ConflictedPointer: _conflicted,
    errors.UnsafePath: _unsafe_path,
    errors.ChangedMeanwhile: _changed_meanwhile,
    errors.LocalIOError: _local_io,
    errors.MissingContent: _missing,
    errors.CorruptContent: _corrupt,
    errors.KeyMissing: _key_missing,
    errors.NotARemote: _not_a_remote,
    errors.Unreachable: _unreachable,
    errors.Denied: _denied,
    errors.CredentialsError: _credentials,
    errors.NoBucket: _no_bucket,
    errors.WrongRegion: _wrong_region,
    errors.Throttled: _throttled,
    errors.Untrusted: _untrusted,
    errors.WouldOverwrite: _would_overwrite,
    errors.Archived: _archived,
    errors.Busy: _busy,
}
