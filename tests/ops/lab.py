"""A laboratory: one person's project in a git repository of its own, and short words for what they do."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from lobsterdv.errors import LobsterError
from lobsterdv.events import Event, Warned, silent
from lobsterdv.formats.config import dump_config
from lobsterdv.formats.pointer import SUFFIX, Pointer, parse_pointer
from lobsterdv.git import Git
from lobsterdv.ops.add import AddReport, add
from lobsterdv.ops.checkout import CheckoutReport, checkout
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.fetch import FetchReport, fetch
from lobsterdv.ops.init import init
from lobsterdv.ops.pull import PullReport, pull
from lobsterdv.ops.push import PushReport, push
from lobsterdv.ops.status import DatasetStatus, StatusReport, status
from lobsterdv.project import CONFIG_NAME, open_project
from lobsterdv.signature import signature_of
from lobsterdv.stores.base import Store

LONG_AGO_S = 1_600_000_000
Files = Mapping[str, "bytes | str | None"]


class HasFailures(Protocol):
    failures: list[Failure]


Reported = TypeVar("Reported", bound=HasFailures)


def environment(home: Path) -> dict[str, str]:
    """A process's environment without the settings and credentials of whoever runs the tests."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "init.defaultBranch",
        "GIT_CONFIG_VALUE_0": "main",
        "GIT_AUTHOR_NAME": "Ada",
        "GIT_AUTHOR_EMAIL": "ada@lab",
        "GIT_COMMITTER_NAME": "Ada",
        "GIT_COMMITTER_EMAIL": "ada@lab",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@dataclass
class Lab:
    """The short words raise the first failure of their report, except inside ``attempt``."""

    root: Path
    env: dict[str, str]
    project: Project
    warnings: list[str] = field(default_factory=list)
    stores: dict[str, Store] | Store | None = None

    @classmethod
    def create(cls, root: Path, *, home: Path) -> Lab:
        """A new project in a new repository, with its first commit made."""
        root.mkdir(parents=True)
        home.mkdir(exist_ok=True)
        env = environment(home)
        Git.create(root, environment=env)
        git = Git.find(root, environment=env)
        init(git, CONFIG_NAME, project_id=secrets.token_hex(16), observer=silent)
        lab = cls(git.root, env, open_project(root, environment=env))
        lab.commit("start")
        return lab

    def clone(self, root: Path, *, home: Path | None = None) -> Lab:
        """Another person's clone: same git history, no cache, no index; the same stores when they are injected."""
        env = self.env if home is None else environment(home)
        subprocess.run(["git", "clone", "--quiet", str(self.root), str(root)], env=env, check=True)
        lab = Lab(root, env, open_project(root, environment=env), stores=self.stores)
        lab._inject()
        return lab

    def close(self) -> None:
        self.project.close()

    def reopen(self, **settings: str) -> Lab:
        """The project as a new process sees it; ``settings`` go into the environment."""
        self.project.close()
        self.env.update(settings)
        self.project = open_project(self.root, environment=self.env)
        self._inject()
        return self

    def use(self, stores: dict[str, Store] | Store) -> Lab:
        """Put a store in the place of every remote, or one under each remote's name."""
        self.stores = stores
        self._inject()
        return self

    def configure(self, **settings: Any) -> Lab:
        """Write the private configuration and open the project anew."""
        self.project.state.mkdir(parents=True, exist_ok=True)
        (self.project.state / "config.yaml").write_bytes(dump_config(settings))
        return self.reopen()

    def lose_cache(self) -> None:
        """What a fresh machine has: pointers, no cache, no index. The embedded remote stays."""
        self.project.close()
        shutil.rmtree(self.project.state / "cache", ignore_errors=True)
        for path in self.project.state.glob("index.db*"):
            path.unlink()
        self.reopen()

    # Files

    def path(self, name: str) -> Path:
        return self.root / name

    def write(self, name: str, data: bytes | str, *, mode: int | None = None) -> Path:
        """A file that was last changed long ago, so that nothing about it is racy."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        if mode is not None:
            path.chmod(mode)
        settle(path)
        return path

    def read(self, name: str) -> bytes:
        return (self.root / name).read_bytes()

    def pointer(self, name: str) -> Pointer:
        return parse_pointer((self.root / (name + SUFFIX)).read_bytes(), what=name)

    # Git

    def git(self, *args: str) -> str:
        done = subprocess.run(["git", *args], cwd=self.root, env=self.env, capture_output=True, check=True)
        return done.stdout.decode().strip()

    def commit(self, message: str = "work", *, tag: str | None = None) -> str:
        """Commit what is staged; returns the commit."""
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        if tag:
            self.git("tag", tag)
        return self.git("rev-parse", "HEAD")

    def staged(self) -> list[str]:
        return self.git("diff", "--cached", "--name-only", "-z").split("\0")[:-1]

    # Verbs

    def add(self, *paths: str, **options: Any) -> AddReport:
        return checked(add(self.project, paths, observer=self.observe, **options))

    def try_add(self, *paths: str, **options: Any) -> AddReport:
        """As ``add``; failures stay in the report."""
        return add(self.project, paths, observer=self.observe, **options)

    def refusal(self, *paths: str) -> str:
        """The code of the rule by which ``add`` refuses, or the name of the error."""
        report = self.try_add(*paths)
        assert len(report.failures) == 1, report
        error = report.failures[0].error
        return str(getattr(error, "code", type(error).__name__))

    def status(self, *paths: str) -> StatusReport:
        return status(self.project, paths, observer=self.observe)

    def state(self, name: str) -> DatasetStatus:
        report = self.status(name)
        (row,) = report.datasets
        return row

    def push(self, *paths: str, **options: Any) -> PushReport:
        return checked(push(self.project, paths, observer=self.observe, **options))

    def try_push(self, *paths: str, **options: Any) -> PushReport:
        return push(self.project, paths, observer=self.observe, **options)

    def fetch(self, *paths: str, **options: Any) -> FetchReport:
        return checked(fetch(self.project, paths, observer=self.observe, **options))

    def pull(self, *paths: str, **options: Any) -> PullReport:
        return checked(pull(self.project, paths, observer=self.observe, **options))

    def try_pull(self, *paths: str, **options: Any) -> PullReport:
        return pull(self.project, paths, observer=self.observe, **options)

    def checkout(self, *paths: str, **options: Any) -> CheckoutReport:
        return checked(checkout(self.project, paths, observer=self.observe, **options))

    def try_checkout(self, *paths: str, **options: Any) -> CheckoutReport:
        return checkout(self.project, paths, observer=self.observe, **options)

    def version(self, name: str, files: Files, message: str, *, tag: str | None = None) -> None:
        """Make ``name`` a directory of exactly these files (None deletes one), add and commit it."""
        for path, data in files.items():
            if data is None:
                self.path(f"{name}/{path}").unlink()
            else:
                self.write(f"{name}/{path}", data)
        self.add(name)
        self.commit(message, tag=tag)

    def observe(self, event: Event) -> None:
        if isinstance(event, Warned):
            self.warnings.append(event.message)

    def _inject(self) -> None:
        if self.stores is not None:
            stores = self.stores
            self.project.open_store = lambda remote: stores[remote.name] if isinstance(stores, dict) else stores


def settle(path: Path) -> None:
    """Give a file a time long ago."""
    os.utime(path, (LONG_AGO_S, LONG_AGO_S), follow_symlinks=False)


def checked(report: Reported) -> Reported:
    """The report, when nothing in it failed; else its first error."""
    if report.failures:
        raise report.failures[0].error
    return report


def error_of(report: HasFailures) -> LobsterError:
    """The one error in a report."""
    (failure,) = report.failures
    return failure.error


def rot_silently(lab: Lab, name: str, data: bytes) -> None:
    """A tracked file's bytes in the cache become others, and its stat still counts as verified."""
    cache, digest = lab.project.cache, lab.pointer(name).digest
    path, known = cache.plain_path(digest), cache.ledger.look_up(digest.hex())
    assert known is not None
    path.chmod(0o644)
    path.write_bytes(data)
    cache.ledger.note([(digest.hex(), signature_of(path.lstat()), known[1], lab.project.now())])
