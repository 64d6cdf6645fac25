"""Where the frozen samples lie, and a copy of the frozen project that a test may use up."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from lobsterdv.ops.context import Project
from lobsterdv.project import open_project

FORMAT_1 = Path(__file__).parent / "format-1"
PROJECT_ID = "0123456789abcdef0123456789abcdef"
STORE_ID = "fedcba9876543210fedcba9876543210"


def frozen(folder: str) -> list[Path]:
    """Every file of a folder of samples."""
    return sorted(path for path in (FORMAT_1 / folder).rglob("*") if path.is_file())


def expected() -> dict[str, dict[str, dict[str, Any]]]:
    """Tag to dataset to path to facts."""
    found: dict[str, dict[str, dict[str, Any]]] = json.loads((FORMAT_1 / "expected.json").read_bytes())
    return found


def open_frozen(folder: Path, tag: str) -> Project:
    """The frozen project cloned at ``tag``, with its remote beside it; the cache is empty."""
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin",
        "HOME": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1",
    }
    shutil.copytree(FORMAT_1 / "remote", folder / "remote")
    subprocess.run(
        ["git", "clone", "--quiet", "--branch", tag, str(FORMAT_1 / "project.bundle"), str(folder / "project")],
        env=environment,
        check=True,
        capture_output=True,
    )
    return open_project(folder / "project", environment=environment)
