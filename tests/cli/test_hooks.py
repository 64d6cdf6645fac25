"""A hook of the user's that we overwrite is work of theirs lost; a hook of ours in the wrong place guards nothing."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from lobsterdv.ops.hooks import NAMES, script
from tests.cli.conftest import Desk
from tests.cli.test_fixes_work import follow

MINE = "#!/bin/sh\necho mine >> ran\n"


def hooks(desk: Desk) -> dict[str, str]:
    return {hook["name"]: hook["state"] for hook in desk.json("hooks", "list")["report"]["hooks"]}


def own(folder: Path, name: str, text: str = MINE) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)
    return path


def config(desk: Desk) -> str:
    return (desk.here / ".git/config").read_text()


def test_install_and_uninstall_leave_things_as_they_were(lab: Desk) -> None:
    before = config(lab)
    for _ in range(2):
        lab.ldv("hooks", "install")
        assert set(hooks(lab).values()) == {"ours"}
    assert lab.git("status", "--porcelain") == "", "nothing that git tracks"
    assert "textconv" in config(lab)
    assert all(os.access(lab.here / ".git/hooks" / name, os.X_OK) for name in NAMES)
    for _ in range(2):
        lab.ldv("hooks", "uninstall")
        assert set(hooks(lab).values()) == {"absent"}
    assert config(lab) == before
    assert b"lobsterdv" not in (lab.here / ".git/info/attributes").read_bytes()


def test_settings_of_the_user_beside_ours_stay(lab: Desk) -> None:
    attributes = lab.here / ".git/info/attributes"
    attributes.parent.mkdir(exist_ok=True)
    attributes.write_text("*.png binary")
    lab.ldv("hooks", "install")
    assert attributes.read_text().splitlines()[0] == "*.png binary"
    lab.ldv("hooks", "uninstall")
    assert attributes.read_text() == "*.png binary\n"


def test_a_hook_of_ones_own_is_left_alone_then_chained_then_given_back(lab: Desk) -> None:
    path = own(lab.here / ".git/hooks", "pre-commit")
    failed = lab.ldv("hooks", "install", code=1)
    assert path.read_text() == MINE
    assert hooks(lab) == dict.fromkeys(NAMES, "ours") | {"pre-commit": "foreign"}, "the others are in"
    follow(lab, failed.err)
    assert hooks(lab)["pre-commit"] == "chained"
    lab.ldv("hooks", "install")
    subprocess.run([str(path)], cwd=lab.here, check=True, env={"PATH": "/usr/bin:/bin"}, capture_output=True)
    assert (lab.here / "ran").read_text() == "mine\n"
    lab.ldv("hooks", "uninstall")
    assert path.read_text() == MINE
    assert hooks(lab)["pre-commit"] == "foreign"


def test_a_chained_hook_that_refuses_has_the_last_word_and_hears_what_git_says(lab: Desk) -> None:
    folder = lab.here / ".git/hooks"
    own(folder, "pre-push", "#!/bin/sh\ncat > heard; echo $1 >> heard; exit 3\n")
    lab.ldv("hooks", "install", "--chain")
    done = subprocess.run([str(folder / "pre-push"), "origin"], cwd=lab.here, input=b"a b c d\n", check=False)
    assert done.returncode == 3
    assert (lab.here / "heard").read_text() == "a b c d\norigin\n"


def test_two_hooks_of_ones_own_are_both_kept(lab: Desk) -> None:
    folder = lab.here / ".git/hooks"
    own(folder, "pre-commit")
    lab.ldv("hooks", "install", "--chain")
    own(folder, "pre-commit", "#!/bin/sh\necho another\n")
    lab.ldv("hooks", "install", "--chain", code=1)
    assert (folder / "pre-commit").read_text().endswith("another\n")
    assert (folder / "pre-commit.before-lobsterdv").read_text() == MINE


def test_a_dangling_link_counts_as_a_hook_of_ones_own(lab: Desk) -> None:
    path = lab.here / ".git/hooks/pre-push"
    path.parent.mkdir(exist_ok=True)
    path.symlink_to("../../not/yet")
    lab.ldv("hooks", "install", code=1)
    assert path.is_symlink()


def test_an_older_hook_of_ours_is_brought_up_to_date(lab: Desk) -> None:
    lab.ldv("hooks", "install")
    path = lab.here / ".git/hooks/pre-push"
    path.write_text(script("pre-push") + "# an older release\n")
    assert hooks(lab)["pre-push"] == "outdated"
    lab.ldv("hooks", "install")
    assert path.read_text() == script("pre-push")


@pytest.mark.parametrize("where", ["tools/hooks", "{home}/hooks"])
def test_core_hookspath_is_where_git_looks(lab: Desk, where: str) -> None:
    folder = lab.here / where.format(home=lab.home)
    lab.git("config", "core.hooksPath", where.format(home=lab.home))
    lab.cd(lab.here / "below")
    lab.ldv("hooks", "install")
    assert sorted(os.listdir(folder)) == sorted(NAMES)
    assert not (lab.here.parent / ".git/hooks/pre-push").exists()


def test_worktrees_share_hooks_and_drivers(lab: Desk, tmp_path: Path) -> None:
    lab.git("worktree", "add", "-q", str(tmp_path / "second"))
    main = lab.here
    lab.cd(tmp_path / "second")
    lab.ldv("hooks", "install")
    assert (main / ".git/hooks/pre-push").is_file()
    assert lab.git("check-attr", "diff", "x.ldv.yaml").endswith("lobsterdv")


@pytest.mark.parametrize("name", NAMES)
def test_the_scripts_are_plain_shell(name: str) -> None:
    subprocess.run(["sh", "-n"], input=script(name).encode(), check=True)


def test_outside_a_project_a_hook_does_nothing(desk: Desk) -> None:
    for name in NAMES:
        printed = desk.shell("hook", name, "0" * 40, "1" * 40, "1", stdin=subprocess.DEVNULL)
        assert (printed.out, printed.err) == ("", "")
    assert "there is no hook" in desk.ldv("hook", "pre-cook", code=2).err


def test_a_hook_that_follows_git_never_fails(lab: Desk) -> None:
    assert "data was left as it is" in lab.ldv("hook", "post-checkout", "0" * 40, "f" * 40, "1").err


def test_drivers_show_what_is_no_pointer_as_it_is(lab: Desk) -> None:
    text = "<<<<<<< ours\nx\n=======\ny\n>>>>>>> theirs\n"
    lab.write("odd.ldv.yaml", text)
    assert lab.ldv("textconv", "odd.ldv.yaml").out == text


def test_a_pointer_whose_name_begins_with_a_dash_is_merged(lab: Desk) -> None:
    """Its name was taken for an option, and every merge of it for a conflict."""
    lab.ldv("hooks", "install")
    driver = lab.git("config", "merge.lobsterdv.driver")
    for side in "OAB":
        lab.write(side, f'lobsterdv: 1\ndigest: "blake3:{"a" * 64}"\nsize: 1\nkind: file\n')
    command = driver.partition("then ")[2].partition(";")[0]
    for mark, value in {"%O": "O", "%A": "A", "%B": "B", "%P": "-x.csv.ldv.yaml"}.items():
        command = command.replace(mark, value)
    lab.ldv(*command.split()[1:])


def test_merge_says_why_it_has_nothing_to_merge(shared: Desk) -> None:
    assert "not in conflict" in shared.ldv("merge", "raw", code=1).err
    assert "not a tracked dataset" in shared.ldv("merge", "nothing", code=1).err
    shared.ldv("merge", "raw", "--ours", "--theirs", code=2)
