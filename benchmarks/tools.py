"""What each tool is asked to do, word for word: the same jobs, every tool at its own defaults.

A command is one line of words; `{...}` words are filled in by `words`. Nothing here runs anything.
"""

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from data import Shape
from peers import Peers, client_environment

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Tool:
    """One program and its commands.

    `set_up` makes a fresh git repository ready and is committed, so that a clone is ready too; only `steps` are
    timed. `check` must end with 0 when nothing changed and with another code when something did. `cache` is where,
    in a repository, the tool keeps content. A tool without `set_up` copies files and knows no repository.
    """

    name: str
    program: tuple[str, ...]
    steps: dict[str, str]
    set_up: tuple[str, ...] = ()
    check: str = ""
    cache: str = ""
    version: str = "--version"
    help: str = "--help"
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def versions_data(self) -> bool:
        return bool(self.set_up)


def all_tools(peers: Peers) -> dict[str, Tool]:
    return {tool.name: tool for tool in (_lobsterdv(), _dvc(peers), _s5cmd(peers))}


def _lobsterdv() -> Tool:
    return Tool(
        name="lobsterdv",
        program=(sys.executable, "-m", "lobsterdv"),
        set_up=(
            "init",
            "remote add bench s3://{bucket}/store --endpoint-url {endpoint} --addressing path",
            "remote default bench",
        ),
        steps={
            "add": "add {target}",
            "status": "status",
            "push": "push",
            "noop-push": "push",
            "pull": "pull",
            "status-pulled": "status",
        },
        check="status --exit-code",
        cache=".git/lobsterdv",
        environment={"PYTHONPATH": str(ROOT)},
    )


def _dvc(peers: Peers) -> Tool:
    return Tool(
        name="dvc",
        program=(peers.dvc,),
        set_up=(
            "init -q",
            "config core.analytics false",
            "config core.check_update false",
            "config core.autostage true",
            "remote add -d bench s3://{bucket}/store",
            "remote modify bench endpointurl {endpoint}",
        ),
        steps={
            "add": "add {target}",
            "status": "status",
            "push": "push",
            "noop-push": "push",
            "pull": "pull",
            "status-pulled": "status",
        },
        check="status -q",
        cache=".dvc/cache",
    )


def _s5cmd(peers: Peers) -> Tool:
    return Tool(
        name="s5cmd",
        program=(peers.s5cmd,),
        steps={
            "push": "--endpoint-url {endpoint} cp {source} s3://{bucket}/{source}",
            "pull": "--endpoint-url {endpoint} cp s3://{bucket}/{matching} {source}",
        },
        version="version",
    )


def words(tool: Tool, line: str, shape: Shape, bucket: str, endpoint: str) -> list[str]:
    """The argument vector of one of `tool`'s command lines."""
    return [*tool.program, *arguments(line, shape, bucket, endpoint)]


def arguments(line: str, shape: Shape, bucket: str, endpoint: str) -> list[str]:
    filled = {
        "bucket": bucket,
        "endpoint": endpoint,
        "target": shape.name,
        "source": f"{shape.name}/" if shape.is_folder else shape.name,
        "matching": f"{shape.name}/*" if shape.is_folder else shape.name,
    }
    return [word.format(**filled) for word in line.split()]


def environment(tool: Tool, home: Path) -> dict[str, str]:
    """A child's whole environment: its own home and caches in `home`, none of the caller's configuration."""
    kept = {key: value for key, value in os.environ.items() if key in ("PATH", "LANG", "LC_ALL", "TMPDIR")}
    places = {
        "HOME": home,
        "XDG_CONFIG_HOME": home / "config",
        "XDG_CACHE_HOME": home / "cache",
        "XDG_DATA_HOME": home / "data",
        "XDG_STATE_HOME": home / "state",
        "DVC_GLOBAL_CONFIG_DIR": home / "dvc-global",
        "DVC_SYSTEM_CONFIG_DIR": home / "dvc-system",
        "DVC_SITE_CACHE_DIR": home / "dvc-site-cache",
    }
    git = {f"GIT_{role}_{fact}": "bench@example.org" for role in ("AUTHOR", "COMMITTER") for fact in ("NAME", "EMAIL")}
    git |= {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    own = {key: str(path) for key, path in places.items()}
    return {**kept, **own, **git, "DVC_NO_ANALYTICS": "1", **client_environment(), **tool.environment}
