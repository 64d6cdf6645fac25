"""The machine and the versions a run was made with. No names of hosts, users or folders."""

import os
import platform
import subprocess
import tempfile
from pathlib import Path

import tools
from peers import Peers, Server
from tools import Tool


def facts(work: Path, server: Server) -> dict[str, str]:
    """Cores this process may use, processor, memory, and the file systems under the work and the server's data."""
    usable = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    return {
        "cores": str(len(usable)),
        "processor": _processor(),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / (1 << 30):.0f} GiB",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "file system": _file_system(work),
        "server": server.kind,
        "file system of the server's data": _file_system(server.data),
    }


def load() -> str:
    """How many processes wanted to run of late: over the number of cores, seconds are not to be trusted."""
    return ", ".join(f"{average:.1f}" for average in os.getloadavg()) + " (1, 5, 15 minutes)"


def versions(benched: tuple[Tool, ...], peers: Peers, server: Server) -> dict[str, str]:
    found = {tool.name: _version([*tool.program, tool.version], tool.environment) for tool in benched}
    found["lobsterdv commit"] = _version(["git", "-C", str(tools.ROOT), "describe", "--always", "--dirty"], {})
    program = {"seaweedfs": peers.weed, "rclone": peers.rclone}[server.kind]
    return {**found, server.kind: _version([program, "version"], {}), "python": platform.python_version()}


def _version(argv: list[str], environment: dict[str, str]) -> str:
    """The first line the program prints, or `?`."""
    own = {**os.environ, **environment}
    with tempfile.TemporaryDirectory() as elsewhere:
        done = subprocess.run(argv, cwd=elsewhere, env=own, capture_output=True, text=True, check=False)
    lines = done.stdout.strip().splitlines()
    return lines[0] if done.returncode == 0 and lines else "?"


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _file_system(path: Path) -> str:
    """The type of the file system that holds `path`: of the longest mount point above it."""
    mounts = Path("/proc/self/mounts")
    if not mounts.exists():
        return "?"
    resolved = path.resolve()
    best, kind = -1, "?"
    for line in mounts.read_text().splitlines():
        _, point, found = line.split()[:3]
        if resolved.is_relative_to(point) and len(point) > best:
            best, kind = len(point), found
    return kind
