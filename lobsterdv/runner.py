"""The user's own commands: started in the foreground, waited for, never through a shell of ours."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Final

from lobsterdv.errors import UsageError

PACKAGES: Final = ("anndata", "h5py", "mudata", "numpy", "pandas", "scanpy", "scipy", "scvi-tools", "torch", "zarr")
"""Whose versions a run remembers: those that decide what analysis code computes."""
_ASK: Final = """
import json, platform
from importlib.metadata import version
found = {"python": platform.python_version()}
for name in %r:
    try:
        found[name] = version(name)
    except Exception:
        pass
print(json.dumps(found))
"""
_ASK_SECONDS: Final = 20


def run_command(words: Sequence[str], *, folder: Path, environment: Mapping[str, str], to_stderr: bool = False) -> int:
    """Run a command in ``folder`` with this process's terminal; its exit status, 128 and the number for a signal. With
    ``to_stderr`` what it prints goes there.

    Ctrl-C, and what else asks this process to end, goes to the command, which decides; what it makes of it is the
    status. One word with blanks in it is a shell
    line. Raises UsageError when there is no such program.
    """
    argv = ["/bin/sh", "-c", words[0]] if is_shell_line(words) else list(words)
    started: list[subprocess.Popen[bytes]] = []
    asked: list[int] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        for process in started:
            process.send_signal(number)

    # Handlers, which no child inherits. Ctrl-C reaches the command by itself.
    before = {signal.SIGINT: signal.signal(signal.SIGINT, lambda *_: None)}
    for number in (signal.SIGTERM, signal.SIGHUP):
        if callable(signal.getsignal(number)):  # else it is ignored, or ends us on the spot
            before[number] = signal.signal(number, pass_on)
    try:
        started += [subprocess.Popen(argv, cwd=folder, env=dict(environment), stdout=2 if to_stderr else None)]
        for late in asked:  # while it was being started
            started[0].send_signal(late)
        status = started[0].wait()
    except (FileNotFoundError, PermissionError) as error:
        raise UsageError(f"{words[0]} cannot be run: {error.strerror}") from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return status if status >= 0 else 128 - status


def is_shell_line(words: Sequence[str]) -> bool:
    """True for one word that holds blanks: a line for the shell, as in ``-- 'a | b'``."""
    return len(words) == 1 and len(words[0].split()) > 1


def shell_text(words: Sequence[str]) -> str:
    """The command as one line that a shell understands."""
    return words[0] if is_shell_line(words) else shlex.join(words)


def interpreter_facts(words: Sequence[str], *, folder: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Versions of Python and of PACKAGES as the command's own interpreter has them; nothing for other programs.
    One process."""
    parts = shlex.split(words[0]) if is_shell_line(words) else list(words)
    if not parts or not Path(parts[0]).name.startswith("python"):
        return {}
    try:
        done = subprocess.run(
            [parts[0], "-c", _ASK % (PACKAGES,)], cwd=folder, env=dict(environment), capture_output=True,
            timeout=_ASK_SECONDS, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        found = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return {}
    return {str(name): str(value) for name, value in found.items()}
