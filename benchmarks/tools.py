"""What each tool is asked to do, word for word: the same jobs, every tool at its own defaults.

A command is one line of words; `{...}` words are filled in by `words`. A step may be several commands, joined by
` && `; one that starts with `git ` runs git. Nothing here runs anything.
"""

import os
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

from data import Shape
from peers import Peers, client_environment

ROOT = Path(__file__).resolve().parent.parent
OXEN = Path(__file__).resolve().with_name("oxen_commands.py")


@dataclass(frozen=True)
class Tool:
    """One program and its commands.

    `set_up` makes a fresh folder ready; only `steps` are timed. A tool that is `in_git` works in a git repository,
    where the set-up is committed, so that a clone is ready too. `check` must end with 0 when nothing changed and with
    another code when something did. `cache` is where, in a repository, the tool keeps content. `settings` are lines
    of its user's configuration file.
    """

    name: str
    program: tuple[str, ...]
    steps: dict[str, str]
    set_up: tuple[str, ...] = ()
    in_git: bool = False
    check: str = ""
    cache: str = ""
    version: str = "--version"
    help: str = "--help"
    environment: dict[str, str] = field(default_factory=dict)
    settings: tuple[str, ...] = ()


def all_tools(peers: Peers) -> dict[str, Tool]:
    """Those that are installed."""
    made = [lobsterdv(), _dvc(peers), _s5cmd(peers)]
    made += [_restic(peers)] if peers.restic else []
    made += [_oxen(peers)] if peers.oxen else []
    return {tool.name: tool for tool in made}


def edit_tools(benched: tuple[Tool, ...]) -> tuple[Tool, ...]:
    """Those of `benched` that can add and push an edited file; lobsterdv also without compression."""
    plain = replace(lobsterdv(), name="lobsterdv-none", settings=compression("bench", "none"))
    made = [tool for tool in benched if "archive" in tool.steps]
    return (plain, *made) if any(tool.name == "lobsterdv" for tool in made) else tuple(made)


def compression(remote: str, value: str) -> tuple[str, ...]:
    """Lobsterdv's settings for a remote of that name."""
    return ("lobsterdv: 1", "remotes:", f"  {remote}:", f'    compression: "{value}"')


def lobsterdv() -> Tool:
    return Tool(
        name="lobsterdv",
        in_git=True,
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
            "archive": "add {target} && push",
            "noop-archive": "add {target} && push",
            "restore": "pull",
            "keep": "add {target} && git commit -qm data",
        },
        check="status --exit-code",
        cache=".git/lobsterdv",
        environment={"PYTHONPATH": str(ROOT)},
    )


def _dvc(peers: Peers) -> Tool:
    return Tool(
        name="dvc",
        in_git=True,
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
            "archive": "add {target} && push",
            "noop-archive": "add {target} && push",
            "restore": "pull",
            "keep": "add {target} && git commit -qm data",
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


def _restic(peers: Peers) -> Tool:
    """Adds and pushes in one go, encrypts and compresses; no git."""
    there = "-r s3:{endpoint}/{bucket}/store"
    return Tool(
        name="restic",
        program=(peers.restic,),
        set_up=(f"{there} init -q",),
        steps={
            "archive": f"{there} backup -q {{target}}",
            "noop-archive": f"{there} backup -q {{target}}",
            "restore": f"{there} restore -q latest --target .",
        },
        version="version",
        help="help",
        environment={"RESTIC_PASSWORD": "benchmark"},
    )


def _oxen(peers: Peers) -> Tool:
    """The wheel has no program, only Python bindings, and pushes to its own server only."""
    return Tool(
        name="oxen",
        program=(peers.oxen, str(OXEN)),
        set_up=("init",),
        steps={"keep": "add {target} && commit"},
        cache=".oxen",
        version="version",
    )


def commands(tool: Tool, step: str, shape: Shape, bucket: str, endpoint: str) -> list[list[str]]:
    """The argument vectors of one of `tool`'s steps, in order."""
    return [words(tool, line, shape, bucket, endpoint) for line in tool.steps[step].split(" && ")]


def words(tool: Tool, line: str, shape: Shape, bucket: str, endpoint: str) -> list[str]:
    """The argument vector of one of `tool`'s command lines."""
    filled = arguments(line, shape, bucket, endpoint)
    return filled if filled[0] == "git" else [*tool.program, *filled]


def arguments(line: str, shape: Shape, bucket: str, endpoint: str) -> list[str]:
    filled = {
        "bucket": bucket,
        "endpoint": endpoint,
        "target": shape.name,
        "source": f"{shape.name}/" if shape.is_folder else shape.name,
        "matching": f"{shape.name}/*" if shape.is_folder else shape.name,
    }
    return [word.format(**filled) for word in line.split()]


def configure(tool: Tool, home: Path) -> None:
    """Write what the tool's user has configured, for `environment(tool, home)`; after the tool's set-up, because
    settings of a remote need the remote."""
    if tool.settings:
        file = home / "config" / tool.program[-1] / "config.yaml"
        file.parent.mkdir(parents=True)
        file.write_text("\n".join(tool.settings) + "\n")


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
