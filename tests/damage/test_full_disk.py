"""A disk that is full or may not be written: one line says so, nothing is lost, and with room it works.

``blind`` is a file system that does not tell how much is left, or is filled by others meanwhile: the disk is full in
the middle of the work. Where it tells, the work is refused before it begins (``tests/ops/test_room.py``).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from tests.damage.killing import Nursery, Said
from tests.damage.oracle import check_cache, check_remote, load, restore_from_cache
from tests.ops.lab import Lab
from tests.properties.trees import picture

NOBODY = 65534

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk and becoming another user need root")


@contextmanager
def small_disk(place: Path, kib: int) -> Iterator[Path]:
    """A file system of so many KiB."""
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def make_room(place: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=64m", str(place)], check=True)


def complains(said: Said, *, code: int, error: str, about: str) -> None:
    """One line, the right exit code and type, no traceback."""
    assert said.code == code, said
    assert set(said.errors) == {error}, said
    assert about in said.out, said
    assert "Traceback" not in said.err + said.out


def write_data(lab: Lab) -> None:
    """About 3 MB: small files, a middling one in a directory, one file alone."""
    random = Random(7)
    for number in range(40):
        lab.write(f"d/s{number}", random.randbytes(30_000))
    lab.write("d/middling", random.randbytes(700_000))
    lab.write("f.bin", random.randbytes(1_100_000))


@pytest.mark.parametrize("kib", [64, 700, 1500, 2600])
def test_no_room_in_the_cache_to_add(lab: Lab, nursery: Nursery, tmp_path: Path, kib: int) -> None:
    write_data(lab)
    before = picture(lab.root / "d"), picture(lab.root / "f.bin")
    with small_disk(tmp_path / "disk", kib) as disk:
        env = {**lab.env, "LOBSTERDV_CACHE_DIR": str(disk / "cache")}
        said = nursery.command(["add", "d", "f.bin"], lab.root, env, blind=True)
        complains(said, code=1, error="LocalIOError", about="disk is full")
        assert f"{disk}/cache/" in said.out, "it does not say where"
        assert (picture(lab.root / "d"), picture(lab.root / "f.bin")) == before
        check_cache(disk / "cache")
        assert not list((disk / "cache/tmp").glob("*")), "temps are left, and the disk stays full"
        for name in ("d", "f.bin"):
            if lab.path(f"{name}.ldv.yaml").exists():
                restore_from_cache(disk / "cache", lab.read(f"{name}.ldv.yaml"))
        make_room(disk)
        assert nursery.command(["add", "d", "f.bin"], lab.root, env).code == 0
        for name, tree in zip(("d", "f.bin"), before, strict=True):
            assert restore_from_cache(disk / "cache", lab.read(f"{name}.ldv.yaml")) == tree


@pytest.mark.parametrize("kib", [64, 700, 1500, 2600])
def test_no_room_in_the_cache_to_fetch(lab: Lab, nursery: Nursery, tmp_path: Path, kib: int) -> None:
    write_data(lab)
    trees = picture(lab.root / "d"), picture(lab.root / "f.bin")
    lab.add("d", "f.bin")
    lab.push()
    with small_disk(tmp_path / "disk", kib) as disk:
        env = {**lab.env, "LOBSTERDV_CACHE_DIR": str(disk / "cache")}
        said = nursery.command(["fetch"], lab.root, env, blind=True)
        complains(said, code=1, error="LocalIOError", about="disk is full")
        check_cache(disk / "cache")
        assert not list((disk / "cache/tmp").glob("*")), "temps are left, and the disk stays full"
        make_room(disk)
        assert nursery.command(["fetch"], lab.root, env).code == 0
        for name, tree in zip(("d", "f.bin"), trees, strict=True):
            assert restore_from_cache(disk / "cache", lab.read(f"{name}.ldv.yaml")) == tree


@pytest.mark.parametrize("kib", [1000, 1800, 2110, 2300, 2500, 2700])
def test_no_room_in_the_work_tree(nursery: Nursery, tmp_path: Path, kib: int) -> None:
    """A file that was cut off where the disk ended was called right; the old version must stay, whole."""
    with small_disk(tmp_path / "disk", 64 << 10) as disk:
        lab = Lab.create(disk / "lab", home=tmp_path / "home")
        lab.reopen(LOBSTERDV_CACHE_DIR=str(tmp_path / "cache"))
        lab.version("d", {"s1": "old", "gone": "old too"}, "one", tag="v1")
        lab.write("f.bin", "old")
        lab.add("f.bin")
        lab.commit()
        old = picture(lab.root / "d"), picture(lab.root / "f.bin")
        write_data(lab)
        new = picture(lab.root / "d"), picture(lab.root / "f.bin")
        lab.add("d", "f.bin")
        lab.commit(tag="v2")
        lab.checkout("d", "f.bin", rev="HEAD~1")
        lab.close()
        subprocess.run(["mount", "-o", f"remount,size={kib}k", str(disk)], check=True)
        said = nursery.command(["checkout", "d", "f.bin", "--rev", "v2"], lab.root, lab.env, blind=True)
        complains(said, code=1, error="LocalIOError", about="disk is full")
        for name, before, after in zip(("d", "f.bin"), old, new, strict=True):
            assert picture(lab.root / name) in (before, after), f"{name} is neither old nor new"
        assert not list(lab.root.rglob(".lobsterdv-stage-*"))
        make_room(disk)
        assert nursery.command(["checkout", "d", "f.bin", "--rev", "v2"], lab.root, lab.env).code == 0
        assert (picture(lab.root / "d"), picture(lab.root / "f.bin")) == new


def test_a_file_that_does_not_fit_is_not_cut_off(lab: Lab, nursery: Nursery) -> None:
    """A nearly full disk takes a part of the last small file: it was delivered as it was, and called right."""
    lab.version("data/d", {"only": Random(1).randbytes(200_000)}, "one")
    shutil.rmtree(lab.path("data/d"))
    with small_disk(lab.path("data"), 64) as disk:
        lab.git("checkout", "-q", ".")
        said = nursery.command(["checkout"], lab.root, lab.env, blind=True)
        complains(said, code=1, error="LocalIOError", about="disk is full")
        assert not lab.path("data/d").exists() and not list(disk.glob(".lobsterdv*"))


def test_a_view_that_does_not_fit_is_not_cut_off(lab: Lab, nursery: Nursery, tmp_path: Path) -> None:
    """What ``path`` and ``load`` hand out: a part of the file was taken for all of it, now and every time after."""
    data = Random(1).randbytes(200_000)
    lab.version("d", {"only": data}, "one")
    views = lab.project.cache.views
    views.mkdir(exist_ok=True)
    with small_disk(views, 64) as disk:
        said = nursery.command(["path", "d"], lab.root, lab.env, blind=True)
        complains(said, code=1, error="LocalIOError", about="disk is full")
        assert not [path for path in disk.rglob("*") if path.is_file() and path.stat().st_size]
        make_room(disk)
        assert nursery.command(["path", "d"], lab.root, lab.env).code == 0
        assert [path.read_bytes() for path in disk.rglob("only")] == [data]


def test_no_room_at_a_directory_remote(lab: Lab, nursery: Nursery, tmp_path: Path) -> None:
    write_data(lab)
    lab.add("d", "f.bin")
    with small_disk(tmp_path / "disk", 1400) as disk:
        lab.write(
            ".lobsterdv.yaml", lab.read(".lobsterdv.yaml").decode() + f'remote: r\nremotes:\n  r:\n    url: "{disk}"\n'
        )
        said = nursery.command(["push"], lab.root, lab.env)
        complains(said, code=4, error="Unreachable", about="disk is full")
        check_remote(load(disk))
        assert not list(disk.rglob(".tmp-*"))
        make_room(disk)
        assert nursery.command(["push"], lab.root, lab.env).code == 0
        check_remote(load(disk), {name: lab.read(f"{name}.ldv.yaml") for name in ("d", "f.bin")})


@pytest.fixture
def public() -> Iterator[Lab]:
    """A project where everybody may read and nobody but root may write; v1 and v2 are in its cache and remote."""
    folder = Path(tempfile.mkdtemp(prefix="lobsterdv-public-"))
    folder.chmod(0o755)
    (folder / "remote").mkdir()
    lab = Lab.create(folder / "lab", home=folder / "home")
    lab.write(
        ".lobsterdv.yaml",
        lab.read(".lobsterdv.yaml").decode() + f'remote: r\nremotes:\n  r:\n    url: "{folder}/remote"\n',
    )
    lab.git("commit", "-qam", "remote")
    lab.reopen(GIT_CONFIG_COUNT="1", GIT_CONFIG_KEY_0="safe.directory", GIT_CONFIG_VALUE_0="*")
    lab.version("d", {"x": "one"}, "one", tag="v1")
    lab.version("d", {"x": "two"}, "two", tag="v2")
    lab.push()
    lab.close()
    yield lab
    shutil.rmtree(folder)


def test_a_project_that_may_only_be_read(public: Lab, nursery: Nursery) -> None:
    before = picture(public.root)
    said = nursery.command(["status"], public.root, public.env, uid=NOBODY)
    assert said.code == 0 and '"clean"' in said.out, said
    for command in (
        ["checkout", "--rev", "v1"],
        ["pull", "--rev", "v1"],
        ["remove", "d"],
        ["unprotect", "d"],
        ["add", "d"],
    ):
        said = nursery.command(command, public.root, public.env, uid=NOBODY)
        assert "Traceback" not in said.err and "InternalError" not in said.out, said
        assert said.seconds < 5, "it waited for git's index, which nobody holds"
        if command[0] != "add" and command[0] != "unprotect":
            assert said.code == 1 and set(said.errors) == {"LocalIOError"}, said
    public.path("d").chmod(0o777)
    public.path("d/x").chmod(0o666)
    public.write("d/x", "changed by nobody")
    complains(
        nursery.command(["add", "d"], public.root, public.env, uid=NOBODY),
        code=1,
        error="LocalIOError",
        about="permission",
    )
    public.write("d/x", "two")
    assert {p: n for p, n in (picture(public.root) or {}).items() if not p.startswith("d/")} == {
        p: n for p, n in (before or {}).items() if not p.startswith("d/")
    }


def test_a_cache_and_a_remote_that_may_only_be_read(public: Lab, nursery: Nursery) -> None:
    """A shared, read-only cache serves; pushing to a read-only remote is refused, pulling from it works."""
    folder = public.root.parent
    mine = folder / "mine"
    subprocess.run(["git", "clone", "-q", str(public.root), str(mine)], env=public.env, check=True)
    subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", str(mine)], check=True)
    env = {**public.env, "LOBSTERDV_CACHE_DIR": str(public.root / ".git/lobsterdv/cache")}
    said = nursery.command(["checkout"], mine, env, uid=NOBODY)
    assert said.code == 0, said
    assert picture(mine / "d") == {"x": ("file", b"two")}
    (mine / "d/x").write_text("three")
    complains(nursery.command(["add", "d"], mine, env, uid=NOBODY), code=1, error="LocalIOError", about="permission")
    assert (mine / "d/x").read_text() == "three"
    said = nursery.command(["pull", "--force"], mine, public.env, uid=NOBODY)
    assert said.code == 0, said
    (mine / "d/x").write_text("four")
    assert nursery.command(["add", "d"], mine, public.env, uid=NOBODY).code == 0
    complains(nursery.command(["push"], mine, public.env, uid=NOBODY), code=4, error="Denied", about="remote")
    check_remote(load(folder / "remote"))
