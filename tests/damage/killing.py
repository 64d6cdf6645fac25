"""Processes that are killed at their K-th step. Run as a program it is the nursery: it imports lobsterdv once and
forks a child for every job, so that a kill costs milliseconds.

A step is anything that changes the disk and that Python's audit hooks see (open for writing, rename, link,
unlink, mkdir, rmdir, chmod, utime, symlink, truncate) and every sync (``lobsterdv.sync``).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

STEPS = {
    f"os.{name}" for name in ("rename", "link", "symlink", "remove", "mkdir", "rmdir", "chmod", "utime", "truncate")
}
STEPS |= {"lobsterdv.sync"}
CHANGES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class Ended(NamedTuple):
    """How a job ended: ``steps`` it took (0 when it was killed), what failed, and whether it was killed."""

    steps: int
    failures: list[str]
    killed: bool


class Nursery:
    """Runs jobs in children. Use it as a context manager."""

    def __enter__(self) -> Nursery:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.damage.killing"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def run(
        self, root: Path, env: Mapping[str, str], verb: str, paths: Sequence[str] = (), *, kill_at: int = 0, **more: Any
    ) -> Ended:
        """Do ``verb`` in the project at ``root``; kill it at its step ``kill_at``, never when that is 0."""
        assert self._process.stdin and self._process.stdout
        job = {
            "root": str(root),
            "env": dict(env),
            "verb": verb,
            "paths": list(paths),
            "kill_at": kill_at,
            "more": more,
        }
        self._process.stdin.write(json.dumps(job).encode() + b"\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the nursery died"
        return Ended(**json.loads(answer))


def main() -> None:
    from lobsterdv.ops import add, checkout, fetch, pull, push, status  # noqa: F401  all imported before the forks

    for line in sys.stdin.buffer:
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            os.close(reader)
            _live(json.loads(line), writer)
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            told = pipe.read()
        _, state = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(state)
        ended = json.loads(told) if told else {"steps": 0, "failures": [], "killed": killed}
        if not told and not killed:
            ended["failures"] = [f"exit status {os.WEXITSTATUS(state)}"]
        sys.stdout.write(json.dumps(ended) + "\n")
        sys.stdout.flush()


def _live(job: dict[str, Any], writer: int) -> None:
    """The child's whole life."""
    from lobsterdv.errors import LobsterError
    from lobsterdv.events import silent
    from lobsterdv.project import open_project

    steps = 0
    home = str(Path(job["root"]).parent)

    def hook(event: str, args: tuple[Any, ...]) -> None:
        nonlocal steps
        if event == "open":
            path, _, flags = args
            if not (isinstance(flags, int) and flags & CHANGES) or not str(path).startswith(home):
                return
        elif event not in STEPS:
            return
        steps += 1
        if steps == job["kill_at"]:
            os.kill(os.getpid(), signal.SIGKILL)

    code = 1
    try:
        project = open_project(Path(job["root"]), environment=job["env"])
        module = sys.modules[f"lobsterdv.ops.{job['verb']}"]
        sys.addaudithook(hook)
        try:
            report = getattr(module, job["verb"])(project, job["paths"], observer=silent, **job["more"])
            failures = [f"{f.path}: {type(f.error).__name__}: {f.error}" for f in report.failures]
        except LobsterError as error:
            failures = [f"{type(error).__name__}: {error}"]
        os.write(writer, json.dumps({"steps": steps, "failures": failures, "killed": False}).encode())
        code = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
