"""The machine that figures were measured on, as far as this process may know. No names of hosts, users or folders."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor() -> str:
    """Its name, as the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def memory_bytes() -> int:
    """All that is built in."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def system() -> str:
    """``Linux 6.1.0 x86_64``."""
    return f"{platform.system()} {platform.release()} {platform.machine()}"


def load() -> str:
    """How many processes wanted to run of late: over the number of cores, seconds are not to be trusted."""
    return ", ".join(f"{average:.1f}" for average in os.getloadavg()) + " (1, 5, 15 minutes)"


def file_system(path: Path) -> str:
    """The type of the file system that holds ``path``: of the longest mount point above it; ``?`` where it cannot be
    told."""
    mounts = Path("/proc/self/mounts")
    if not mounts.exists():
        return "?"
    resolved = path.resolve()
    best, kind = -1, "?"
    for line in mounts.read_text(errors="surrogateescape").splitlines():
        _, point, found = line.split()[:3]
        if resolved.is_relative_to(point) and len(point) > best:
            best, kind = len(point), found
    return kind
