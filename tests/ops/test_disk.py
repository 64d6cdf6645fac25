"""A full disk and folders that may not be written: one error that names the place, and nothing lost."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lobsterdv.errors import LobsterError, LocalIOError
from tests.ops.lab import Lab
from tests.ops.watching import temps_below, tree

ROOT = os.geteuid() == 0 and sys.platform == "linux"
MEGABYTE = b"\xa5" * (1 << 20)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """6 MB, its own file system."""
    if not ROOT:
        pytest.skip("only root may mount")
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "none", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def blind(lab: Lab) -> Lab:
    """Its file systems do not tell how much room is left, so that the disk is full in the middle of the work."""
    lab.project.free_bytes = lambda folder: None
    return lab


def fill(disk: Path, *, leave: int) -> Path:
    """Leave so many bytes free."""
    ballast = disk / "ballast"
    free = shutil.disk_usage(disk).free
    ballast.write_bytes(b"\0" * max(0, free - leave))
    return ballast


def the_error(act: Callable[[], object]) -> LobsterError:
    """The error of a verb, raised or reported; anything else would be a traceback."""
    try:
        report = act()
    except LobsterError as error:
        return error
    (failure, *_) = report.failures  # type: ignore[attr-defined]
    return failure.error  # type: ignore[no-any-return]


@pytest.mark.parametrize("leave", [0, 4096, 64 << 10, 900 << 10])
@pytest.mark.parametrize("shape", ["file", "directory"])
def test_add_with_a_full_cache_disk(lab: Lab, small_disk: Path, shape: str, leave: int) -> None:
    lab.reopen(LOBSTERDV_CACHE_DIR=str(small_disk / "cache"))
    if shape == "file":
        lab.write("data", os.urandom(2 << 20))
    else:
        for number in range(20):
            lab.write(f"data/{number}", bytes([number]) * 100_000)
    before = tree(lab.path("data"))
    ballast = fill(small_disk, leave=leave)
    error = the_error(lambda: blind(lab).try_add("data"))
    assert isinstance(error, LocalIOError)
    assert str(small_disk) in error.path
    assert "the disk is full" in str(error)
    assert tree(lab.path("data")) == before
    assert not lab.path("data.ldv.yaml").exists()
    ballast.unlink()
    lab.reopen()
    lab.add("data")
    assert temps_below(small_disk) == []
    assert lab.state("data").missing_files == 0


@pytest.mark.parametrize("shape", ["file", "directory"])
def test_checkout_onto_a_full_disk(small_disk: Path, tmp_path: Path, shape: str) -> None:
    """The old version stays, whole, until the new one is."""
    lab = Lab.create(small_disk / "lab", home=tmp_path / "home")
    lab.reopen(LOBSTERDV_CACHE_DIR=str(tmp_path / "cache"))
    name = "data" if shape == "file" else "data/inside"
    lab.write(name, MEGABYTE)
    lab.add("data")
    lab.commit(tag="v1")
    lab.write(name, MEGABYTE * 2)
    lab.add("data")
    lab.commit(tag="v2")
    lab.checkout(rev="v1")
    before, pointer = tree(lab.path("data")), lab.path("data.ldv.yaml").read_bytes()
    ballast = fill(small_disk, leave=1 << 20)
    error = the_error(lambda: blind(lab).try_checkout(rev="v2"))
    assert isinstance(error, LocalIOError)
    assert error.path.startswith(str(lab.path("data")))
    assert tree(lab.path("data")) == before
    assert lab.path("data.ldv.yaml").read_bytes() == pointer
    assert temps_below(lab.root) == []
    ballast.unlink()
    lab.checkout(rev="v2")
    assert lab.read(name) == MEGABYTE * 2
    lab.close()


def test_fetch_into_a_full_cache(lab: Lab, small_disk: Path) -> None:
    for number in range(3):
        lab.write(f"d{number}", bytes([number + 1]) * (9 << 18))
        lab.add(f"d{number}")
    lab.push()
    for number in range(3):
        lab.path(f"d{number}").unlink()
    lab.lose_cache()
    lab.reopen(LOBSTERDV_CACHE_DIR=str(small_disk / "cache"))
    error = the_error(lambda: blind(lab).try_pull())
    assert isinstance(error, LocalIOError)
    assert "the disk is full" in str(error)
    assert temps_below(small_disk) == []


def test_a_hole_in_a_full_memory_file_system(lab: Lab, small_disk: Path) -> None:
    """Mapping a page of a hole there needs a page that is not to be had, and kills the process; reading does not."""
    lab.write("zeros", bytes(2 << 20))
    lab.add("zeros")
    lab.push()
    lab.path("zeros").unlink()
    lab.lose_cache()
    lab.reopen(LOBSTERDV_CACHE_DIR=str(small_disk / "cache"))
    fill(small_disk, leave=400 << 10)
    blind(lab).try_pull()
    assert lab.read("zeros") == bytes(2 << 20)


def test_push_to_a_full_disk(lab: Lab, small_disk: Path) -> None:
    (small_disk / "shelf").mkdir()
    lab.configure(remote="shelf", remotes={"shelf": {"url": str(small_disk / "shelf")}})
    lab.write("data", os.urandom(2 << 20))
    lab.add("data")
    ballast = fill(small_disk, leave=1 << 20)
    error = the_error(lambda: lab.try_push())
    assert "the disk is full" in str(error)
    ballast.unlink()
    lab.push()
    assert temps_below(small_disk) == []


READ_ONLY = """
import os, sys
from pathlib import Path
from lobsterdv.errors import LobsterError
from lobsterdv.events import silent
from lobsterdv.ops.checkout import checkout
from lobsterdv.project import open_project
import encodings.idna, ctypes, subprocess  # after the next line python's own folder may be closed to us
os.setgroups([]); os.setgid(65534); os.setuid(65534)
project = open_project(Path(sys.argv[1]))
try:
    report = checkout(project, [], rev="v1", observer=silent)
    errors = [f.error for f in report.failures]
except LobsterError as error:
    errors = [error]
print(*[f"{type(e).__name__}: {e}" for e in errors], sep="\\n")
"""


@pytest.mark.skipif(not ROOT, reason="only root can become somebody else")
@pytest.mark.parametrize("shape", ["file", "directory"])
def test_a_folder_that_may_not_be_written(shape: str) -> None:
    """A colleague's directory on a shared server: said in one line, nothing half done."""
    base = Path(f"/var/tmp/lobsterdv-test-{os.getpid()}-{shape}")  # nobody may not enter pytest's folders
    base.mkdir(mode=0o755)
    try:
        lab = Lab.create(base / "lab", home=base / "home")
        name = "data" if shape == "file" else "data/inside"
        lab.write(name, "old")
        lab.add("data")
        lab.commit(tag="v1")
        lab.write(name, "new")
        lab.add("data")
        lab.commit()
        lab.close()
        before = tree(lab.root)
        env = {**lab.env, "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
        done = subprocess.run(
            [sys.executable, "-c", READ_ONLY, str(lab.root)],
            env={**env, "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.stdout.startswith("LocalIOError: "), done.stderr
        assert "permission denied" in done.stdout
        assert "Traceback" not in done.stderr
        assert {k: v for k, v in tree(lab.root).items() if "index.db" not in k} == {
            k: v for k, v in before.items() if "index.db" not in k
        }
    finally:
        shutil.rmtree(base)
