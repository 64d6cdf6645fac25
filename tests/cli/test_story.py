"""What each command prints and answers, on real files: one person, then a colleague with a fresh clone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Desk


def test_init_says_what_it_made_and_what_is_next(desk: Desk) -> None:
    printed = desk.ldv("init", code=1)
    assert "fix: lobsterdv init --yes" in printed.err
    printed = desk.ldv("init", "--yes")
    assert printed.lines[0] == f"Made {desk.here} a lobsterdv project, in a new git repository."
    assert "wrote .lobsterdv.yaml, .gitattributes, staged in git" in printed.lines[1]
    assert "Next: git commit -m 'Start lobsterdv'" in printed.out
    assert desk.git("diff", "--cached", "--name-only").split() == [".gitattributes", ".lobsterdv.yaml"]


def test_init_twice_changes_nothing(lab: Desk) -> None:
    assert "already; nothing changed" in lab.ldv("init").out
    report = lab.json("init")["report"]
    assert (report["created"], report["written"]) == (False, [])
    assert lab.git("status", "--porcelain") == ""


def test_init_with_a_remote_may_be_repeated(desk: Desk, tmp_path: Path) -> None:
    args = ["init", "--yes", "--remote", "../store", "--remote-name", "nas"]
    report = desk.json(*args)["report"]
    assert report["remote"] == "nas"
    listed = {row["name"]: row for row in desk.json("remote", "list")["report"]["remotes"]}
    assert listed["nas"]["url"] == str(tmp_path / "store")
    assert listed["nas"]["is_default"]
    assert desk.json(*args)["report"]["written"] == []
    assert desk.ldv("init", "--remote", "../other", "--remote-name", "nas", code=1).err.startswith("lobsterdv: nas: ")


@pytest.mark.parametrize("url", ["ftp://x/y", "s3://no", "https://user:hunter2@host/x"])
def test_init_with_a_bad_remote_makes_nothing(desk: Desk, url: str) -> None:
    assert "hunter2" not in desk.ldv("init", "--yes", "--remote", url, code=1).err
    assert list(desk.here.iterdir()) == []


def test_init_below_the_root_makes_the_whole_repository_a_project(desk: Desk) -> None:
    desk.git("init", "-q")
    root = desk.here
    desk.cd(root / "sub")
    assert f"Made {root} a lobsterdv project." in desk.ldv("init").out


def test_add_says_what_it_kept_and_what_is_next(lab: Desk) -> None:
    lab.write("counts.csv", "x" * 2000)
    printed = lab.ldv("add", "counts.csv", "-m", "as sequenced")
    assert printed.lines[0].startswith("added  counts.csv  2.0 kB  table  ")
    assert printed.lines[1:] == ["Next: git commit -m 'as sequenced'", "      lobsterdv push"]
    lab.write("counts.csv", "y" * 3000)
    assert lab.ldv("add", "counts.csv").lines[0].startswith("changed  counts.csv  3.0 kB  table  ")
    assert lab.ldv("add", "counts.csv").lines[0].startswith("unchanged  counts.csv  ")


def test_add_json(lab: Desk) -> None:
    lab.write("d/a", "a")
    lab.write("d/b", "b")
    document = lab.json("add", "d")
    assert set(document) == {"lobsterdv", "command", "ok", "exit", "report", "warnings", "errors"}
    (row,) = document["report"]["added"]
    assert row["digest"].startswith("blake3:") and len(row["digest"]) == 71
    assert (row["files"], row["size"], row["read_files"]) == (2, 2, 2)
    assert document["report"]["staged"] is True


def test_add_without_staging_says_how_to_stage(lab: Desk) -> None:
    lab.write("d/a.csv", "a")
    printed = lab.ldv("add", "d/a.csv", "--no-stage")
    assert "git add d/a.csv.ldv.yaml d/.gitignore" in printed.out
    lab.git("add", "d/a.csv.ldv.yaml", "d/.gitignore")
    assert lab.git("status", "--porcelain").splitlines() == ["A  d/.gitignore", "A  d/a.csv.ldv.yaml"]


def test_several_failures_each_have_a_reason_and_the_others_are_kept(lab: Desk) -> None:
    lab.write("tracked.csv", "t")
    lab.git("add", "tracked.csv")
    lab.write("good.csv", "g")
    os.mkfifo(lab.here / "pipe")
    document = lab.json("add", "tracked.csv", "good.csv", "pipe", "nothing.csv", code=1)
    assert [row["path"] for row in document["report"]["added"]] == ["good.csv"]
    codes = {error["path"]: error["facts"]["code"] for error in document["errors"]}
    assert codes == {"tracked.csv": "git-tracked", "pipe": "special-file", "nothing.csv": "not-found"}
    printed = lab.ldv("add", "tracked.csv", "good.csv", code=1)
    assert printed.err.splitlines() == [
        "lobsterdv: tracked.csv: git already tracks tracked.csv",
        "  fix: git rm -r --cached tracked.csv && lobsterdv add tracked.csv   (git lets go of it; the files stay)",
    ]


def test_status_names_what_changed_and_what_to_do(lab: Desk) -> None:
    assert "No datasets yet" in lab.ldv("status").out
    for name in "abc":
        lab.write(f"raw/{name}.txt", name)
    lab.write("x.csv", "x")
    lab.ldv("add", "raw", "x.csv")
    assert "Not pushed to embedded:\n  (lobsterdv push)" in lab.ldv("status").out
    lab.ldv("push")
    assert lab.ldv("status").out == "2 datasets: nothing changed, and pushed to embedded (on this machine only).\n"
    lab.write("raw/a.txt", "changed")
    lab.write("raw/new.txt", "new")
    (lab.here / "raw/b.txt").unlink()
    printed = lab.ldv("status", "raw")
    assert "raw/  1 modified, 1 new, 1 deleted" in printed.out
    assert "    deleted   b.txt" in printed.out
    assert lab.ldv("status", "--exit-code", code=7).out
    assert lab.json("status", "--exit-code", code=7)["ok"] is False
    lab.ldv("status", "--exit-code", "x.csv", code=0)


def test_status_counts_many_changes_and_shows_all_on_demand(lab: Desk) -> None:
    lab.write("raw/0", "0")
    lab.ldv("add", "raw")
    for number in range(30):
        lab.write(f"raw/new{number}", "n")
    assert "and 18 more (-v shows them)" in lab.ldv("status").out
    assert lab.ldv("status", "-v").out.count("new       new") == 30


def test_status_points_out_large_files(lab: Desk) -> None:
    with (lab.here / "large.h5ad").open("wb") as file:
        file.truncate(11_000_000)
    assert "large.h5ad  11.0 MB" in lab.ldv("status").out


def test_a_conflicted_pointer_shows_both_sides_and_the_way_out(shared: Desk) -> None:
    shared.git("checkout", "-q", "-b", "other")
    shared.write("counts.csv", "other")
    shared.ldv("add", "counts.csv")
    shared.commit()
    shared.git("checkout", "-q", "main")
    shared.ldv("checkout", "--force", "counts.csv")
    shared.write("counts.csv", "main")
    shared.ldv("add", "counts.csv")
    shared.commit()
    with pytest.raises(subprocess.CalledProcessError):
        shared.git("merge", "other")
    (conflict,) = shared.json("status")["report"]["conflicts"]
    printed = shared.ldv("status")
    assert f"ours {conflict['ours'][7:19]}, theirs {conflict['theirs'][7:19]}" in printed.out
    printed = shared.ldv("checkout", "counts.csv", code=1)
    fix = next(line for line in printed.err.splitlines() if "--theirs" in line)
    command = fix.split(": ", 1)[1].split("   (")[0]
    script = f'lobsterdv() {{ {sys.executable} -m lobsterdv "$@"; }}; {command}'
    done = subprocess.run(["bash", "-ec", script], cwd=shared.here, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (shared.here / "counts.csv").read_text() == "other"
    assert shared.json("status")["report"]["conflicts"] == []


def test_push_to_the_embedded_remote_says_so_every_time(lab: Desk) -> None:
    lab.write("x.csv", "x")
    lab.ldv("add", "x.csv")
    for _ in range(2):
        printed = lab.ldv("push")
        assert "This copy is on this machine only." in printed.out
        assert "lobsterdv remote add lab s3://BUCKET/PREFIX" in printed.out
    report = lab.json("push")["report"]
    assert report["embedded"] is True
    assert [row["outcome"] for row in report["versions"]] == ["up to date"]


def test_push_to_a_shared_remote_says_to_push_git_too(shared: Desk) -> None:
    shared.write("counts.csv", "new")
    shared.ldv("add", "counts.csv")
    printed = shared.ldv("push")
    assert "pushed      counts.csv" in printed.out
    assert "Next: git push" in printed.out
    assert "this machine only" not in printed.out
    assert "nothing sent" in shared.ldv("push").out


def test_quiet_leaves_answers_only(shared: Desk) -> None:
    shared.write("counts.csv", "new")
    for args in (["add", "counts.csv"], ["push"], ["pull"], ["fetch"], ["checkout"], ["init"]):
        printed = shared.ldv(*args, "-q")
        assert (printed.out, printed.err) == ("", "")
    assert "counts.csv" in shared.ldv("list", "-q").out
    assert shared.ldv("-q", "status").out


def test_a_colleague_pulls(clone: Desk) -> None:
    assert "counts.csv" in clone.ldv("list").out
    assert not (clone.here / "counts.csv").exists()
    printed = clone.ldv("pull")
    assert (clone.here / "counts.csv").read_text() == "1,2\n" * 1000
    assert (clone.here / "raw/b.txt").read_text() == "b"
    assert printed.lines[0].startswith("checked out  counts.csv  4.0 kB  ")
    assert "From store (" in printed.out
    assert clone.ldv("pull").lines[0].startswith("up to date  counts.csv")


def test_a_part_of_a_folder_is_pulled_alone(clone: Desk) -> None:
    clone.ldv("pull", "raw/a.txt")
    assert [p.name for p in (clone.here / "raw").iterdir()] == ["a.txt"]


def test_fetch_then_checkout(clone: Desk) -> None:
    printed = clone.ldv("fetch")
    assert "Next: lobsterdv checkout" in printed.out
    assert not (clone.here / "counts.csv").exists()
    assert clone.json("fetch")["report"]["fetched"][0]["new_bytes"] == 0
    clone.ldv("checkout")
    assert (clone.here / "counts.csv").exists()


def test_checkout_of_what_is_not_here_says_to_pull(clone: Desk) -> None:
    printed = clone.ldv("checkout", "counts.csv", code=3)
    assert "fix: lobsterdv pull counts.csv" in printed.err
    assert clone.ldv("checkout", "counts.csv", "--ignore-missing").err == ""


def test_missing_at_the_remote_too(clone: Desk, tmp_path: Path) -> None:
    for path in (tmp_path / "store/objects").rglob("*"):
        if path.is_file():
            path.unlink()
    for command in ("pull", "fetch"):
        document = clone.json(command, code=3)
        assert {error["type"] for error in document["errors"]} == {"MissingContent"}
        assert clone.json(command, "--ignore-missing")["errors"] == []
    assert "by whoever has this version" in clone.ldv("pull", "counts.csv", code=3).err


def test_checkout_of_an_older_version_says_how_to_come_back(shared: Desk) -> None:
    shared.write("counts.csv", "second")
    shared.ldv("add", "counts.csv")
    shared.commit()
    printed = shared.ldv("checkout", "--rev", "v1", "counts.csv")
    assert (shared.here / "counts.csv").read_text() == "1,2\n" * 1000
    assert printed.lines[-1] == "  lobsterdv checkout --rev HEAD counts.csv"
    assert "come back" not in shared.ldv("checkout", "--rev", "HEAD", "counts.csv").out
    assert (shared.here / "counts.csv").read_text() == "second"


def test_unsaved_changes_stop_a_checkout_and_force_keeps_them_in_the_trash(shared: Desk) -> None:
    shared.write("counts.csv", "precious")
    printed = shared.ldv("checkout", code=5)
    assert "fix: lobsterdv add counts.csv" in printed.err
    assert "or: lobsterdv checkout --force counts.csv" in printed.err
    document = shared.json("checkout", "--force", "counts.csv")
    trash = document["report"]["checked_out"][0]["trash"]
    assert Path(trash).read_text() == "precious"
    shared.write("counts.csv", "precious")
    printed = shared.ldv("checkout", "--force", "counts.csv")
    assert "unsaved changes in counts.csv are in .git/lobsterdv/trash/" in printed.out


def test_path_prints_a_path_and_nothing_else(clone: Desk) -> None:
    printed = clone.ldv("path", "counts.csv", "--rev", "v1")
    (line,) = printed.lines
    assert Path(line).read_text() == "1,2\n" * 1000
    assert printed.err == ""
    tree = Path(clone.ldv("path", "raw", "-q").out.strip())
    assert sorted(p.name for p in tree.iterdir()) == ["a.txt", "b.txt"]
    assert not (clone.here / "counts.csv").exists()
    printed = clone.ldv("path", "nothing", code=1)
    assert printed.err == "lobsterdv: nothing is not a tracked dataset\n  fix: lobsterdv list   (shows the datasets)\n"


def test_list_shows_datasets_files_and_remotes(shared: Desk, tmp_path: Path) -> None:
    assert [line.split()[0] for line in shared.ldv("list").lines] == ["counts.csv", "raw/"]
    assert [line.split()[-1] for line in shared.ldv("list", "raw").lines] == ["a.txt", "b.txt"]
    assert shared.json("list", "--rev", "v1")["report"]["datasets"][0]["message"] == "first"
    for args in (
        ["list", str(tmp_path / "store")],
        ["list", "--remote", "store"],
        ["list", f"file://{tmp_path}/store"],
    ):
        assert "counts.csv" in shared.ldv(*args).out
        assert len(shared.json(*args)["report"]["catalog"]) == 2
    shared.cd(tmp_path)
    assert len(shared.ldv("list", "./store").lines) == 2
    assert shared.ldv("list", "--remote", "store", "--rev", "v1", code=2).out == ""


def test_list_of_nothing_says_how_to_begin(lab: Desk) -> None:
    assert lab.ldv("list").lines == ["There are no datasets yet.", "Next: lobsterdv add PATH"]


def test_list_of_a_place_that_is_no_remote(desk: Desk) -> None:
    (desk.here / "lobsterdv.json").write_text("{}")
    printed = desk.ldv("list", ".", code=4)
    assert "cannot be used as a remote" in printed.err


def test_move(shared: Desk) -> None:
    printed = shared.ldv("move", "counts.csv", "raw2/counts.csv")
    assert printed.lines[0] == "moved  counts.csv -> raw2/counts.csv"
    assert (shared.here / "raw2/counts.csv").exists()
    assert shared.json("move", "raw2/counts.csv", "counts.csv")["report"]["data_moved"] is True
    printed = shared.ldv("move", "nothing", "x", code=1)
    assert printed.err.startswith("lobsterdv: nothing is not a tracked dataset\n  fix: ")


def test_remove(shared: Desk) -> None:
    printed = shared.ldv("remove", "counts.csv")
    assert "its files stay" in printed.out
    assert (shared.here / "counts.csv").exists()
    assert shared.ldv("remove", "raw/a.txt", code=1).err.startswith("lobsterdv: raw/a.txt: only all of raw can be")
    assert shared.json("remove", "raw", "--data")["report"]["data_removed"] == ["raw"]
    assert not (shared.here / "raw").exists()
    assert "not a tracked dataset" in shared.ldv("remove", "raw", code=1).err


def test_unprotect(shared: Desk) -> None:
    (shared.here / "counts.csv").chmod(0o444)
    assert shared.ldv("unprotect", "counts.csv").out == "counts.csv: 1 file made writable\n"
    assert shared.json("unprotect", "counts.csv")["report"]["files"] == {"counts.csv": 0}


def test_storage(lab: Desk) -> None:
    lab.write("x.csv", "x")
    lab.ldv("add", "x.csv", "--storage", "plain")
    assert "storage: plain" in (lab.here / "x.csv.ldv.yaml").read_text()
    lab.ldv("add", "x.csv", "--storage", "auto")
    assert "storage" not in (lab.here / "x.csv.ldv.yaml").read_text()


def test_remotes(lab: Desk, tmp_path: Path) -> None:
    assert "embedded" in lab.ldv("remote").out
    assert "Next: lobsterdv remote add" in lab.ldv("remote", "list").out
    printed = lab.ldv(
        "remote", "add", "minio", "s3://bucket/lab", "--endpoint-url", "http://127.0.0.1:9", "--region", "x"
    )
    assert "added remote minio: s3://bucket/lab" in printed.out
    listed = {row["name"]: row for row in lab.json("remote")["report"]["remotes"]}
    assert listed["minio"]["is_default"]
    assert listed["minio"]["settings"] == {"endpoint_url": "http://127.0.0.1:9", "region": "x"}
    lab.ldv("remote", "add", "nas", str(tmp_path / "nas"), "--compression", "3")
    listed = {row["name"]: row for row in lab.json("remote")["report"]["remotes"]}
    assert listed["nas"]["settings"] == {"compression": "3"}
    assert "compression" in lab.ldv("remote", "add", "slow", str(tmp_path / "slow"), "--compression", "20", code=1).err
    assert not {r["name"]: r["is_default"] for r in lab.json("remote")["report"]["remotes"]}["nas"]
    assert "push and pull use nas now" in lab.ldv("remote", "default", "nas").out
    assert "trusted on this machine" in lab.ldv("remote", "trust", "minio").out
    assert "removed remote nas" in lab.ldv("remote", "remove", "nas").out
    assert (tmp_path / "nas").is_dir()
    printed = lab.ldv("remote", "remove", "nas", code=1)
    assert "fix: lobsterdv remote list" in printed.err
    assert lab.ldv("remote", "add", "embedded", "s3://bucket/x", code=1).err
    assert lab.ldv("remote", "nonsense", code=2).err


def test_an_endpoint_from_a_clone_must_be_trusted_first(lab: Desk, tmp_path: Path) -> None:
    lab.write("x.csv", "x")
    lab.ldv("add", "x.csv")
    lab.ldv("remote", "add", "minio", "s3://bucket/lab", "--endpoint-url", "https://s3.lab.example")
    lab.commit()
    lab.git("clone", "-q", str(lab.here), str(tmp_path / "clone"))
    lab.cd(tmp_path / "clone")
    printed = lab.ldv("pull", code=4)
    assert "fix: lobsterdv remote trust minio" in printed.err


def test_an_unknown_remote(lab: Desk) -> None:
    printed = lab.ldv("push", "--remote", "nowhere", code=1)
    assert "there is no remote named nowhere" in printed.err
    assert "fix: lobsterdv remote list" in printed.err


def test_demo_tells_eight_steps_and_proves_every_byte(desk: Desk) -> None:
    anndata = pytest.importorskip("anndata")
    numpy = pytest.importorskip("numpy")
    anndata.AnnData(numpy.ones((50, 10), dtype="float32")).write_h5ad(desk.here / "cells.h5ad")
    printed = desk.ldv("demo", "cells.h5ad")
    assert [line[0] for line in printed.lines if line[:1].isdigit()] == list("12345678")
    assert printed.lines[-1] == "Both versions came back, every byte the same."
    report = desk.json("demo", "cells.h5ad")["report"]
    assert report["proved"] is True
    assert len(report["steps"]) == 8
    assert desk.ldv("demo", "cells.h5ad", "-q").out == ""
    assert [path.name for path in desk.here.iterdir()] == ["cells.h5ad"]


def test_demo_of_what_is_no_h5ad_is_one_line(desk: Desk) -> None:
    desk.write("text.h5ad", "text")
    assert len([line for line in desk.ldv("demo", "text.h5ad", code=1).err.splitlines() if "lobsterdv: " in line]) == 1
    assert "no such file" in desk.ldv("demo", "nothing.h5ad", code=1).err


def test_doctor_in_and_out_of_a_project(desk: Desk) -> None:
    assert "not in a project" in desk.ldv("doctor").out
    desk.ldv("init", "--yes")
    findings = {row["name"]: row["state"] for row in desk.json("doctor")["report"]["findings"]}
    assert findings["chunker"] == findings["cache"] == "ok"
    assert "remote embedded" in findings


def test_read_only_folders_and_unreadable_files_are_one_line(lab: Desk) -> None:
    command = [sys.executable, "-m", "lobsterdv"]
    if os.geteuid() == 0:  # root may read and write everywhere, unless it gives that up
        if shutil.which("setpriv") is None:
            pytest.skip("root, and no setpriv")
        powers = "-dac_override,-dac_read_search"
        command = ["setpriv", f"--bounding-set={powers}", f"--inh-caps={powers}", *command]

    def refused(*args: str) -> str:
        done = subprocess.run([*command, *args], cwd=lab.here, capture_output=True, text=True, check=False)
        assert done.returncode == 1, done
        assert "Traceback" not in done.stderr
        assert len([line for line in done.stderr.splitlines() if not line.startswith("  ")]) == 1
        return done.stderr

    lab.write("x.csv")
    lab.ldv("add", "x.csv")
    lab.write("x.csv", "changed")
    lab.here.chmod(0o555)
    try:
        for args in (
            ["add", "x.csv"],
            ["move", "x.csv", "y.csv"],
            ["checkout", "--force"],
            ["init", "--remote", "/tmp"],
        ):
            assert "permission denied" in refused(*args)
    finally:
        lab.here.chmod(0o755)
    assert (lab.here / "x.csv").read_text() == "changed"
    (lab.here / "x.csv").chmod(0)
    assert refused("add", "x.csv").startswith("lobsterdv: x.csv: ")


def test_damaged_configuration_and_pointers_are_one_line(lab: Desk) -> None:
    lab.write("x.csv")
    lab.ldv("add", "x.csv")
    lab.commit()
    pointer = lab.here / "x.csv.ldv.yaml"
    pointer.write_text("lobsterdv: 99\n")
    assert "pip install -U lobsterdv" in lab.ldv("checkout", "x.csv", code=1).err
    pointer.write_bytes(b"\x00\xff: [")
    printed = lab.ldv("checkout", "x.csv", code=1)
    assert "fix: git checkout HEAD -- x.csv.ldv.yaml" in printed.err
    config = lab.here / ".lobsterdv.yaml"
    config.write_text(config.read_text() + "nonsense: 1\n")
    printed = lab.ldv("status", code=1)
    assert "unknown setting `nonsense`" in printed.err
    assert len(printed.err.splitlines()) == 2


def test_json_keeps_stdout_pure_while_warnings_go_to_stderr(lab: Desk) -> None:
    lab.write("d/a", "1")
    lab.write("d/A", "2")
    printed = lab.ldv("add", "d", "--json")
    assert printed.json["warnings"] == ["d: 'A' and 'a' are one file on macOS and Windows"]
    assert printed.err.startswith("lobsterdv: warning: d: 'A' and 'a'")


def test_file_names_cannot_drive_the_terminal(lab: Desk) -> None:
    printed = lab.ldv("add", "evil\x1b[2J.csv", code=1)
    assert "\x1b" not in printed.out + printed.err
    printed = lab.ldv("status", "evil\x1b[2J.csv", code=1)
    assert "\x1b" not in printed.out + printed.err
    assert "\x1b" not in lab.ldv("push\x1b[2J", code=2).err
