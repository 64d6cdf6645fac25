"""Run one program to its end and say what it cost: wall time, CPU, peak memory, bytes read and written.

CPU and memory come from `os.wait4` and so include every child the program waited for (git, for one). Bytes are
the kernel's own count in /proc/PID/io, read after the program ended and before it is reaped: `read` and `written`
are what read(2), write(2), sendfile and copy_file_range moved, sockets included, page cache or not. Bytes that a
program looks at through mmap are not in `read`. Off Linux both are None.
"""

import os
import resource
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

TIMEOUT_SECONDS = 3600.0


@dataclass(frozen=True)
class Measured:
    """One finished run. `exit_code` is negative for a signal, as in subprocess."""

    exit_code: int
    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int
    read_bytes: int | None
    written_bytes: int | None
    stdout: str
    stderr: str


def run(argv: list[str], folder: Path, environment: dict[str, str]) -> Measured:
    """Run `argv` in `folder`. A program that runs over TIMEOUT_SECONDS is killed, with its session."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.perf_counter()
        process = subprocess.Popen(
            argv,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
        killer = threading.Timer(TIMEOUT_SECONDS, os.killpg, (process.pid, signal.SIGKILL))
        killer.daemon = True
        killer.start()
        try:
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        finally:
            killer.cancel()
        wall = time.perf_counter() - started
        read, written = _bytes_moved(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        return Measured(
            exit_code=process.returncode,
            wall_seconds=wall,
            cpu_seconds=usage.ru_utime + usage.ru_stime,
            peak_bytes=_peak_bytes(usage),
            read_bytes=read,
            written_bytes=written,
            stdout=_text(out),
            stderr=_text(err),
        )


def _bytes_moved(pid: int) -> tuple[int | None, int | None]:
    try:
        lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    except OSError:
        return None, None
    counts = dict(line.split(": ") for line in lines)
    return int(counts["rchar"]), int(counts["wchar"])


def _peak_bytes(usage: resource.struct_rusage) -> int:
    """Linux counts ru_maxrss in KiB, macOS in bytes. Never below this process's own size at the fork."""
    return usage.ru_maxrss * (1 if os.uname().sysname == "Darwin" else 1024)


def _text(file: IO[bytes]) -> str:
    """The last 20 kB: s5cmd prints one line a file."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 20_000))
    return file.read().decode(errors="replace")
