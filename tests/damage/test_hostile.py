"""Hostile remotes: whatever is planted, nothing is written outside, nothing bursts, and one line says why."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.damage.hostile import EVIL, Planted, bomb, directory, documents, entry, listings
from tests.damage.killing import Nursery
from tests.ops.lab import Lab
from tests.properties.trees import picture

LIMIT_MIB = 4096
"""Address space; threads reserve much more of it than they use."""
REFUSALS = {
    "CorruptContent",
    "FormatError",
    "UnsafePath",
    "UnknownFormat",
    "UnknownFeature",
    "MissingContent",
    "NoSpace",
}
DOCUMENTS, LISTINGS = documents(), listings()
COMMANDS = [["pull", "d/a"], ["list", "d"], ["path", "d"], ["status"]]
forms = pytest.mark.parametrize("whole", [False, pytest.param(True, marks=pytest.mark.faults)])


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A project with a canary on every side."""
    folder = tmp_path_factory.mktemp("box")
    (folder / "remote").mkdir()
    lab = Lab.create(folder / "victim", home=folder / "home")
    config = lab.read(".lobsterdv.yaml").decode()
    lab.write(".lobsterdv.yaml", f'{config}remote: r\nremotes:\n  r:\n    url: "{folder / "remote"}"\n')
    for canary in ("canary", "victim/canary", "home/.ssh/authorized_keys", "victim/other/kept"):
        (folder / canary).parent.mkdir(parents=True, exist_ok=True)
        (folder / canary).write_text("sing")
    lab.close()
    yield lab


def outside(lab: Lab) -> dict[str, str]:
    """A digest of everything but the dataset, its pointer, the remote and lobsterdv's own state."""
    box = lab.root.parent
    mine = ("victim/d/", "victim/d.ldv.yaml", "victim/.git/lobsterdv/", "remote/")
    found = {}
    for path in sorted(box.rglob("*")):
        name = path.relative_to(box).as_posix()
        if name not in ("victim/d", "victim/.git/lobsterdv") and not name.startswith(mine):
            kind = os.readlink(path) if path.is_symlink() else ""
            data = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
            found[name] = f"{path.lstat().st_mode} {kind} {hashlib.sha256(data).hexdigest()}"
    return found


def plant(lab: Lab, planted: Planted) -> None:
    remote = lab.root.parent / "remote"
    shutil.rmtree(remote)
    shutil.rmtree(lab.root / "d", ignore_errors=True)
    shutil.rmtree(lab.root / ".git/lobsterdv", ignore_errors=True)
    planted.put(remote)
    lab.write("d.ldv.yaml", planted.pointer())


def refused(lab: Lab, nursery: Nursery, planted: Planted, case: str, *, whole: bool, seconds: float = 1) -> set[str]:
    """A pull, and one of the other commands, or all of them."""
    plant(lab, planted)
    before = outside(lab)
    errors: set[str] = set()
    for command in (["pull"], *(COMMANDS if whole else [COMMANDS[len(case) % len(COMMANDS)]])):
        said = nursery.command(command, lab.root, lab.env, limit_mib=LIMIT_MIB)
        assert "Traceback" not in said.err and "InternalError" not in said.out, said
        assert said.cpu_s < seconds, said
        assert said.peak_mib < 700, said
        if command == ["pull"]:
            assert said.code in (1, 3) and set(said.errors) <= REFUSALS, said
            assert picture(lab.root / "d") is None
            errors |= set(said.errors)
    assert outside(lab) == before
    assert not Path("/tmp/lobsterdv-escaped").exists()
    return errors


@forms
@pytest.mark.parametrize("case", list(LISTINGS))
def test_a_hostile_listing_writes_nothing(case: str, whole: bool, victim: Lab, nursery: Nursery) -> None:
    assert refused(victim, nursery, LISTINGS[case], case, whole=whole)


@forms
@pytest.mark.parametrize("case", list(DOCUMENTS))
def test_a_lying_manifest_delivers_nothing(case: str, whole: bool, victim: Lab, nursery: Nursery) -> None:
    seconds = 4 if "million" in case or "bomb" in case else 1
    errors = refused(victim, nursery, DOCUMENTS[case], case, whole=whole, seconds=seconds)
    if "unknown" in case and "codec" not in case:
        assert errors <= {"UnknownFeature", "UnknownFormat"}


def test_an_honest_one_is_delivered(victim: Lab, nursery: Nursery) -> None:
    """The same planting, without malice: what is refused above is refused for its malice."""
    plant(victim, directory([entry("a"), entry("sub/b", executable=True)]))
    assert nursery.command(["pull"], victim.root, victim.env).code == 0
    assert picture(victim.root / "d") == {"a": ("file", EVIL), "sub/b": ("exec", EVIL)}


def test_compressed_content_is_unpacked_piece_by_piece(victim: Lab, nursery: Nursery) -> None:
    """100 KB at the remote, 640 MiB of zeros here: legal, and no reason to need 640 MiB of memory."""
    planted = bomb(640 << 20)
    plant(victim, planted)
    said = nursery.command(["fetch"], victim.root, victim.env, limit_mib=LIMIT_MIB)
    assert said.code == 0, said
    assert said.peak_mib < 400, said.peak_mib
    shutil.rmtree(victim.root / ".git/lobsterdv")


def test_a_bomb_behind_a_small_pointer_is_not_unpacked(victim: Lab, nursery: Nursery) -> None:
    planted = bomb(64 << 20)
    planted.size = 12
    plant(victim, planted)
    said = nursery.command(["pull"], victim.root, victim.env)
    assert said.code == 3 and said.errors == ["CorruptContent"], said
    assert said.peak_mib < 200


def test_colliding_names_are_kept_apart_or_refused(victim: Lab, nursery: Nursery) -> None:
    """Where the file system tells them apart both come; elsewhere nothing is overwritten."""
    plant(victim, directory([entry("A"), entry("a")]))
    said = nursery.command(["pull"], victim.root, victim.env)
    if said.code:
        assert said.errors == ["Refused"] and picture(victim.root / "d") is None
    else:
        assert set(picture(victim.root / "d") or {}) == {"A", "a"}


@pytest.mark.parametrize("place", ["d", "d/sub"])
def test_a_link_in_the_way_is_not_followed(place: str, victim: Lab, nursery: Nursery) -> None:
    """A repository may bring links of its own: what is checked out never goes through them."""
    plant(victim, directory([entry("sub/x")]))
    target = victim.root.parent / "elsewhere"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    (victim.root / place).parent.mkdir(exist_ok=True)
    (victim.root / place).symlink_to(target)
    before = outside(victim)
    for command in (["pull"], ["pull", "--force"]):
        said = nursery.command(command, victim.root, victim.env)
        assert "InternalError" not in said.out, said
        assert outside(victim) == before and not any(target.iterdir()), command
    assert picture(victim.root / "d") == {"sub/x": ("file", EVIL)}
