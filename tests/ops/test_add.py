"""add keeps exactly what was there: any name, any shape, every bit that a checkout must give back."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from lobsterdv.digest import digest_of
from lobsterdv.errors import UnsafePath
from tests.ops.lab import Lab, error_of
from tests.ops.watching import tree

ODD_NAMES = [
    "with space.txt",
    "trailing dot.",
    " leading space",
    "-rf",
    "--force",
    "ünïcödé.csv",
    "数据.h5",
    "🦞.bin",
    'it\'s "quoted" `here` $HOME',
    "chr1:10-20;c&d|e",
    "[glob]*?",
    "#hash !bang",
    "%2e%2e",
    "~tilde",
    "~$lock.xlsx",
    "CON",
    "nul.txt",
    "x" * 255,
    "é" * 127,
    ".hidden",
]


def restored(lab: Lab, name: str) -> dict[str, object]:
    """What a checkout gives back where the data and the index are gone."""
    place = lab.path(name)
    shutil.rmtree(place) if place.is_dir() and not place.is_symlink() else place.unlink()
    lab.checkout(name)
    return dict(tree(place))


def test_a_file_comes_back_byte_by_byte(lab: Lab) -> None:
    data = os.urandom(300_000)
    lab.write("data/counts.bin", data)
    report = lab.add("data/counts.bin")
    assert [(row.path, row.outcome, row.size) for row in report.added] == [("data/counts.bin", "added", 300_000)]
    assert report.added[0].digest == digest_of(data)
    assert restored(lab, "data/counts.bin") == {"": ("file", data)}


def test_a_directory_comes_back_with_all_its_shapes(lab: Lab) -> None:
    lab.write("run/deep/er/values.csv", "a,b\n1,2\n")
    lab.write("run/empty.txt", b"")
    lab.write("run/tool.sh", "#!/bin/sh\n", mode=0o755)
    lab.write("run/large.bin", os.urandom(700_000))
    lab.write("run/large-tool", os.urandom(400_000), mode=0o755)
    lab.path("run/hollow/inside").mkdir(parents=True)
    lab.path("run/latest").symlink_to("deep/er/values.csv")
    lab.path("run/deep/up").symlink_to("../tool.sh")
    lab.path("run/folder").symlink_to("deep")
    lab.path("run/dangling").symlink_to("nowhere")
    before = tree(lab.path("run"))
    assert lab.add("run").added[0].files == 5
    assert restored(lab, "run") == before


@pytest.mark.parametrize("name", ODD_NAMES, ids=[name[:12] for name in ODD_NAMES])
def test_odd_names_inside_a_directory(lab: Lab, name: str) -> None:
    lab.write(f"odd/{name}", "1")
    lab.write(f"odd/sub/{name}", "2")
    before = tree(lab.path("odd"))
    lab.add("odd")
    assert restored(lab, "odd") == before


@pytest.mark.parametrize("name", [n for n in ODD_NAMES if len(n.encode()) < 240], ids=lambda n: n[:12])
def test_odd_names_of_datasets_are_ignored_by_git_and_their_pointers_staged(lab: Lab, name: str) -> None:
    """Else git would take in the data itself, or the pointer would not reach anyone."""
    lab.write(f"in/{name}", "data")
    lab.add(f"in/{name}")
    assert lab.staged() == sorted(["in/.gitignore", f"in/{name}.ldv.yaml"])
    assert lab.git("status", "--porcelain", "--untracked-files=all", "-z").count("??") == 0
    assert restored(lab, f"in/{name}") == {"": ("file", b"data")}


def test_a_dataset_with_a_name_too_long_for_its_pointer_is_refused(lab: Lab) -> None:
    """The name fits, name and ``.ldv.yaml`` do not; a raw OSError would be a crash."""
    lab.write("in/" + "x" * 250, "data")
    report = lab.try_add("in/" + "x" * 250)
    assert isinstance(error_of(report), UnsafePath)


def test_the_executable_bit_of_a_file_dataset(lab: Lab) -> None:
    lab.write("tool", "#!/bin/sh\n", mode=0o755)
    lab.add("tool")
    assert lab.pointer("tool").executable
    assert restored(lab, "tool") == {"": ("executable", b"#!/bin/sh\n")}
    lab.path("tool").chmod(0o644)
    assert lab.state("tool").work == "modified"
    assert lab.add("tool").added[0].outcome == "changed"
    assert not lab.pointer("tool").executable


def test_an_empty_directory_and_an_empty_file(lab: Lab) -> None:
    lab.path("hollow").mkdir()
    lab.write("nothing", b"")
    lab.add("hollow", "nothing")
    assert restored(lab, "hollow") == {}
    assert restored(lab, "nothing") == {"": ("file", b"")}


def test_a_sparse_file_keeps_its_bytes(lab: Lab) -> None:
    path = lab.path("sparse")
    with path.open("wb") as file:
        file.seek(3 << 20)
        file.write(b"end")
    data = path.read_bytes()
    lab.add("sparse")
    assert restored(lab, "sparse") == {"": ("file", data)}


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside", "sub/../../outside"])
def test_links_that_lead_out_are_refused(lab: Lab, target: str) -> None:
    """A checkout elsewhere would read, or let others write, files that are none of the dataset's."""
    lab.write("run/sub/a", "1")
    lab.path("run/link").symlink_to(target)
    assert isinstance(error_of(lab.try_add("run")), UnsafePath)
    assert not lab.path("run.ldv.yaml").exists()


@pytest.mark.parametrize("name", [b"line\nbreak", b"c:drive", b"\xff\xfe", b"back\\slash", b"esc\x1b[31m"])
def test_names_that_could_not_come_back_everywhere_are_refused(lab: Lab, name: bytes) -> None:
    folder = lab.path("run")
    folder.mkdir()
    Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(b"1")
    report = lab.try_add("run")
    assert isinstance(error_of(report), UnsafePath)
    assert "\x1b" not in str(error_of(report))


def test_names_that_fold_into_one_elsewhere_are_warned_of(lab: Lab) -> None:
    lab.write("run/Gene.csv", "1")
    lab.write("run/gene.csv", "2")
    lab.add("run")
    assert any("gene.csv" in warning and "macOS" in warning for warning in lab.warnings)


def test_ten_thousand_small_files(lab: Lab) -> None:
    """Many files become few: one pack and its index, not 10,000 inodes; unchanged ones are not opened again."""
    for folder in range(100):
        lab.path(f"many/{folder:02}").mkdir(parents=True)
        for number in range(100):
            lab.path(f"many/{folder:02}/{number:02}").write_bytes(b"%d" % (folder * 100 + number))
    report = lab.add("many")
    assert (report.added[0].files, report.added[0].read_files) == (10_000, 10_000)
    assert len(os.listdir(lab.project.cache.folder / "packs")) == 2
    before = tree(lab.path("many"))
    assert restored(lab, "many") == before
