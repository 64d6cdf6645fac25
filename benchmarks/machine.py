"""The machine and the versions a run was made with. No names of hosts, users or folders."""

import os
import platform
import subprocess
import tempfile
from pathlib import Path

import tools
from peers import Peers, Server
from tools import Tool

from lobsterdv.machine import cores, file_system, memory_bytes, processor, system


def facts(work: Path, server: Server) -> dict[str, str]:
    """Cores this process may use, processor, memory, and the file systems under the work and the server's data."""
    return {
        "cores": str(cores()),
        "processor": processor(),
        "memory": f"{memory_bytes() / (1 << 30):.0f} GiB",
        "system": system(),
        "file system": file_system(work),
        "server": server.kind,
        "file system of the server's data": file_system(server.data),
    }


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
