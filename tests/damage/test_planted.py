"""A repository brings links and pipes where small documents belong: none is read through, none stops a command."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lobsterdv.documents import LINES_BYTES, read_document
from lobsterdv.errors import FormatError, LobsterError, Refused
from lobsterdv.events import silent
from lobsterdv.ops.doctor import _attributes
from lobsterdv.ops.gc import gc
from lobsterdv.ops.gitfiles import add_attributes, ignore_dataset, unignore_dataset
from lobsterdv.ops.init import init
from lobsterdv.ops.status import status
from lobsterdv.project import CONFIG_NAME, open_project
from lobsterdv.worktree.ignore import Ignore
from tests.ops.lab import Lab

SECRET = "aws_secret_access_key = hunter2"
Plant = Callable[[Path], object]


def link_to_a_secret(path: Path) -> None:
    """What a contributor commits: it leads to the keys of whoever checks it out."""
    keys = path.parent / "keys"
    keys.write_text(SECRET)
    path.symlink_to("keys")


def link_to_a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def folder(path: Path) -> None:
    path.mkdir()


PLANTS: list[Plant] = [link_to_a_secret, link_to_a_device, os.mkfifo, folder]
planted = pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    root = tmp_path_factory.mktemp("planted")
    lab = Lab.create(root / "lab", home=root / "home")
    lab.write("kept.csv", "kept")
    lab.add("kept.csv")
    lab.commit()
    yield lab
    lab.close()


def refuses(lab: Lab, name: str, plant: Plant, act: Callable[[], object]) -> None:
    """With this in the place of ``name``, the act is refused, says why, and writes nothing of the secret."""
    path = lab.path(name)
    aside = path.with_name(path.name + ".aside")
    if path.exists():
        path.rename(aside)
    plant(path)
    try:
        with pytest.raises(Refused) as caught:
            act()
        assert (caught.value.path, caught.value.code) == (name, "document")
        assert not path.is_file() or path.is_symlink(), "something else was written there"
    finally:
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        if aside.exists():
            aside.rename(path)
    assert SECRET not in lab.git("diff", "--cached")


@planted
def test_gitignore(plant: Plant, shared: Lab) -> None:
    refuses(shared, ".gitignore", plant, lambda: ignore_dataset(shared.root, "new.csv"))
    refuses(shared, ".gitignore", plant, lambda: unignore_dataset(shared.root, "kept.csv"))


def test_keys_do_not_get_into_the_repository(shared: Lab) -> None:
    """All of it, as a user meets it: the next add wrote the keys into .gitignore and staged them."""
    shared.write("new.csv", "new")
    refuses(shared, ".gitignore", link_to_a_secret, lambda: shared.add("new.csv"))
    shared.add("new.csv")


@planted
def test_gitattributes(plant: Plant, shared: Lab) -> None:
    refuses(shared, ".gitattributes", plant, lambda: add_attributes(shared.root))

    def ask_the_doctor() -> None:
        finding = next(iter(_attributes(shared.project)))
        assert finding.state == "failed"
        raise Refused(".gitattributes", finding.detail, "document")

    refuses(shared, ".gitattributes", plant, ask_the_doctor)


@planted
def test_lobsterdvignore(plant: Plant, shared: Lab) -> None:
    shared.path("sub").mkdir(exist_ok=True)
    refuses(shared, ".lobsterdvignore", plant, lambda: Ignore.above(shared.root, "kept.csv"))
    refuses(shared, "sub/.lobsterdvignore", plant, lambda: Ignore.above(shared.root, "sub/x"))

    def look() -> None:
        raise next(failure.error for failure in shared.status().failures)

    refuses(shared, ".lobsterdvignore", plant, look)


@planted
def test_configuration(plant: Plant, shared: Lab) -> None:
    refuses(shared, CONFIG_NAME, plant, lambda: open_project(shared.root, environment=shared.env))
    refuses(
        shared,
        CONFIG_NAME,
        plant,
        lambda: init(shared.project.git, CONFIG_NAME, project_id="0" * 32, observer=silent),
    )


def test_a_users_own_configuration_may_be_a_link(shared: Lab, tmp_path: Path) -> None:
    """People keep their dotfiles in one folder."""
    home = tmp_path / "config/lobsterdv"
    home.mkdir(parents=True)
    (tmp_path / "dotfile").write_text("lobsterdv: 1\njobs: 3\n")
    (home / "config.yaml").symlink_to(tmp_path / "dotfile")
    project = open_project(shared.root, environment={**shared.env, "XDG_CONFIG_HOME": str(tmp_path / "config")})
    assert project.config.number("jobs") == 3
    project.close()


@planted
def test_a_pointer(plant: Plant, shared: Lab) -> None:
    """One that is known to git, and one that is new: the others are still there."""

    def look() -> None:
        report = status(shared.project, observer=silent)
        assert [dataset.path for dataset in report.datasets if dataset.path == "other.csv"], "the others count"
        raise next(failure.error for failure in report.failures if failure.path == "kept.csv")

    shared.write("other.csv", "other")
    shared.add("other.csv")
    refuses(shared, "kept.csv.ldv.yaml", plant, look)
    if plant is not folder:
        refuses(shared, "kept.csv.ldv.yaml", plant, lambda: gc(shared.project, observer=silent))


def test_endless_patterns_are_refused(tmp_path: Path) -> None:
    """A limit that nobody meets, and that keeps memory in bounds."""
    path = tmp_path / ".lobsterdvignore"
    path.write_bytes(b"#" * LINES_BYTES)
    assert len(read_document(path, LINES_BYTES, name="it")) == LINES_BYTES
    path.write_bytes(b"#" * (LINES_BYTES + 1))
    with pytest.raises(FormatError, match="it: it is larger than 1048576 bytes"):
        read_document(path, LINES_BYTES, name="it")
    with pytest.raises(LobsterError):
        Ignore.above(tmp_path, "data.csv")
