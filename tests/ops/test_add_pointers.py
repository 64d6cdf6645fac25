"""The pointer, the .gitignore line and git's staging area after an add; .lobsterdvignore."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lobsterdv.formats.pointer import Input, encode_pointer
from lobsterdv.formats.yamlio import dump_mapping, load_mapping
from lobsterdv.paths import safe_path
from tests.anndata_.samples import small_anndata
from tests.ops.lab import Lab


def test_the_message_stays_until_the_content_changes(lab: Lab) -> None:
    lab.write("a", "1")
    lab.add("a", message="raw counts")
    assert lab.pointer("a").message == "raw counts"
    lab.add("a")
    assert lab.pointer("a").message == "raw counts"
    (row,) = lab.add("a", message="raw counts, lane 2").added
    assert (row.outcome, lab.pointer("a").message) == ("unchanged", "raw counts, lane 2")
    lab.write("a", "2")
    lab.add("a")
    assert lab.pointer("a").message is None, "what was said of the old bytes is not true of the new ones"


def test_inputs_stay_until_the_content_changes(lab: Lab) -> None:
    lab.write("raw", "1")
    lab.write("made", "2")
    lab.add("raw")
    inputs = (Input(safe_path("raw"), lab.pointer("raw").digest),)
    lab.add("made", inputs=inputs)
    lab.add("made", message="again")
    assert lab.pointer("made").inputs == inputs
    lab.write("made", "3")
    lab.add("made")
    assert lab.pointer("made").inputs == ()


def test_unknown_keys_of_a_newer_version_survive(lab: Lab) -> None:
    """A colleague's newer lobsterdv wrote a licence into the pointer; ours must hand it on."""
    lab.write("a", "1")
    lab.add("a")
    path = lab.path("a.ldv.yaml")
    mapping = {**load_mapping(path.read_bytes(), what="a"), "licence": "CC-BY-4.0", "x-lab": {"freezer": 7}}
    path.write_bytes(dump_mapping(mapping))
    lab.write("a", "2")
    lab.add("a")
    assert dict(lab.pointer("a").extra) == {"licence": "CC-BY-4.0", "x-lab": {"freezer": 7}}


def test_equal_work_gives_equal_bytes(lab: Lab, tmp_path: Path) -> None:
    """Two people who add the same data get the same pointer, so git merges it without a word."""
    other = Lab.create(tmp_path / "other", home=tmp_path / "home2")
    for one in (lab, other):
        one.write("run/b", "2")
        one.write("run/a", "1")
        one.add("run", message="same")
    other.close()
    assert lab.path("run.ldv.yaml").read_bytes() == other.path("run.ldv.yaml").read_bytes()


def test_an_unchanged_pointer_file_is_not_rewritten(lab: Lab) -> None:
    lab.write("a", "1")
    lab.add("a")
    before = lab.path("a.ldv.yaml").stat()
    lab.add("a")
    assert lab.path("a.ldv.yaml").stat().st_ino == before.st_ino


def test_everything_is_staged_or_nothing(lab: Lab) -> None:
    lab.write("sub/a", "1")
    report = lab.add("sub/a", staging=False)
    assert (report.staged, lab.staged()) == (False, [])
    lab.write("sub/b", "1")
    assert lab.add("sub/b").staged
    assert lab.staged() == ["sub/.gitignore", "sub/b.ldv.yaml"]


def test_a_pointer_that_git_ignores_is_said(lab: Lab) -> None:
    """Not staged in silence, the version would reach nobody."""
    lab.write(".gitignore", "*.yaml\n")
    lab.write("a", "1")
    lab.write("sub/b", "1")
    lab.add("a", "sub/b")
    assert any("a.ldv.yaml" in w and "git add -f" in w for w in lab.warnings)
    assert "sub/.gitignore" in lab.staged()


@pytest.mark.parametrize("content", ["build/", "build/\r\n*.log\r\n", ""])
def test_the_users_gitignore_keeps_its_lines(lab: Lab, content: str) -> None:
    lab.write(".gitignore", content)
    lab.write("a", "1")
    lab.add("a")
    lab.add("a")
    text = lab.read(".gitignore").decode()
    assert text.startswith(content)
    assert text.count("/a\n") == 1
    assert not lab.git("check-ignore", "-v", "a").startswith("::")


def test_a_real_h5ad_tells_its_shape(lab: Lab) -> None:
    adata = small_anndata()
    lab.path("data").mkdir()
    adata.write_h5ad(lab.path("data/small.h5ad"))
    lab.add("data/small.h5ad")
    pointer = lab.pointer("data/small.h5ad")
    assert pointer.kind == "anndata"
    assert pointer.summary is not None
    assert (pointer.summary["n_obs"], pointer.summary["n_vars"]) == (12, 4)
    assert b"patient-Jane-Roe" not in encode_pointer(pointer), "values never go into git"


def test_no_summary_where_it_is_switched_off(lab: Lab) -> None:
    lab.reopen(LOBSTERDV_DESCRIBE="off")
    small_anndata().write_h5ad(lab.path("small.h5ad"))
    lab.add("small.h5ad")
    assert lab.pointer("small.h5ad").summary is None


def test_a_damaged_h5ad_is_still_kept(lab: Lab) -> None:
    """A description is a courtesy; the bytes are the job."""
    lab.write("broken.h5ad", b"\x89HDF\r\n\x1a\n" + b"\0" * 500)
    (row,) = lab.add("broken.h5ad").added
    assert row.outcome == "added"


def test_lobsterdvignore_at_the_root_nested_and_negated(lab: Lab) -> None:
    lab.write(".lobsterdvignore", "*.tmp\n/run/scratch/\n")
    lab.write("run/.lobsterdvignore", "*.log\n!keep.tmp\n")
    lab.write("run/deep/.lobsterdvignore", "!important.log\n")
    for name in ("a.csv", "b.tmp", "keep.tmp", "x.log", "scratch/big", "deep/important.log", "deep/other.log"):
        lab.write(f"run/{name}", name)
    lab.add("run")
    entries = lab.project.cache.listing(lab.pointer("run").digest, name="run").entries
    assert [e.path for e in entries] == [
        ".lobsterdvignore", "a.csv", "deep/.lobsterdvignore", "deep/important.log", "keep.tmp",
    ]  # fmt: skip
    assert lab.state("run").work == "clean"
    lab.checkout("run", force=True)
    assert lab.path("run/scratch/big").exists()
    assert lab.path("run/x.log").exists(), "what is ignored is not ours to remove"


def test_a_second_add_stages_what_the_first_did_not(lab: Lab) -> None:
    """Interrupted before staging, or with --no-stage: "unchanged" must not mean "never reaches git"."""
    lab.write("a", "1")
    lab.add("a", staging=False)
    lab.add("a")
    assert "a.ldv.yaml" in lab.staged()


def test_a_locked_git_index_is_waited_for(lab: Lab) -> None:
    lock = lab.project.git.git_dir / "index.lock"
    lock.touch()
    opener = threading.Timer(0.3, lock.unlink)
    opener.start()
    lab.write("a", "1")
    assert lab.add("a").staged
    opener.join()
    assert lab.staged() == [".gitignore", "a.ldv.yaml"]


def test_a_git_index_that_stays_locked_is_said(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The version is kept; only the staging is left to the user, who is told the command."""
    monkeypatch.setattr("lobsterdv.git._INDEX_TRIES", 2)
    (lab.project.git.git_dir / "index.lock").touch()
    lab.write("a b", "1")
    report = lab.add("a b")
    assert (report.staged, report.added[0].outcome) == (False, "added")
    assert any("git add -- .gitignore 'a b.ldv.yaml'" in warning for warning in lab.warnings)


def test_eight_adds_at_once_lose_nothing(lab: Lab) -> None:
    """DVC: 7 of 10 parallel adds fail. A lost .gitignore line lets git take in the data itself."""
    names = [f"d{number}" for number in range(8)]
    for name in names:
        lab.write(f"{name}/file", name)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lab.add, names))
    assert all(lab.pointer(name).files == 1 for name in names)
    assert sorted(lab.read(".gitignore").decode().split()) == [f"/{name}" for name in names]
    assert lab.staged() == [".gitignore", *(f"{name}.ldv.yaml" for name in names)]
