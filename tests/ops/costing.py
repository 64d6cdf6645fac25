"""What a command costs, in a fresh process: bytes that the kernel counts, the most memory, programs it started."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's counts are read from /proc")

_SCRIPT = """
import json, os, sys
started = []
sys.addaudithook(lambda event, args: started.append(args[1][:2]) if event == "subprocess.Popen" else None)
from lobsterdv.cli.main import run
code = run(sys.argv[1:])
def facts(name):
    with open(f"/proc/self/{name}") as file:
        return dict(line.rstrip().split(":", 1) for line in file if ":" in line)
io, memory = facts("io"), facts("status")
print(json.dumps({
    "code": code, "read": int(io["rchar"]), "written": int(io["wchar"]),
    "peak": int(memory["VmHWM"].split()[0]) << 10, "started": [list(map(str, words)) for words in started],
}), file=sys.stderr)
"""


class Costs(NamedTuple):
    """Bytes read and written by calls, sockets and pipes included; bytes of memory at most; programs started."""

    read: int
    written: int
    peak: int
    started: list[list[str]]


def costs_of(*args: str, cwd: Path, env: Mapping[str, str]) -> Costs:
    """Type ``lobsterdv ARGS`` and see what it cost. Fails when the command does."""
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, *args],
        cwd=cwd, env={**env, "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    told = json.loads(done.stderr.splitlines()[-1])
    assert told["code"] == 0, done
    return Costs(told["read"], told["written"], told["peak"], told["started"])


def write_noise(path: Path, megabytes: int, *, bits: int = 8) -> None:
    """A file of random bytes of so many bits: with 8 zstd gains nothing, with 7 an eighth, which is worth its time."""
    mask = bytes(value & ((1 << bits) - 1) for value in range(256))
    with path.open("wb") as file:
        for _ in range(megabytes):
            file.write(os.urandom(1 << 20).translate(mask))
