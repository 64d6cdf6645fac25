"""docs/git.md: what a lab copies from it into its CI must run, and find commits that came without their data."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from lobsterdv.cli.main import HIDDEN
from lobsterdv.ops.hooks import NAMES
from tests.stories.bench import Person, ada, bench, ground, person, templates

__all__ = ["ada", "bench", "ground", "templates"]
ROOT = Path(__file__).parents[2]
SAMPLES = dict(re.findall(r"<!-- sample: (.+?) -->\n```yaml\n(.*?)```", (ROOT / "docs/git.md").read_text(), re.DOTALL))


def steps(name: str) -> list[str]:
    document: Any = yaml.safe_load(SAMPLES[name])
    if name == "gitlab":
        return list(document["data"]["script"])
    return [step["run"] for step in document["jobs"]["data"]["steps"] if "run" in step]


def job(name: str, runner: Person) -> list[int]:
    """Exit codes of a job's lobsterdv steps, in a fresh clone. `push --check` where this release has it."""
    codes = []
    can_check = "--check" in runner.ldv("push", "--help")
    for step in steps(name):
        if step.startswith("lobsterdv") and ("--check" not in step or can_check):
            codes.append(int(runner.run("sh", "-c", f"{step} >/dev/null 2>&1; echo $?")))
    return codes


@pytest.mark.parametrize("name", ["github", "gitlab"])
def test_the_job_passes_with_the_data_and_fails_without(bench: Path, ada: Person, name: str) -> None:
    ada.git("push", "-q", "--no-verify", "origin", "main")
    assert 3 in job(name, person(bench, "runner one")), "the commits came without their data"
    ada.ldv("push")
    runner = person(bench, "runner two")
    assert set(job(name, runner)) == {0}
    assert runner.read("raw/c.txt") == "c"


def test_both_jobs_do_the_same() -> None:
    assert steps("github") == steps("gitlab")
    assert "lobsterdv push --check" in steps("github")


def test_the_framework_finds_the_hooks_that_the_document_names(ada: Person) -> None:
    offered = {hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}
    assert [hook["id"] for hook in yaml.safe_load(SAMPLES["pre-commit"])["repos"][0]["hooks"]] == list(offered)
    assert [hook["stages"] for hook in offered.values()] == [[name] for name in NAMES]
    for hook in offered.values():
        program, command, name = shlex.split(hook["entry"])
        assert (program, hook["stages"]) == ("lobsterdv", [name]) and command in HIDDEN
        assert hook["pass_filenames"] is False and hook["always_run"] is True
        ada.run(program, command, name)
