"""An error that does not say what to type leaves the user alone with it."""

from __future__ import annotations

import ast
import dataclasses
import errno
import shlex
from pathlib import Path
from typing import Any

import click
import pytest

import lobsterdv
from lobsterdv import errors
from lobsterdv.cli.main import COMMANDS, cli
from lobsterdv.cli.reference import leaves
from lobsterdv.cli.refusals import REFUSALS
from lobsterdv.cli.remedies import TABLE, remedies
from lobsterdv.cli.situation import Place, Situation
from lobsterdv.cli.words import Words

WORDS = Words("/lab", "/lab")
SOURCES = sorted(Path(lobsterdv.__file__).parent.rglob("*.py"))


def sample(kind: type[errors.LobsterError], **facts: Any) -> errors.LobsterError:
    """An error with text in every field that has no default."""
    assert dataclasses.is_dataclass(kind)
    needed = [f.name for f in dataclasses.fields(kind) if f.default is dataclasses.MISSING]
    return kind(**dict.fromkeys(needed, "fact") | facts)  # type: ignore[return-value]


def refusal_codes() -> set[str]:
    """The third argument of every ``Refused(...)`` in the package."""
    found = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "Refused":
                assert isinstance(node.args[2], ast.Constant), f"{path.name}:{node.lineno}: a code that is no constant"
                found.add(str(node.args[2].value))
    return found


def test_every_error_has_an_entry_of_its_own() -> None:
    assert set(leaves()) <= set(TABLE)


def test_every_refusal_has_an_entry_and_no_entry_is_stale() -> None:
    assert set(REFUSALS) == refusal_codes()


TYPED = {
    "gc": ("gc",),
    "move": ("move", "a", "b"),
    "path": ("path", "a"),
    "url": ("url", "a", "--rev", "v 1", "--remote=lab"),
    "hooks": ("hooks",),
    "revert": ("revert", "a", "--to", "v1"),
    "forget": ("forget", "a", "--rev", "v1", "--reason", "consent"),
    "remote": ("remote",),
    "remote add": ("remote", "add", "lab", "s3://bucket/prefix"),
    "remote configure": ("remote", "configure", "lab"),
    "remote default": ("remote", "default", "lab"),
    "version": ("version", "-v"),
}
"""A command line for each command; the others take a path or nothing."""


@pytest.mark.parametrize("command", [*COMMANDS, "remote add", "remote configure", "remote default"])
@pytest.mark.parametrize("path", ["", "data/x y.h5ad"])
def test_every_error_has_a_remedy_after_every_command(command: str, path: str) -> None:
    plain = (command,) if command in ("init", "doctor", "demo", "selftest", "reindex", "report") else (command, "a")
    at = Situation(WORDS, command, path, TYPED.get(command, plain))
    kinds = [sample(kind) for kind in leaves()]
    kinds += [sample(errors.Refused, path="data/x", code=code) for code in REFUSALS]
    kinds += [errors.LocalIOError("/lab/x", "no", n) for n in (errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EMFILE)]
    kinds += [errors.MissingContent("x", "blake3:00", where) for where in ("the cache", "the cache or s3://b")]
    for error in kinds:
        found = remedies(error, at)
        assert found, error
        for remedy in found:
            check_command(remedy.command)


def check_command(text: str) -> None:
    """A command that is suggested is one line, and lobsterdv's own parse."""
    assert text and "\n" not in text
    for part in text.split(" && "):
        program, *args = shlex.split(part)
        if program != "lobsterdv" or "--help" in args:
            continue
        with cli.make_context("lobsterdv", args) as context:
            name, command, rest = cli.resolve_command(context, args)
            assert name is not None and command is not None
            if isinstance(command, click.Group) and rest:
                name, command, rest = command.resolve_command(context, rest)
                assert name is not None and command is not None
            command.make_context(name, list(rest))


def text(error: errors.LobsterError, command: str = "", path: str = "", **rest: Any) -> str:
    return "\n".join(map(str, remedies(error, Situation(WORDS, command, path, **rest))))


def test_content_that_is_only_not_here_is_pulled() -> None:
    error = errors.MissingContent("x", "blake3:00", "the cache")
    assert text(error, "checkout", "x") == "lobsterdv pull x"
    assert "whoever has this version" in text(
        errors.MissingContent("x", "blake3:00", "the cache or s3://b"), "pull", "x"
    )


def test_unsaved_changes_can_be_kept_or_set_aside() -> None:
    found = text(errors.WouldOverwrite("x", "in the way"), "pull", "x")
    assert "lobsterdv add x" in found
    assert "lobsterdv pull --force x" in found


def test_a_conflict_shows_both_versions() -> None:
    error = errors.ConflictedPointer("x.ldv.yaml", "markers", ours="blake3:" + "a" * 64, theirs="blake3:" + "b" * 64)
    found = text(error, "checkout", "x")
    assert "git checkout --ours x.ldv.yaml && git add x.ldv.yaml && lobsterdv pull x   (ours: aaaaaaaaaaaa)" in found
    assert "(theirs: bbbbbbbbbbbb)" in found


def test_a_remote_is_called_by_its_name() -> None:
    error = errors.WrongRegion("s3://bucket/prefix", "us-east-1", "eu-west-1")
    found = text(error, "push", remotes=(Place("lab", "s3://bucket/prefix", "https://s3.lab"),))
    assert found == "lobsterdv remote configure lab --set region=eu-west-1"


def test_names_are_quoted_for_the_shell() -> None:
    error = errors.Refused("a b;rm -rf", "git already tracks it", "git-tracked")
    assert "git rm -r --cached 'a b;rm -rf' && lobsterdv add 'a b;rm -rf'" in text(error, "add", "a b;rm -rf")


def test_a_config_error_names_what_to_edit() -> None:
    assert text(errors.ConfigError("LOBSTERDV_JOBS", "not a count")) == "unset LOBSTERDV_JOBS"
    assert "lobsterdv remote list" in text(
        errors.ConfigError("configuration", "there is no remote named x (there is: y)")
    )
    assert ".lobsterdv.yaml" in text(errors.ConfigError("/lab/.lobsterdv.yaml", "unknown setting"))
