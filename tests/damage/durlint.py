"""Would it survive a power cut? Reads what strace saw of a command, and finds names given to bytes that were not
synced, and names that were not synced themselves, when the command ended.

A file is dirty from a write to it until its fsync (or a syncfs); a folder from a new name in it until its fsync.
Calls of all threads are put in the order of their times. What git and other programs write is theirs.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

CALLS = (
    "openat,creat,write,pwrite64,writev,pwritev,pwritev2,copy_file_range,sendfile,ftruncate,fallocate,ioctl,"
    "fsync,fdatasync,syncfs,rename,renameat,renameat2,link,linkat,mkdir,mkdirat,execve"
)
_LINE = re.compile(r"^(\d+\.\d+) (\w+)\((.*)\)\s+= (-?\d+|0x[0-9a-f]+)(.*)$")
_DESCRIPTOR = re.compile(r"^(-?\d+|AT_FDCWD)<(.*?)>(?:, |$)")
_TEXT = re.compile(r'^"((?:[^"\\]|\\.)*)"(?:\.\.\.)?(?:, |$)')
_WORD = re.compile(r"^([^,]*)(?:, |$)")
_WRITES = {"write", "pwrite64", "writev", "pwritev", "pwritev2", "ftruncate", "fallocate"}
_FICLONE = "FICLONE"


class Call(NamedTuple):
    """One call that succeeded: its name and arguments, paths resolved where strace tells them."""

    at: float
    name: str
    args: list[str]


class Traced:
    """A process under strace that runs one command line of lobsterdv after the other, so that Python and the program
    are started once. ``mutant`` is planted in it (``mutants.py``). Use it as a context manager."""

    def __init__(self, folder: Path, env: Mapping[str, str], logs: Path, *, mutant: str = "") -> None:
        logs.mkdir()
        self._logs = logs
        self._read: dict[Path, int] = {}
        tracer = ["strace", "-ff", "--seccomp-bpf", "-ttt", "-y", "-s", "4096", "-e", f"trace={CALLS}"]
        program = [sys.executable, "-m", "tests.damage.durlint", mutant]
        self._process = subprocess.Popen(
            [*tracer, "-o", str(logs / "t"), *program],
            cwd=folder, env=dict(env), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def __enter__(self) -> Traced:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def type(self, words: Sequence[str]) -> tuple[int, list[Call]]:
        """Its exit status, and the calls of all its Python processes; strace writes each down before it goes on."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(list(words)) + "\n")
        self._process.stdin.flush()
        code, begun = json.loads(self._process.stdout.readline())
        found = [call for log in sorted(self._logs.iterdir()) for call in self._new(log) if call.at >= begun]
        assert found
        return code, sorted(found, key=lambda call: call.at)

    def _new(self, log: Path) -> Iterator[Call]:
        with log.open("rb") as file:
            file.seek(self._read.get(log, 0))
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._read[log] = self._read.get(log, 0) + len(whole)
        return _calls(whole.decode(errors="replace").splitlines())


def findings(calls: Sequence[Call], *, below: Path, allowed: Sequence[str]) -> list[str]:
    """What a power cut after the last call could have made of files below a folder; ``allowed`` are patterns of paths
    that may be lost."""
    spared = re.compile("|".join(allowed)) if allowed else re.compile(r"(?!)")
    dirty: set[str] = set()
    unsynced: dict[str, str] = {}  # folder -> the name in it
    wrong: list[str] = []

    def matters(path: str) -> bool:
        return path.startswith(f"{below}/") and not spared.search(path)

    def named(old: str | None, new: str, how: str) -> None:
        inside = [path for path in dirty if old is not None and (path == old or path.startswith(old + "/"))]
        for path in inside:
            if matters(new + path[len(old or "") :]):
                wrong.append(f"{how} before it was synced: {new + path[len(old or '') :]}")
            dirty.add(new + path[len(old or "") :])
        for folder in [path for path in unsynced if old is not None and (path == old or path.startswith(old + "/"))]:
            unsynced[new + folder[len(old or "") :]] = new + unsynced[folder][len(old or "") :]
        unsynced[os.path.dirname(new)] = new

    for call in calls:
        args = call.args
        if call.name in _WRITES or (call.name == "ioctl" and _FICLONE in " ".join(args)):
            dirty.add(args[0])
        elif call.name in ("copy_file_range", "sendfile"):
            dirty.add(args[2] if call.name == "copy_file_range" else args[0])
        elif call.name in ("fsync", "fdatasync"):
            dirty.discard(args[0])
            unsynced.pop(args[0], None)
        elif call.name == "syncfs":
            dirty.clear()
            unsynced.clear()
        elif call.name in ("rename", "renameat", "renameat2"):
            named(*_two_paths(call), "renamed")
        elif call.name in ("link", "linkat"):
            named(*_two_paths(call), "linked")
        elif call.name in ("openat", "creat") and "O_CREAT" in " ".join(args):
            unsynced[os.path.dirname(_path(args, 0))] = _path(args, 0)
        elif call.name in ("mkdir", "mkdirat"):
            unsynced[os.path.dirname(_path(args, 0) if call.name == "mkdirat" else args[0])] = args[-2]
    wrong += [f"never synced: {path}" for path in sorted(dirty) if matters(path) and os.path.exists(path)]
    kept = [name for name in sorted(unsynced.values()) if matters(name) and os.path.exists(name)]
    wrong += [f"its name was never synced: {name}" for name in kept]
    return wrong


def _calls(lines: Sequence[str]) -> Iterator[Call]:
    """A process that became another program is not ours any more; none outlives the command that started it."""
    is_ours = True
    for line in lines:
        match = _LINE.match(line)
        if match is None:
            continue
        at, name, args, result = float(match[1]), match[2], match[3], match[4]
        if name == "execve" and result == "0":
            is_ours = bool(re.match(r'"[^"]*/python[\d.]*"', args))
        if not is_ours or result.startswith("-") or name == "execve":
            continue
        yield Call(at, name, _split(args))


def _split(text: str) -> list[str]:
    """Arguments; of a descriptor its path, of a text its characters."""
    found = []
    while text:
        if match := _DESCRIPTOR.match(text):
            found.append(match[2].removesuffix(" (deleted)").split(" (deleted)")[0])
        elif match := _TEXT.match(text):
            found.append(
                match[1].encode().decode("unicode_escape").encode("latin-1", "replace").decode(errors="replace")
            )
        else:
            match = _WORD.match(text)
            assert match is not None
            found.append(match[1])
        text = text[match.end() :]
        if not match[0].endswith(", "):
            break
    return found


def _path(args: list[str], at: int) -> str:
    """A path relative to the folder before it."""
    return os.path.normpath(os.path.join(args[at], args[at + 1]))


def _two_paths(call: Call) -> tuple[str, str]:
    if call.name in ("rename", "link"):
        return call.args[0], call.args[1]
    return _path(call.args, 0), _path(call.args, 2)


def main() -> None:
    """The traced process: command lines in, exit statuses and the times at which they began out."""
    from lobsterdv.cli.main import run

    if sys.argv[1]:
        from tests.damage import mutants

        getattr(mutants, sys.argv[1])()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    for line in sys.stdin:
        begun = time.time()
        code = run(json.loads(line))
        answers.write(json.dumps([code, begun]) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
