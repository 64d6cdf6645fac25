"""From an error to what to type. Every error that a user can see has an entry here; tests hold it to that.

An entry takes the error and the situation and gives one or more remedies: a command, and a few words on
what it does. Commands are exact; only CAPITALS are the user's to fill in.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from lobsterdv import errors
from lobsterdv.cli.refusals import refusal
from lobsterdv.cli.remedies_s3 import ANSWERS
from lobsterdv.cli.situation import Entry, Remedy, Situation
from lobsterdv.cli.words import quote, short
from lobsterdv.errors import LobsterError
from lobsterdv.space import existing

SUFFIX: Final = ".ldv.yaml"


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


def _not_tracked(error: errors.NotTracked, at: Situation) -> list[Remedy]:
    if error.rev:
        return [Remedy(at.words.ldv("list", "--rev", quote(error.rev)), "shows the datasets there")]
    tracked = Remedy(at.words.ldv("list"), "shows the datasets")
    if at.exists(error.path):
        return [Remedy(at.words.ldv("add", at.words.arg(error.path)), "tracks it"), tracked]
    return [tracked]


def _not_verbatim(error: errors.NotVerbatim, at: Situation) -> list[Remedy]:
    local = Remedy(at.words.ldv("path", at.words.arg(error.name)), "gives a local file")
    if error.how == "empty":
        return [local]
    options = [word for name in ("--rev", "--remote") for word in at.option(name)]
    plain = at.words.ldv("push", "--plain", *options, at.words.arg(error.dataset))
    return [Remedy(plain, "stores each file as one object, as it is"), local]


def _unknown_revision(error: errors.UnknownRevision, at: Situation) -> list[Remedy]:
    if error.rev == "HEAD":
        return [Remedy(at.words.git("commit", "-m", "MESSAGE"), "makes the first commit")]
    return [Remedy(at.words.git("fetch", "--tags"), "if it is a colleague's"), Remedy(at.words.git("log", "--oneline"))]


def _forgotten(error: errors.Forgotten, at: Situation) -> list[Remedy]:
    return [Remedy(at.words.ldv("log", at.words.arg(error.name)), "shows its other versions")]


def _config(error: errors.ConfigError, at: Situation) -> list[Remedy]:
    if "remote named" in error.problem:
        return [Remedy(at.words.ldv("remote", "list"), "shows the remotes")]
    if error.source.startswith("LOBSTERDV_"):
        return [Remedy(f"unset {error.source}")]
    if "project id" in error.problem:
        return [Remedy(at.words.ldv("init"), "gives it one")]
    if "belongs to a machine" in error.problem and error.source == "remote configure":
        return [Remedy(at.again("--private"), "keeps it to this clone")]
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
    found = [Remedy(at.words.ldv("merge", at.words.arg(error.what.removesuffix(SUFFIX))), "merges both, file by file")]
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
        case errno.ENOENT | errno.ENOTDIR:
            return [Remedy(f"ls {folder}", "shows what is there")]
        case errno.EACCES | errno.EPERM:
            return [Remedy(f"ls -ld {folder} {place}", "you may not write or read there")]
        case errno.EROFS:
            return [Remedy(f"df {folder}", "this file system is read-only")]
        case errno.EMFILE | errno.ENFILE:
            return [Remedy("ulimit -n 4096", "allows more open files")]
    return [Remedy(at.words.ldv("doctor"))]


def _no_space(error: errors.NoSpace, at: Situation) -> list[Remedy]:
    found = []
    if at.command == "add" and "--move" not in at.typed:
        found.append(Remedy(at.again("--move"), "makes the files themselves the cache's own: no copy"))
    if at.command == "add" and at.can_share and "--move" not in at.typed:
        found.append(Remedy(at.again("--to-remote"), "sends them past the cache"))
    if at.command in ("checkout", "pull"):
        again = f"LOBSTERDV_CACHE_LINK=hardlink,copy {at.again()}"
        found.append(Remedy(again, "one copy, read-only, for the cache and the work tree on one disk"))
    if at.command != "checkout":
        found.append(Remedy("export LOBSTERDV_CACHE_DIR=DIR", "a cache on another disk; the key `cache.dir` keeps it"))
    return [*found, Remedy(f"df -h {quote(str(existing(Path(error.path))))}", "free some space")]


def _missing(error: errors.MissingContent, at: Situation) -> list[Remedy]:
    if at.command == "hook":
        return [
            Remedy(at.words.ldv("push"), "then git push again"),
            Remedy(at.words.ldv("push", "--all"), "if another branch is being pushed"),
        ]
    rest = Remedy(at.again("--ignore-missing"), "takes the rest")
    if at.command in ("fetch", "pull", "path", "list", "merge"):
        first = Remedy(at.words.ldv("push", at.arg), "by whoever has this version, on their machine")
        return [first] if at.command in ("path", "list", "merge") else [first, rest]
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
        Remedy(at.words.ldv("verify", "--remote", "--repair", at.arg), "by whoever has it: sends that again"),
    ]


def _key_missing(error: errors.KeyMissing, at: Situation) -> list[Remedy]:
    return [Remedy(at.words.ldv("push"), "by whoever has the data: sends again what is missing")]


def _not_a_remote(error: errors.NotARemote, at: Situation) -> list[Remedy]:
    if "nothing was pushed" in error.problem:
        return [Remedy(at.words.ldv("push", "--remote", quote(at.remote(error.url).name)), "makes it one")]
    return [Remedy(at.words.ldv("remote", "list"), "is the URL right?")]


def _untrusted(error: errors.Untrusted, at: Situation) -> list[Remedy]:
    return [
        Remedy(
            at.words.ldv("remote", "trust", quote(error.name)),
            "if you know this endpoint" if error.setting == "endpoint_url" else "if you agree",
        )
    ]


def _unencrypted(error: errors.Unencrypted, at: Situation) -> list[Remedy]:
    trust = at.words.ldv("remote", "trust", quote(error.name))
    return [Remedy(trust, "if nobody else is on the way there; better: give it an endpoint_url with https://")]


def _would_overwrite(error: errors.WouldOverwrite, at: Situation) -> list[Remedy]:
    if at.command in ("merge", "revert"):
        return [Remedy(at.again("--force"), "moves them to the trash")]
    command = at.command if at.command in ("checkout", "pull") else "checkout"
    return [
        Remedy(at.words.ldv("add", at.arg), "keeps the changes as a new version"),
        Remedy(at.words.ldv(command, "--force", at.arg), "moves them to the trash"),
    ]


def _archived(error: errors.Archived, at: Situation) -> list[Remedy]:
    if error.restoring:
        return [Remedy(at.again(), "later; it fetches what is readable, and goes on")]
    name = error.name or at.path
    plain = at.words.raw(name) if name else "PATH"
    path = quote(next((word for word in at.typed if word.rpartition("@")[0] == plain), plain))  # with its @REV
    options = [word for name in ("--rev", "--remote") for word in at.option(name)]
    return [Remedy(at.words.ldv("restore", *options, path), "takes hours; then run the command again")]


def _busy(error: errors.Busy, at: Situation) -> list[Remedy]:
    return [Remedy(at.again(), "when the other has ended")]


def _any(error: LobsterError, at: Situation) -> list[Remedy]:
    return [Remedy(at.words.ldv("doctor"))]


TABLE: Final[Mapping[type[LobsterError], Entry]] = {
    LobsterError: _any,
    **ANSWERS,
    errors.Forgotten: _forgotten,
    errors.UsageError: _usage,
    errors.NotAProject: _not_a_project,
    errors.NoGit: _no_git,
    errors.GitFailed: _git_failed,
    errors.Refused: refusal,
    errors.NotTracked: _not_tracked,
    errors.NotVerbatim: _not_verbatim,
    errors.UnknownRevision: _unknown_revision,
    errors.ConfigError: _config,
    errors.FormatError: _format,
    errors.UnknownFormat: _newer,
    errors.UnknownFeature: _newer,
    errors.ConflictedPointer: _conflicted,
    errors.UnsafePath: _unsafe_path,
    errors.ChangedMeanwhile: _changed_meanwhile,
    errors.LocalIOError: _local_io,
    errors.NoSpace: _no_space,
    errors.MissingContent: _missing,
    errors.CorruptContent: _corrupt,
    errors.KeyMissing: _key_missing,
    errors.NotARemote: _not_a_remote,
    errors.Untrusted: _untrusted,
    errors.Unencrypted: _unencrypted,
    errors.WouldOverwrite: _would_overwrite,
    errors.Archived: _archived,
    errors.Busy: _busy,
}
