"""hooks: put lobsterdv's hooks and drivers into a clone's git, and take them out again. A hook of the user's is
never overwritten: it stays and is reported, or, chained, runs before ours."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from lobsterdv import durable
from lobsterdv.errors import LobsterError, Refused
from lobsterdv.git import Git
from lobsterdv.git_changes import drop_settings, get_setting, hooks_folder, set_setting
from lobsterdv.ops.alone import alone_in
from lobsterdv.ops.context import Failure

NAMES: Final = ("pre-commit", "pre-push", "post-checkout", "post-merge")
BEFORE: Final = ".before-lobsterdv"
"""What a chained hook of the user's is called: git does not run it, ours does, first."""
_MARK: Final = "# A hook of lobsterdv"
_SCRIPT: Final = """\
#!/bin/sh
{mark} (`lobsterdv hooks uninstall` removes it).
{body}"""
_SIMPLE: Final = """\
if [ -x "$0{before}" ]; then
    "$0{before}" "$@" || exit
fi
if ! command -v lobsterdv >/dev/null 2>&1; then
    {absent}
fi
lobsterdv hook {name} "$@"{after}
"""
_PUSH: Final = """\
refs=$(cat)
if [ -x "$0{before}" ]; then
    printf '%s\\n' "$refs" | "$0{before}" "$@" || exit
fi
if ! command -v lobsterdv >/dev/null 2>&1; then
    {absent}
fi
printf '%s\\n' "$refs" | lobsterdv hook {name} "$@"
"""
_ABSENT: Final = {
    "pre-commit": 'echo "lobsterdv is not on the PATH: data was not checked" >&2\n    exit 0',
    "pre-push": (
        'echo "lobsterdv is not on the PATH, so the data cannot be pushed with the commits." >&2\n'
        '    echo "  fix: activate its environment, or pip install lobsterdv" >&2\n'
        '    echo "   or: git push --no-verify   (the commits alone)" >&2\n'
        "    exit 1"
    ),
    "post-checkout": 'echo "lobsterdv is not on the PATH: data was left as it is" >&2\n    exit 0',
    "post-merge": 'echo "lobsterdv is not on the PATH: data was left as it is" >&2\n    exit 0',
}
_MERGE: Final = (
    "if command -v lobsterdv >/dev/null 2>&1; then lobsterdv merge-driver -- %O %A %B %P; "
    "else git merge-file -L ours -L base -L theirs %A %O %B; fi"
)
_TEXT: Final = 'f() { lobsterdv textconv -- "$1" 2>/dev/null || cat -- "$1"; }; f'
_SETTINGS: Final = {
    "merge.lobsterdv.name": "lobsterdv pointers",
    "merge.lobsterdv.driver": _MERGE,
    "diff.lobsterdv.textconv": _TEXT,
}
_ATTRIBUTES: Final = b"*.ldv.yaml merge=lobsterdv diff=lobsterdv"

State = Literal["ours", "chained", "foreign", "outdated", "absent"]


@dataclass(frozen=True, slots=True)
class Hook:
    """One hook: ``ours``; ``chained`` (ours, after one of the user's); ``outdated`` (ours, of another release);
    ``foreign`` (one of the user's alone); ``absent``."""

    name: str
    state: State


@dataclass
class HooksReport:
    """``folder`` is where git looks for hooks, ``drivers`` whether merge and diff of pointers are lobsterdv's."""

    folder: str
    hooks: list[Hook] = field(default_factory=list)
    drivers: bool = False
    failures: list[Failure] = field(default_factory=list)


def list_hooks(git: Git) -> HooksReport:
    """How things stand. Changes nothing. Two git processes."""
    folder = hooks_folder(git)
    report = HooksReport(str(folder), [Hook(name, _state(folder / name)) for name in NAMES])
    report.drivers = get_setting(git, "merge.lobsterdv.driver") is not None
    return report


def install_hooks(git: Git, *, chain: bool = False) -> HooksReport:
    """Write the hooks, and the merge and diff drivers of pointers into this clone's git configuration.

    A hook of the user's is a Failure, unless ``chain``: then it is renamed and ours runs it first. Nothing tracked is
    touched. May be repeated and interrupted; brings older hooks of ours up to date.
    """
    folder = hooks_folder(git)
    failures = []
    with durable.translating(folder):
        durable.make_folder(folder)
    with alone_in(folder):
        for name in NAMES:
            try:
                _install(folder, name, chain)
            except LobsterError as error:
                failures.append(Failure("", error))
    for key, value in _SETTINGS.items():
        set_setting(git, key, value)
    _edit_attributes(git, present=True)
    report = list_hooks(git)
    report.failures = failures
    return report


def uninstall_hooks(git: Git) -> HooksReport:
    """Take out what ``install_hooks`` put there; chained hooks get their own names back. May be repeated."""
    folder = hooks_folder(git)
    if folder.is_dir():
        with alone_in(folder), durable.translating(folder):
            for name in NAMES:
                path, before = folder / name, folder / (name + BEFORE)
                if _state(path) in ("ours", "chained", "outdated"):
                    if os.path.lexists(before):
                        before.replace(path)
                    else:
                        path.unlink()
            durable.sync_folder(folder)
    for section in ("merge.lobsterdv", "diff.lobsterdv"):
        drop_settings(git, section)
    _edit_attributes(git, present=False)
    return list_hooks(git)


def script(name: str) -> str:
    """A hook as it is written."""
    body = _PUSH if name == "pre-push" else _SIMPLE
    after = " || :" if name.startswith("post-") else ""  # whatever happens there, git's work is done
    return _SCRIPT.format(mark=_MARK, body=body.format(before=BEFORE, name=name, absent=_ABSENT[name], after=after))


def _install(folder: Path, name: str, chain: bool) -> None:
    path, before = folder / name, folder / (name + BEFORE)
    state = _state(path)
    if state == "foreign":
        if not chain:
            raise Refused(str(path), "there is a hook of your own, which was left as it is", "own-hook")
        if os.path.lexists(before):
            raise Refused(str(before), "a chained hook has this name already", "chained-hook")
        with durable.translating(path):
            path.rename(before)
            durable.sync_folder(folder)
    durable.write(path, script(name).encode(), mode=0o755)


def _state(path: Path) -> State:
    try:
        found = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return "foreign" if os.path.lexists(path) else "absent"
    except OSError:
        return "foreign"
    if path.is_symlink() or _MARK.encode() not in found[:200]:
        return "foreign"
    if found != script(path.name).encode():
        return "outdated"
    return "chained" if os.path.lexists(path.with_name(path.name + BEFORE)) else "ours"


def _edit_attributes(git: Git, *, present: bool) -> None:
    """The line of this clone's private attributes that has pointers merged and shown by the drivers."""
    path = git.common_dir / "info" / "attributes"
    old = path.read_bytes() if path.is_file() else b""
    lines = old.splitlines()
    if (_ATTRIBUTES in lines) == present:
        return
    kept = [line for line in lines if line != _ATTRIBUTES] + ([_ATTRIBUTES] if present else [])
    with durable.translating(path.parent):
        durable.make_folder(path.parent)
    durable.write(path, b"".join(line + b"\n" for line in kept), mode=None)
