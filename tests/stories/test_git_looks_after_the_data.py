"""Two people who type only git: what a push sends, what a checkout brings, what a commit refuses, what a merge merges.
Everything here is the real git, the real hooks and the real program."""

from __future__ import annotations

import os
from pathlib import Path

from lobsterdv.formats.pointer import parse_pointer
from tests.stories.bench import Person, ada, ben, bench, ground, person, templates

__all__ = ["ada", "ben", "bench", "ground", "templates"]

# What a push sends


def objects(bench: Path) -> int:
    return sum(1 for path in (bench / "shelf").rglob("*") if path.is_file())


def test_a_push_brings_the_data_first(bench: Path, ada: Person) -> None:
    assert "sent to lab, before the commits" in ada.git("push", "-u", "origin", "main")
    other = person(bench, "other")
    other.ldv("pull")
    assert other.read("raw/c.txt") == "c"
    held = objects(bench)
    assert "lobsterdv" not in ada.git("push", "origin", "main"), "nothing new: nothing said"
    ada.version("counts.csv", "2\n")
    ada.git("push", "origin", "main:review", "HEAD:refs/heads/main")
    assert objects(bench) > held


def test_what_only_another_branch_or_tag_names_is_sent_with_it(bench: Path, ada: Person) -> None:
    ada.git("push", "-q", "origin", "main")
    ada.git("switch", "-q", "-c", "side")
    ada.version("counts.csv", "side\n")
    ada.git("tag", "-a", "-m", "v1", "v1")
    ada.git("switch", "-q", "main")
    assert ada.read("counts.csv") == "1\n" * 1000, "the data went along"
    ada.git("push", "origin", "v1")
    other = person(bench, "other")
    other.git("checkout", "-q", "v1")
    other.ldv("pull")
    assert other.read("counts.csv") == "side\n"


def test_deleting_a_branch_asks_nobody_for_data(bench: Path, ada: Person) -> None:
    ada.git("push", "-q", "origin", "main", "main:old")
    (bench / "shelf").rename(bench / "gone")
    ada.git("push", "origin", "--delete", "old")


def test_data_that_is_nowhere_holds_the_commits_back(bench: Path, ada: Person) -> None:
    ada.git("push", "-q", "origin", "main")
    ada.version("counts.csv", "lost\n" * 500)
    digest = parse_pointer((ada.root / "counts.csv.ldv.yaml").read_bytes(), what="x").digest.hex()
    (ada.root / ".git/lobsterdv/cache/files" / digest[:2] / digest).unlink()
    before = ada.git("ls-remote", "origin", "main")
    said = ada.git("push", "origin", "main", code=1)
    assert "counts.csv" in said and "git push --no-verify" in said
    assert ada.git("ls-remote", "origin", "main") == before
    ada.git("push", "-q", "--no-verify", "origin", "main")
    assert ada.git("ls-remote", "origin", "main") != before


def test_a_remote_that_cannot_be_reached_holds_the_commits_back(bench: Path, ada: Person) -> None:
    (bench / "shelf").rmdir()
    (bench / "shelf").write_text("not a folder")
    said = ada.git("push", "origin", "main", code=1)
    assert "fix: " in said
    assert ada.git("ls-remote", "origin") == ""


def test_a_clone_may_only_check_and_then_says_what_to_type(bench: Path, ada: Person) -> None:
    ada.write(".git/lobsterdv/config.yaml", "lobsterdv: 1\nhooks:\n  push: check\n")
    said = ada.git("push", "origin", "main", code=1)
    assert "fix: lobsterdv push " in said and "counts.csv" in said and "raw" in said
    assert objects(bench) == 0, "a check sends nothing"
    ada.ldv("push")
    ada.git("push", "-q", "origin", "main")


def test_without_a_remote_the_push_says_that_data_stays_behind(bench: Path) -> None:
    ada = person(bench, "ada")
    ada.ldv("init")
    ada.ldv("hooks", "install")
    ada.write("x.csv", "x")
    ada.ldv("add", "x.csv")
    ada.git("commit", "-q", "-m", "x")
    assert "stays on this machine" in ada.git("push", "origin", "HEAD:main")


def test_without_lobsterdv_git_goes_on_but_does_not_push(bench: Path, ada: Person) -> None:
    lost = person(bench, "ada", with_lobsterdv=False)
    lost.git("commit", "-q", "--allow-empty", "-m", "code")
    lost.git("switch", "-q", "-c", "other", "HEAD~1")
    assert "fix: " in lost.git("push", "origin", "main", code=1)
    lost.git("push", "-q", "--no-verify", "origin", "main")
    assert "digest" in lost.git("log", "-p", "--", "counts.csv.ldv.yaml")


# What a checkout and a merge bring


def test_switching_branches_takes_the_data_along_and_back(ada: Person) -> None:
    ada.git("switch", "-q", "-c", "side")
    ada.version("counts.csv", "side\n")
    ada.write("raw/new.txt", "n")
    (ada.root / "raw/a.txt").unlink()
    ada.ldv("add", "raw")
    ada.git("commit", "-q", "-m", "raw")
    assert "checked out" in ada.git("switch", "main")
    assert ada.read("counts.csv") == "1\n" * 1000
    assert sorted(os.listdir(ada.root / "raw")) == ["a.txt", "b.txt", "c.txt", "d.txt"]
    ada.git("switch", "-q", "side")
    assert ada.read("counts.csv") == "side\n"
    assert "raw" not in ada.git("checkout", "HEAD~1", "--", "raw.ldv.yaml"), "a file alone: nothing moves"
    assert ada.read("raw/new.txt") == "n"


def test_unsaved_work_is_left_alone_by_a_switch(ada: Person) -> None:
    ada.git("switch", "-q", "-c", "side")
    ada.version("counts.csv", "side\n")
    ada.write("counts.csv", "an afternoon of work")
    ada.write("raw/b.txt", "also work")
    said = ada.git("switch", "main")
    assert "counts.csv left alone" in said
    assert ada.read("counts.csv") == "an afternoon of work"
    assert ada.read("raw/b.txt") == "also work"


def test_what_is_not_here_is_named_and_nothing_is_fetched(ada: Person, ben: Person, bench: Path) -> None:
    ada.version("counts.csv", "2\n")
    ada.git("push", "-q")
    (bench / "shelf").rename(bench / "away")
    said = ben.git("pull", "-q")
    assert "counts.csv not here: lobsterdv pull counts.csv" in said
    assert ben.read("counts.csv") == "1\n" * 1000
    (bench / "away").rename(bench / "shelf")
    ben.ldv("pull")
    ben.git("switch", "-q", "--detach", "HEAD~1")
    assert ben.read("counts.csv") == "1\n" * 1000
    ben.git("switch", "-q", "-")
    assert ben.read("counts.csv") == "2\n"


def test_a_new_worktree_gets_its_data(ada: Person) -> None:
    ada.git("worktree", "add", "-q", "../second")
    second = Person(ada.root.parent / "second", ada.env)
    assert second.read("raw/c.txt") == "c"
    assert "Not" not in second.ldv("status").replace("Not pushed", "")


def test_a_revision_from_before_the_project_is_no_trouble(ada: Person) -> None:
    ada.git("checkout", "-q", "--orphan", "old")
    ada.git("rm", "-rfq", "--cached", ".")
    ada.git("clean", "-fdq")
    ada.git("commit", "-q", "--allow-empty", "-m", "before")
    ada.git("push", "-q", "origin", "old")
    ada.git("checkout", "-q", "main")
    assert ada.read("raw/c.txt") == "c"


# What a commit refuses


def test_a_commit_refuses_what_belongs_to_lobsterdv(ada: Person) -> None:
    (ada.root / "big.bin").write_bytes(bytes(10_000_000))
    ada.git("add", "big.bin")
    ada.write("sub/code.py", "pass")
    said = ada.git("commit", "-m", "big", code=1, folder="sub")
    assert "git rm --cached ../big.bin && lobsterdv add ../big.bin" in said
    ada.run("sh", "-ec", "git rm -q --cached ../big.bin && lobsterdv add ../big.bin", folder="sub")
    ada.git("commit", "-q", "-m", "a pointer")
    ada.write("raw/b.txt", "edited")
    assert "lobsterdv add raw" in ada.git("commit", "--allow-empty", "-m", "code", code=1)
    ada.ldv("add", "raw")
    ada.git("commit", "-q", "-m", "raw")


def test_a_commit_refuses_merge_markers_in_a_pointer(ada: Person) -> None:
    pointer = ada.read("counts.csv.ldv.yaml")
    ada.write("counts.csv.ldv.yaml", pointer.replace("digest", "<<<<<<< ours\ndigest"))
    ada.git("add", "counts.csv.ldv.yaml")
    assert "merge conflict markers" in ada.git("commit", "-m", "oops", code=1)


def test_a_commit_may_be_forced_or_only_warned_about(ada: Person) -> None:
    ada.write("raw/b.txt", "edited")
    ada.git("commit", "-q", "--no-verify", "--allow-empty", "-m", "forced")
    ada.write(".git/lobsterdv/config.yaml", "lobsterdv: 1\nhooks:\n  commit: warn\n")
    assert "no pointer names yet" in ada.git("commit", "--allow-empty", "-m", "warned")


# What a merge merges


def test_two_people_change_different_files_of_one_folder(ada: Person, ben: Person) -> None:
    ben.version("raw/b.txt", "ben")
    ben.git("push", "-q")
    (ada.root / "raw/d.txt").unlink()
    ada.version("raw/a.txt", "ada")
    said = ada.git("pull", "-q", "--no-rebase", "--no-edit", code=1)
    assert "lobsterdv merge raw" in said
    assert "raw" in ada.ldv("status")
    ada.ldv("merge", "raw")
    assert {n: ada.read(f"raw/{n}") for n in os.listdir(ada.root / "raw")} == {
        "a.txt": "ada",
        "b.txt": "ben",
        "c.txt": "c",
    }
    ada.git("commit", "-q", "--no-edit")
    ada.git("push", "-q")
    ben.git("pull", "-q")
    ben.ldv("pull")
    assert (ben.read("raw/a.txt"), ben.read("raw/b.txt")) == ("ada", "ben")
    assert not (ben.root / "raw/d.txt").exists()


def test_a_rebase_over_the_same_folder_merges_too(ada: Person, ben: Person) -> None:
    ben.version("raw/b.txt", "ben")
    ben.git("push", "-q")
    ada.version("raw/a.txt", "ada")
    ada.git("pull", "-q", "--rebase", code=1)
    ada.ldv("merge", "raw")
    ada.git("-c", "core.editor=true", "rebase", "--continue")
    assert (ada.read("raw/a.txt"), ada.read("raw/b.txt")) == ("ada", "ben")
    ada.git("push", "-q")


def test_the_same_file_changed_by_both_is_named_and_chosen(ada: Person, ben: Person) -> None:
    for who, text in ((ben, "ben"), (ada, "ada")):
        who.write("raw/a.txt", text)
        who.version("raw/b.txt", text)
    ben.git("push", "-q")
    ada.git("pull", "-q", "--no-rebase", "--no-edit", code=1)
    said = ada.ldv("merge", "raw", code=1)
    assert "a.txt" in said and "b.txt" in said and "c.txt" not in said
    assert ada.read("raw/a.txt") == "ada", "nothing is done by halves"
    ada.ldv("merge", "raw", "--ours-for", "a.*", "--theirs")
    assert (ada.read("raw/a.txt"), ada.read("raw/b.txt")) == ("ada", "ben")
    ada.git("commit", "-q", "--no-edit")


def test_equal_work_of_two_people_merges_silently(ada: Person, ben: Person) -> None:
    ben.version("counts.csv", "same\n", message="by ben")
    ben.git("push", "-q")
    ada.version("counts.csv", "same\n", message="by ada")
    ada.git("pull", "-q", "--no-rebase", "--no-edit")
    pointer = parse_pointer((ada.root / "counts.csv.ldv.yaml").read_bytes(), what="counts.csv")
    assert pointer.message == "by ada; by ben"
    assert ada.git("status", "--porcelain") == ""
    assert "Conflicted" not in ada.ldv("status")


def test_a_file_that_both_changed_is_taken_from_one_side(ada: Person, ben: Person) -> None:
    ben.version("counts.csv", "ben\n")
    ben.git("push", "-q")
    ada.version("counts.csv", "ada\n")
    said = ada.git("pull", "-q", "--no-rebase", "--no-edit", code=1)
    assert "lobsterdv merge counts.csv --theirs" in said
    ada.ldv("merge", "counts.csv", code=1)
    ada.write("counts.csv", "more of ada")
    ada.ldv("merge", "counts.csv", "--theirs", code=5)
    assert ada.read("counts.csv") == "more of ada", "unsaved work is refused"
    said = ada.ldv("merge", "counts.csv", "--theirs", "--force")
    assert ada.read("counts.csv") == "ben\n"
    trash = next(line for line in said.splitlines() if "unsaved" in line).split(" are in ")[1].removesuffix(" now")
    assert ada.read(trash) == "more of ada"


def test_without_lobsterdv_a_merge_leaves_a_conflict_that_it_can_read(bench: Path, ada: Person, ben: Person) -> None:
    ben.version("raw/b.txt", "ben")
    ben.git("push", "-q")
    ada.version("raw/a.txt", "ada")
    person(bench, "ada", with_lobsterdv=False).git("pull", "-q", "--no-rebase", "--no-edit", "--no-verify", code=1)
    assert "<<<<<<< " in ada.read("raw.ldv.yaml")
    assert "ours " in ada.ldv("status")
    ada.ldv("merge", "raw")
    assert (ada.read("raw/a.txt"), ada.read("raw/b.txt")) == ("ada", "ben")


# What a diff shows


def test_a_diff_tells_which_files_of_a_folder_changed(ada: Person) -> None:
    ada.write("raw/b.txt", "edited")
    ada.ldv("add", "raw")
    said = ada.git("diff", "--cached")
    removed = [line for line in said.splitlines() if line.startswith("-b.txt  1 B")]
    put = [line for line in said.splitlines() if line.startswith("+b.txt  6 B")]
    assert len(removed) == len(put) == 1
    assert not any(line[:1] in "+-" and "c.txt" in line for line in said.splitlines())


# Through the pre-commit framework


def test_the_framework_tells_by_the_environment(bench: Path, ada: Person) -> None:
    """pre-commit reads git's standard input itself and hands its facts on in variables."""
    head = ada.git("rev-parse", "HEAD").strip()
    ada.env |= {"PRE_COMMIT_FROM_REF": "0" * 40, "PRE_COMMIT_TO_REF": head}
    ada.ldv("hook", "pre-push")
    assert objects(bench) > 3
