"""status tells the truth about every state, without network, and without bytes where stats suffice."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from lobsterdv.digest import Digest
from lobsterdv.errors import FormatError
from lobsterdv.formats.config import Remote
from lobsterdv.formats.layout import object_key
from lobsterdv.stores.base import Store
from lobsterdv.stores.memory import MemoryStore
from tests.ops.lab import Lab
from tests.ops.watching import opened_below


@pytest.fixture
def run(lab: Lab) -> Lab:
    lab.write("run/a", "a1")
    lab.write("run/sub/b", "b1")
    lab.write("one", "1")
    lab.add("run", "one")
    lab.commit()
    return lab


def test_clean_and_unpushed(run: Lab) -> None:
    report = run.status()
    assert [(d.path, d.work, d.missing_files, d.pushed) for d in report.datasets] == [
        ("one", "clean", 0, None),
        ("run", "clean", 0, None),
    ]
    assert not report.has_changes


def test_pushed_and_then_not(run: Lab) -> None:
    run.push()
    assert run.state("run").pushed
    run.write("run/a", "a2")
    run.add("run")
    assert run.state("run").pushed is False


def test_absent_is_not_deleted(run: Lab) -> None:
    """A fresh clone has pointers and no data: it must not look as if someone removed everything."""
    run.path("one").unlink()
    shutil.rmtree(run.path("run"))
    assert [d.work for d in run.status().datasets] == ["absent", "absent"]
    assert not run.status().has_changes


def test_partial_is_not_deleted(run: Lab) -> None:
    run.push()
    shutil.rmtree(run.path("run"))
    run.lose_cache()
    run.pull("run/sub")
    state = run.state("run")
    assert (state.work, state.deleted, state.missing_files) == ("partial", [], 1)


def test_a_file_deleted_from_a_partial_checkout_shows(run: Lab) -> None:
    run.write("run/sub/c", "c1")
    run.add("run")
    run.push()
    shutil.rmtree(run.path("run"))
    run.lose_cache()
    run.pull("run/sub")
    run.path("run/sub/c").unlink()
    state = run.state("run")
    assert (state.work, state.deleted) == ("modified", ["sub/c"])


def test_a_deleted_link_and_folder_show(lab: Lab) -> None:
    """What has no bytes is remembered nowhere but in the version."""
    lab.write("run/a", "1")
    lab.path("run/hollow").mkdir()
    lab.path("run/link").symlink_to("a")
    lab.add("run")
    lab.path("run/link").unlink()
    lab.path("run/hollow").rmdir()
    state = lab.state("run")
    assert (state.work, state.deleted) == ("modified", ["hollow", "link"])


def test_unknown_without_the_listing(run: Lab) -> None:
    run.lose_cache()
    state = run.state("run")
    assert (state.work, state.missing_files) == ("unknown", None)
    assert run.status().has_changes


def test_missing_here_and_missing_everywhere(run: Lab) -> None:
    run.push()
    run.write("one", "2")
    run.add("one")
    for file in [p for p in (run.project.cache.folder / "files").rglob("*") if p.is_file()]:
        file.unlink()
    run.reopen()
    lost = run.state("one")
    assert (lost.missing_files, lost.pushed, lost.is_lost) == (1, False, True)
    assert run.status().has_changes
    run.git("checkout", "--quiet", "HEAD", "--", "one.ldv.yaml")
    there = run.state("one")
    assert (there.missing_files, there.pushed, there.is_lost) == (1, True, False)


def conflict(lab: Lab) -> tuple[Digest, Digest]:
    """Two branches change one dataset; returns ours and theirs."""
    lab.git("switch", "--quiet", "-c", "theirs")
    lab.write("one", "theirs")
    lab.add("one", message="theirs")
    lab.commit()
    theirs = lab.pointer("one").digest
    lab.git("switch", "--quiet", "main")
    lab.write("one", "ours")
    lab.add("one", message="ours")
    lab.commit()
    ours = lab.pointer("one").digest
    with pytest.raises(Exception, match="merge"):
        lab.git("merge", "theirs")
    return ours, theirs


def test_a_conflicted_pointer_shows_both_versions(run: Lab) -> None:
    ours, theirs = conflict(run)
    report = run.status()
    assert [(c.path, c.ours, c.theirs) for c in report.conflicts] == [("one", str(ours), str(theirs))]
    assert [d.path for d in report.datasets] == ["run"]
    assert report.failures == []
    assert report.has_changes


def test_a_conflict_in_the_diff3_style(run: Lab) -> None:
    run.git("config", "merge.conflictStyle", "diff3")
    ours, theirs = conflict(run)
    assert [(c.ours, c.theirs) for c in run.status().conflicts] == [(str(ours), str(theirs))]


def test_a_conflict_is_resolved_by_choosing_a_side(run: Lab) -> None:
    _, theirs = conflict(run)
    run.git("checkout", "--theirs", "one.ldv.yaml")
    run.checkout("one")
    assert run.read("one") == b"theirs"
    assert run.state("one").digest == theirs


def test_a_broken_pointer_fails_alone(run: Lab) -> None:
    run.path("one.ldv.yaml").write_text("lobsterdv: 1\ndigest: nonsense\n")
    report = run.status()
    assert [(f.path, type(f.error)) for f in report.failures] == [("one", FormatError)]
    assert [d.path for d in report.datasets] == ["run"]


def test_big_untracked_files(run: Lab) -> None:
    run.reopen(LOBSTERDV_BIG_FILE="1000")
    run.write("forgotten.h5ad", b"x" * 1000)
    run.write("notes.txt", b"x" * 999)
    run.write("ignored.bin", b"x" * 5000)
    run.write("other/forgotten.h5", b"x" * 2000)
    run.write(".gitignore", run.read(".gitignore") + b"ignored.bin\n")
    assert [(u.path, u.size) for u in run.status().untracked] == [
        ("forgotten.h5ad", 1000),
        ("other/forgotten.h5", 2000),
    ]
    assert [u.path for u in run.status("other").untracked] == ["other/forgotten.h5"]


def test_an_interrupted_checkout_is_said(run: Lab) -> None:
    journal = run.project.state / "journal"
    journal.mkdir()
    (journal / "1-2.json").write_text(json.dumps({"dataset": "run", "stage": "/nowhere", "started": 0}))
    assert run.status().interrupted == ["run"]
    assert run.status().has_changes
    run.checkout("run")
    assert run.status().interrupted == [], "the checkout that puts it right also takes the notice away"


def test_scoped_to_paths(run: Lab) -> None:
    with opened_below(run.path("one")) as opened:
        report = run.status("run")
    assert [d.path for d in report.datasets] == ["run"]
    assert opened == []
    assert [d.path for d in run.status("run/sub/b").datasets] == ["run"]
    assert [d.path for d in run.status("o*").datasets] == ["one"]
    assert [f.path for f in run.status("nothing").failures] == ["nothing"]


def test_a_replaced_dataset_shows(run: Lab) -> None:
    """A folder where the file was, a file where the folder was, a link in place of either."""
    run.path("one").unlink()
    run.path("one").mkdir()
    run.write("one/inside", "1")
    shutil.rmtree(run.path("run"))
    run.path("run").symlink_to("one")
    assert [d.work for d in run.status().datasets] == ["modified", "modified"]


def test_no_network(run: Lab) -> None:
    """On a train, status answers at once."""
    run.use(MemoryStore())
    run.push()

    def no_network(remote: Remote) -> Store:
        raise AssertionError("status opened a store")

    run.reopen()
    run.project.open_store = no_network
    assert [d.pushed for d in run.status().datasets] == [True, True]


def test_git_processes(run: Lab) -> None:
    run.project.git.calls.clear()
    run.status()
    assert len(run.project.git.calls) == 2


def test_ten_thousand_unchanged_files_are_not_opened(lab: Lab) -> None:
    for folder in range(10):
        lab.path(f"many/{folder}").mkdir(parents=True)
        for number in range(1000):
            path = lab.path(f"many/{folder}/{number}")
            path.write_bytes(b"%d" % number)
            os.utime(path, (1, 1))
    lab.add("many")
    with opened_below(lab.path("many")) as opened:
        assert lab.state("many").work == "clean"
    assert [path for path in opened if not Path(path).is_dir()] == []


def test_a_store_that_lost_an_object_is_found_by_push_not_status(run: Lab) -> None:
    """status never asks; push does, and then status knows."""
    store = MemoryStore()
    run.use(store)
    run.push()
    store.delete(object_key(run.pointer("one").digest))
    assert run.state("one").pushed
    assert [v.outcome for v in run.push("one").versions] == ["repaired"]
