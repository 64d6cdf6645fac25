"""What to type when a remote or a bucket is why something is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lobsterdv.cli.situation import Entry, Remedy, Situation
from lobsterdv.cli.words import quote
from lobsterdv.errors import Refused


def _embedded(error: Refused, at: Situation) -> list[Remedy]:
    return [Remedy(at.words.ldv("remote", "add", "lab", "s3://BUCKET/PREFIX"), "or a directory on another disk")]


def _reserved(error: Refused, at: Situation) -> list[Remedy]:
    return [Remedy(at.words.ldv("remote", "add", "lab", "URL"), "any other name")]


def _exists(error: Refused, at: Situation) -> list[Remedy]:
    if at.command == "move":
        return [Remedy(at.words.ldv("remove", at.words.arg(error.path)), "or choose another name")]
    return [Remedy(at.words.ldv("remote", "remove", quote(error.path)), "then add it again")]


def _damaged_there(error: Refused, at: Situation) -> list[Remedy]:
    heal = at.words.ldv("verify", "--remote", "--read-data", "--repair", at.words.arg(error.path))
    return [Remedy(heal, "heals it there, from the copy that is here")]


def _not_held(error: Refused, at: Situation) -> list[Remedy]:
    return [Remedy(at.words.ldv("push", at.words.arg(error.path)), "then the remote holds it")]


def _clock(error: Refused, at: Situation) -> list[Remedy]:
    return [Remedy("date -u", "is this machine's clock right? Else set it, or ask whoever runs the server")]


def _expired(error: Refused, at: Situation) -> list[Remedy]:
    return [Remedy(at.words.ldv("push", at.words.arg(error.path)), "by whoever has this version")]


def _list(error: Refused, at: Situation) -> list[Remedy]:
    return [Remedy(at.again(), "if it happens again, the server loses parts of its lists: never collect there")]


def _lost(error: Refused, at: Situation) -> list[Remedy]:
    repair = at.words.ldv("verify", "--remote", "--all", "--repair")
    is_this = list(at.typed[:2]) == ["remote", "gc"]
    again = at.again("--accept-lost") if is_this else at.words.ldv("remote", "gc", "--accept-lost")
    given_up = "if they are gone for good, or were pushed anew from elsewhere: what only they named goes, in 14 days"
    return [Remedy(repair, "by everyone who pushes there: whoever has the data writes them anew"),
            Remedy(again, given_up)]  # fmt: skip


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


def _forget_elsewhere(error: Refused, at: Situation) -> list[Remedy]:
    there = at.words.ldv("revert", at.words.arg(error.path), "--to", "REV")
    return [Remedy("git worktree list", "shows this repository's; other clones and projects may share the cache"),
            Remedy(there, "in that work tree: a version that may be kept; then commit it")]  # fmt: skip


def _forget_foreign(error: Refused, at: Situation) -> list[Remedy]:
    path = at.words.ldv("gc", "--unregister", "FOLDER", "--yes")
    return [Remedy(path, "if that project may lose it: from then on its claims on this cache do not count")]


def _foreign_bucket(error: Refused, at: Situation) -> list[Remedy]:
    again = at.words.ldv("remote", "create", "s3://ANOTHER-NAME")
    return [Remedy(again, "a name that nobody has: put your lab's in front"),
            Remedy("export AWS_PROFILE=NAME", "if it belongs to another account of yours")]  # fmt: skip


def _another_place(error: Refused, at: Situation) -> list[Remedy]:
    return [Remedy(at.words.ldv(at.command, "--help"), "another bucket, or another remote"),
            Remedy(at.words.ldv("remote", "list"), "shows the remotes")]  # fmt: skip


def _no_logging(error: Refused, at: Situation) -> list[Remedy]:
    return [Remedy(at.words.ldv("remote", "logging", "enable", quote(error.path)), "from then on it writes them")]


def _kms_replica(error: Refused, at: Situation) -> list[Remedy]:
    sync = at.words.ldv("remote", "sync", quote(error.path), "NAME")
    return [Remedy(sync, "copies it to another remote, whatever encrypts it; `remote create` makes one")]


REFUSALS: Final[Mapping[str, Entry]] = {
    "clock": _clock,
    "embedded": _embedded,
    "exists": _exists,
    "expired": _expired,
    "foreign-bucket": _foreign_bucket,
    "forget-current": _forget_current,
    "forget-elsewhere": _forget_elsewhere,
    "forget-foreign": _forget_foreign,
    "forget-shared": _forget_shared,
    "kms-replica": _kms_replica,
    "list": _list,
    "lost": _lost,
    "no-logging": _no_logging,
    "not-a-bucket": _another_place,
    "damaged-there": _damaged_there,
    "not-held": _not_held,
    "only-here": _embedded,
    "own-bucket": _another_place,
    "reserved": _reserved,
    "same-place": _another_place,
    "unreadable-root": _unreadable_root,
}
