"""Bad input at the command line: one line with a type and the right exit code, at once, and nothing changed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.damage.killing import Nursery, Said
from tests.damage.test_hostile import outside
from tests.ops.lab import Lab, environment

HEX = "0" * 64
GOOD = f'lobsterdv: 1\ndigest: "blake3:{HEX}"\nsize: 4\nkind: file\n'
COMMANDS = [["status"], ["pull"], ["push"], ["checkout"], ["list"], ["fetch", "--rev", "HEAD"], ["status", "d"]]

POINTERS = {
    "empty": b"",
    "binary": bytes(range(256)),
    "not UTF-8": b"lobsterdv: 1\ndigest: \xff\n",
    "a list": b"- 1\n- 2\n",
    "text": b"hello\n",
    "an alias bomb": b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
        b"%c: &%c [%s]\n" % (98 + n, 98 + n, b",".join([b"*%c" % (97 + n)] * 9)) for n in range(9)
    ),
    "a merge key": GOOD.encode() + b"<<: {a: 1}\n",
    "a python tag": GOOD.encode() + b"run: !!python/object/apply:os.system ['touch canary2']\n",
    "a duplicate key": GOOD.encode() + b"size: 5\n",
    "two documents": GOOD.encode() + b"---\n" + GOOD.encode(),
    "deep nesting": GOOD.encode() + b"run: " + b"[" * 20_000,
    "65 KiB": GOOD.encode() + b"message: " + b"x" * (65 << 10) + b"\n",
    "1 MB": GOOD.encode() + b"#" * 1_000_000,
    "no digest": b"lobsterdv: 1\nsize: 4\nkind: file\n",
    "a short digest": GOOD.replace(HEX, "00").encode(),
    "capitals in the digest": GOOD.replace(HEX, "A" * 64).encode(),
    "another algorithm": GOOD.replace("blake3:", "md5:").encode(),
    "a digest that climbs": GOOD.replace(HEX, "../" * 21 + "0").encode(),
    "a negative size": GOOD.replace("size: 4", "size: -4").encode(),
    "a huge size": GOOD.replace("size: 4", "size: 99999999999999999999999").encode(),
    "size as text": GOOD.replace("size: 4", 'size: "4"').encode(),
    "an unknown kind": GOOD.replace("kind: file", "kind: spaceship").encode(),
    "a directory without files": GOOD.replace("kind: file", "kind: directory").encode(),
    "a newer format": GOOD.replace("lobsterdv: 1", "lobsterdv: 2").encode(),
    "an unknown feature": GOOD.encode() + b"features:\n- wings\n",
    "features of a wrong type": GOOD.encode() + b"features: wings\n",
    "inputs that climb": GOOD.encode() + f'inputs:\n- path: ../x\n  digest: "blake3:{HEX}"\n'.encode(),
    "inputs of a wrong type": GOOD.encode() + b"inputs: 7\n",
    "merge markers": f"<<<<<<< HEAD\n{GOOD}=======\n{GOOD}>>>>>>> other\n".encode(),
    "half a merge marker": b"<<<<<<< HEAD\n",
}  # fmt: skip

NAMES = [".git.ldv.yaml", "a/.git/hooks/x.ldv.yaml", ".ldv.yaml", "a/.ldv.yaml", "a\\b.ldv.yaml", "\x1b[31m.ldv.yaml"]


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lab, Path]:
    """A project with one good dataset, ``ok``, and a copy of it all."""
    folder = tmp_path_factory.mktemp("place") / "box"
    folder.mkdir()
    (folder / "remote").mkdir()
    (folder / "canary").write_text("sing")
    lab = Lab.create(folder / "victim", home=folder / "home")
    config = lab.read(".lobsterdv.yaml").decode()
    lab.write(".lobsterdv.yaml", f'{config}remote: r\nremotes:\n  r:\n    url: "{folder / "remote"}"\n')
    lab.reopen().version("ok", {"x": "1"}, "one")
    lab.push()
    lab.close()
    subprocess.run(["cp", "-a", str(folder), str(folder.with_name("spare"))], check=True)
    return lab, folder.with_name("spare")


@pytest.fixture
def project(healthy: tuple[Lab, Path]) -> Lab:
    """The healthy project, whatever the last test did to it."""
    lab, spare = healthy
    shutil.rmtree(lab.root.parent)
    subprocess.run(["cp", "-a", str(spare), str(lab.root.parent)], check=True)
    return lab


def changeless(lab: Lab) -> dict[str, str]:
    """Everything that bad input must not change; git's own files change with a staged file."""
    ours = ("victim/.git/hooks", "victim/.git/config")
    return {
        name: state
        for name, state in outside(lab).items()
        if name.startswith(ours) or not name.startswith("victim/.git/")
    }


def quick(said: Said) -> Said:
    """Every ending: a document, no traceback, no bug, within a second of work, one line an error."""
    assert "Traceback" not in said.err + said.out and "InternalError" not in said.out, said
    assert said.cpu_s < 1, said
    assert said.out.isascii() or "\x1b" not in said.out
    for error in json.loads(said.out)["errors"]:
        assert len(error["message"]) < 1000, error
    return said


def in_one_line(said: Said) -> None:
    """For people: what is wrong and what to type, and nothing that a terminal obeys."""
    assert all(line.isprintable() for line in (said.out + said.err).split("\n")), said
    assert said.code == 0 or said.err.startswith("lobsterdv: ") or said.out, said


@pytest.mark.parametrize("whole", [False, pytest.param(True, marks=pytest.mark.faults)])
@pytest.mark.parametrize("case", list(POINTERS))
def test_a_bad_pointer_is_named_and_harms_no_other(case: str, whole: bool, project: Lab, nursery: Nursery) -> None:
    """``status`` and one other command, a case after the other; ``make test-faults`` takes all of them."""
    turn = list(POINTERS).index(case) % (len(COMMANDS) - 1)
    project.write("d.ldv.yaml", POINTERS[case])
    project.git("add", "d.ldv.yaml")
    project.git("commit", "-qm", case)
    before = changeless(project)
    for command in COMMANDS if whole else [COMMANDS[0], COMMANDS[1 + turn]]:
        said = quick(nursery.command(command, project.root, project.env))
        conflicted = "merge marker" in case and command[0] == "status"
        if not conflicted:
            assert said.code == 1 and "d" in {e["path"] for e in json.loads(said.out)["errors"]}, (command, said)
    shutil.rmtree(project.path("ok"))
    quick(nursery.command(["pull"], project.root, project.env))
    assert project.read("ok/x") == b"1"
    assert quick(nursery.command(["add", "ok"], project.root, project.env)).code == 0
    assert changeless(project) == before and not project.path("canary2").exists()


@pytest.mark.parametrize("name", NAMES)
def test_a_pointer_with_a_hostile_name(name: str, project: Lab, nursery: Nursery) -> None:
    """A pointer says where its data goes by its own name."""
    project.write(name, GOOD)
    before = changeless(project)
    for number, command in enumerate(COMMANDS):
        said = quick(nursery.command(command, project.root, project.env))
        assert said.code in (0, 1, 3), said
        if number % 3 == NAMES.index(name) % 3:
            in_one_line(nursery.in_words(command, project.root, project.env))
    assert changeless(project) == before


VERBS = ("add", "pull", "checkout", "push", "path", "list", "unprotect", "remove")
PATHS = ["../out", "/etc/passwd", "../canary", ".git", ".git/config", "d/../../canary", "", ".", "no\nline", "-rf", "~"]
PATHS += ["\udcff"]


@pytest.mark.parametrize("each", [3, pytest.param(1, marks=pytest.mark.faults)])
@pytest.mark.parametrize("path", PATHS)
def test_paths_that_mean_nothing(path: str, each: int, project: Lab, nursery: Nursery) -> None:
    """To one verb in three, others for each path; ``make test-faults`` takes all of them."""
    before = changeless(project)
    for verb in VERBS[PATHS.index(path) % each :: each]:
        said = quick(nursery.command([verb, "--", path], project.root, project.env))
        if path not in ("", ".") or verb == "add":  # here they mean everything
            assert said.code in (1, 2, 3), (verb, said)
            if verb in ("add", "path"):
                in_one_line(nursery.in_words([verb, "--", path], project.root, project.env))
        if verb != "remove" or said.code:
            assert changeless(project) == before, verb


@pytest.mark.parametrize("rev", ["nope", "HEAD~999", "--all", "-n1", "HEAD:ok.ldv.yaml", "", "\n", "$(touch canary2)"])
def test_revisions_that_mean_nothing(rev: str, project: Lab, nursery: Nursery) -> None:
    for verb in ("pull", "checkout", "push", "fetch", "list", "path"):
        said = quick(nursery.command([verb, "ok", f"--rev={rev}"], project.root, project.env))
        assert said.code in (1, 2), (verb, said)


def test_no_git_and_no_project(tmp_path: Path, nursery: Nursery) -> None:
    (tmp_path / "plain").mkdir()
    (tmp_path / "repo").mkdir()
    (tmp_path / "bare").mkdir()
    (tmp_path / "home").mkdir()
    env = environment(tmp_path / "home")
    subprocess.run(["git", "init", "-q", str(tmp_path / "repo")], env=env, check=True)
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "bare")], env=env, check=True)
    for folder, error in (("plain", "NoGit"), ("repo", "NotAProject"), ("bare", "NoGit")):
        for command in (
            ["status"],
            ["add", "x"],
            ["push"],
            ["pull"],
            ["checkout"],
            ["list"],
            ["path", "x"],
            ["remote", "list"],
        ):
            said = quick(nursery.command(command, tmp_path / folder, env))
            assert said.code == 1 and said.errors == [error], (command, said)
    said = quick(nursery.command(["status"], tmp_path / "repo", {**env, "PATH": "/nowhere"}))
    assert said.code == 1 and said.errors[0] in ("GitFailed", "NoGit"), said


CONFIGS = {
    "nonsense": "\x00\x01",
    "a list": "- 1\n",
    "no format": "remote: r\n",
    "a newer format": "lobsterdv: 2\nproject: " + "0" * 32 + "\n",
    "no project": "lobsterdv: 1\n",
    "a bad project": "lobsterdv: 1\nproject: ../../x\n",
    "a secret": "lobsterdv: 1\nsecret_access_key: abc\n",
    "a cache elsewhere": "lobsterdv: 1\ncache:\n  dir: /tmp/elsewhere\n",
    "remotes that are text": "lobsterdv: 1\nremotes: here\n",
    "a remote without url": "lobsterdv: 1\nremotes:\n  r: {}\n",
    "a remote of another world": "lobsterdv: 1\nremote: r\nremotes:\n  r:\n    url: gopher://x\n",
    "an unknown remote": "lobsterdv: 1\nremote: nowhere\n",
    "many jobs": "lobsterdv: 1\njobs: 999999\n",
}


@pytest.mark.parametrize("case", list(CONFIGS))
def test_a_bad_configuration_is_named(case: str, project: Lab, nursery: Nursery) -> None:
    project.write(".lobsterdv.yaml", CONFIGS[case])
    for command in (["status"], ["push"], ["pull"], ["add", "ok"]):
        said = quick(nursery.command(command, project.root, project.env))
        local = command[0] in ("add", "status", "pull") and case in ("no project", "a remote of another world")
        assert said.code in ((0, 1) if local or case == "an unknown remote" else (1,)), (command, said)


def test_a_remote_that_is_not_mounted(project: Lab, nursery: Nursery) -> None:
    """A disk that is away must not look like a new, empty remote, nor be made in its place."""
    remote = project.root.parent / "remote"
    away = remote.rename(remote.with_name("away"))
    shutil.rmtree(project.path("ok"))
    shutil.rmtree(project.root / ".git/lobsterdv/cache")
    for command in (["push"], ["pull"], ["fetch"]):
        said = quick(nursery.command(command, project.root, project.env))
        assert said.code == 4 and said.errors == ["Unreachable"], said
        assert not remote.exists()
    remote.write_text("a file")
    assert quick(nursery.command(["push"], project.root, project.env)).code == 4
    remote.unlink()
    away.rename(remote)
    assert quick(nursery.command(["pull"], project.root, project.env)).code == 0


MARKERS = {
    "nonsense": (b"\xff\xfe", "NotARemote"),
    "a list": (b"[]", "NotARemote"),
    "a newer format": (b'{"lobsterdv":2,"store":"' + b"0" * 32 + b'","features":[]}', "UnknownFormat"),
    "an unknown feature": (b'{"lobsterdv":1,"store":"' + b"0" * 32 + b'","features":["wings"]}', "UnknownFeature"),
    "a store that climbs": (b'{"lobsterdv":1,"store":"../../../../canary/xxxxxxxxxxxxx","features":[]}', "NotARemote"),
    "large": (b" " * 1_000_000, "NotARemote"),
    "deep": (b"[" * 60_000, "NotARemote"),
}


@pytest.mark.parametrize("case", list(MARKERS))
def test_a_bad_marker_is_no_remote(case: str, project: Lab, nursery: Nursery) -> None:
    marker = project.root.parent / "remote/lobsterdv.json"
    good = marker.read_bytes()
    data, error = MARKERS[case]
    marker.chmod(0o644)
    marker.write_bytes(data)
    shutil.rmtree(project.root / ".git/lobsterdv/cache", ignore_errors=True)
    for command in (["push"], ["fetch"]):
        said = quick(nursery.command(command, project.root, project.env))
        assert said.errors == [error] and said.code == (4 if error == "NotARemote" else 1), said
    assert marker.read_bytes() == data
    marker.write_bytes(good)
    assert quick(nursery.command(["pull"], project.root, project.env)).code == 0


@pytest.mark.parametrize("now", [0.0, 1.0, 4e9, 9e9])
def test_a_clock_that_is_far_off(now: float, lab: Lab) -> None:
    """A machine without a battery, or from the future: everything works, and edits are still seen."""
    lab.project.now = lab.project.cache.now = lambda: now
    lab.version("d", {"x": "1", "y": "2"}, "one", tag="v1")
    lab.version("d", {"x": "3"}, "two")
    lab.push()
    lab.checkout("d", rev="v1")
    assert lab.read("d/x") == b"1" and lab.state("d").work == "clean"
    lab.path("d/x").write_text("4")
    assert lab.state("d").work == "modified"
    lab.checkout("d", force=True)
    shutil.rmtree(lab.project.cache.folder)
    lab.reopen()
    lab.project.now = lab.project.cache.now = lambda: now
    lab.pull("d")
    assert lab.read("d/x") == b"1" and os.path.exists(lab.project.cache.folder)
