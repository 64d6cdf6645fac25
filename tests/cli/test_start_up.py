"""Who loses patience with slow tools uses none: the cost of starting is counted in what is imported."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

HEAVY = {
    "anndata", "blake3", "boto3", "botocore", "h5py", "numpy", "pandas", "pathspec", "rich", "scipy", "sqlite3",
    "sqlite_utils", "subprocess", "xxhash", "yaml", "zarr", "zstandard",
}  # fmt: skip
PRINT_MODULES = "; print('\\n'.join(sys.modules), file=sys.stderr)"


def imported(code: str, **environment: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", code + PRINT_MODULES],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment},
    )
    return {name.partition(".")[0] for name in done.stderr.split()} | set(done.stderr.split())


def at_start() -> set[str]:
    """What python and the environment import by themselves."""
    return imported("import sys")


@pytest.mark.parametrize(
    "args",
    [["--version"], ["--help"], [], ["add", "--help"], ["push", "--help"], ["remote", "--help"], ["path", "-h"]],
    ids=" ".join,
)
def test_help_and_version_import_click_and_little_else(args: list[str]) -> None:
    modules = imported(f"import sys; from lobsterdv.cli.main import run; run({args!r})") - at_start()
    assert not modules & HEAVY
    ours = {name for name in modules if name.startswith("lobsterdv.") and not name.startswith("lobsterdv.cli")}
    assert {name for name in ours if not name.startswith("lobsterdv.errors.")} <= {
        "lobsterdv.errors",
        "lobsterdv.units",
    }


def test_command_names_complete_without_loading_the_commands() -> None:
    code = "import sys; from lobsterdv.cli.main import run; run([])"
    modules = imported(code, _LOBSTERDV_COMPLETE="bash_complete", COMP_WORDS="lobsterdv pu", COMP_CWORD="1")
    assert not modules & {"lobsterdv.cli.share", "lobsterdv.errors", "yaml"}


def test_importing_the_package_imports_nothing() -> None:
    modules = imported("import sys, lobsterdv") - at_start()
    assert not modules & (HEAVY | {"click"})
    assert {name for name in modules if name.startswith("lobsterdv.")} == set()


def test_status_never_loads_the_network_or_sqlite_utils() -> None:
    modules = imported("import sys; import lobsterdv.cli.daily, lobsterdv.ops.status, lobsterdv.project")
    assert not modules & {"boto3", "sqlite_utils", "anndata", "pandas", "rich"}
