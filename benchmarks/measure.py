"""Run one program to its end and say what it cost: wall time, CPU, peak memory, bytes read and written.

CPU and memory come from `os.wait4` and so include every child the program waited for (git, for one). Peak memory
counts the pages of mapped files, too. Bytes are the kernel's own count in /proc/PID/io, read after the program ended
and before it is reaped: what read(2), write(2), sendfile and copy_file_range moved, sockets included, page cache or
not. What a program looks at through mmap is not in that count, so /proc/PID/status is polled for the most memory
that was mapped from files and the most that was the program's own. Off Linux these four are None.
"""

import os
import resource
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

TIMEOUT_SECONDS = 3600.0
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Measured:
    """One finished run. `exit_code` is negative for a signal, as in subprocess.

    `own_bytes` and `mapped_bytes` are the most seen of anonymous and of file-backed memory; short peaks are missed.
    """

    exit_code: int
    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int
    read_bytes: int | None
    written_bytes: int | None
    own_bytes: int | None
    mapped_bytes: int | None
    stdout: str
    stderr: str


def run(argv: list[str], folder: Path, environment: dict[str, str]) -> Measured:
    """Run `argv` in `folder`. A program that runs over TIMEOUT_SECONDS is killed, with its session.

    What earlier commands left unwritten is brought to disk first: else a tool that syncs what it writes would
    pay for one that does not.
    """
    os.sync()
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
        watcher = _Watcher(process.pid)
        try:
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        finally:
            wall = time.perf_counter() - started
            watcher.stop()
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
            own_bytes=watcher.own_bytes,
            mapped_bytes=watcher.mapped_bytes,
            stdout=_text(out),
            stderr=_text(err),
        )


def together(runs: list[Measured]) -> Measured:
    """Several runs, one after the other, as one: times and bytes added up, peaks the highest."""
    return Measured(
        exit_code=runs[-1].exit_code,
        wall_seconds=sum(run.wall_seconds for run in runs),
        cpu_seconds=sum(run.cpu_seconds for run in runs),
        peak_bytes=max(run.peak_bytes for run in runs),
        read_bytes=_over([run.read_bytes for run in runs], sum),
        written_bytes=_over([run.written_bytes for run in runs], sum),
        own_bytes=_over([run.own_bytes for run in runs], max),
        mapped_bytes=_over([run.mapped_bytes for run in runs], max),
        stdout="".join(run.stdout for run in runs),
        stderr="".join(run.stderr for run in runs),
    )


def _over(counts: list[int | None], join: Callable[[list[int]], int]) -> int | None:
    known = [count for count in counts if count is not None]
    return join(known) if known else None


class _Watcher:
    """A thread that looks at a process until told to stop: its memory, and whether its time is up."""

    def __init__(self, pid: int) -> None:
        self.own_bytes: int | None = None
        self.mapped_bytes: int | None = None
        self._pid = pid
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not self._ended.wait(POLL_SECONDS):
            self._look()
            if time.monotonic() > deadline:
                os.killpg(self._pid, signal.SIGKILL)
                return

    def _look(self) -> None:
        try:
            lines = Path(f"/proc/{self._pid}/status").read_text().splitlines()
        except OSError:
            return
        sizes = {name: value.split() for name, _, value in (line.partition(":") for line in lines)}
        if "RssAnon" in sizes:  # not of a process that has ended
            self.own_bytes = max(self.own_bytes or 0, int(sizes["RssAnon"][0]) << 10)
            self.mapped_bytes = max(self.mapped_bytes or 0, int(sizes["RssFile"][0]) << 10)


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
