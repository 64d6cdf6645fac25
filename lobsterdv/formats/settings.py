"""Every setting: its kind, its default and whether a cloned repository may set it (docs/format.md, section 10)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from lobsterdv.errors import ConfigError
from lobsterdv.formats.remote_settings import REMOTE_KEYS
from lobsterdv.formats.values import Key, Scope, convert, unknown
from lobsterdv.formats.yamlio import Value
from lobsterdv.redaction import holds_secret

EMBEDDED: Final = "embedded"
"""The name of the remote in the git folder that serves until another is added."""
_REMOTE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")

KEYS: Final[Mapping[str, Key]] = {
    "project": Key("digest-id", None, True, "the project's random id, written by `lobsterdv init`"),
    "remote": Key("text", EMBEDDED, True, "the remote that push and pull use"),
    "fallback": Key(
        "choice",
        "priority",
        True,
        "where fetch and pull look when no remote is named: all remotes by their priority, the nearest first, or only"
        " the project's remote (off)",
        choices=("priority", "nearest", "off"),
    ),
    "describe": Key("switch", True, True, "write shapes and names of h5ad, zarr and tables into pointers"),
    "jobs": Key("count", 8, False, "how many files or requests are worked on at once", least=1, most=256),
    "big_file": Key(
        "size",
        10 * 1000**2,
        True,
        "from this size on, status points out untracked files and the pre-commit hook refuses them",
    ),
    "hooks.push": Key(
        "choice",
        "send",
        True,
        "the pre-push hook sends data first, or only checks that it is at the remote",
        choices=("send", "check"),
    ),
    "hooks.commit": Key(
        "choice",
        "refuse",
        True,
        "what the pre-commit hook does about big files and unadded changes",
        choices=("refuse", "warn"),
    ),
    "cache.dir": Key("text", None, False, "where content is kept; default: lobsterdv/cache in the git folder"),
    "cache.link": Key("links", ["reflink", "copy"], False, "how files are placed in the work tree, first that works"),
    "cache.max": Key(
        "size", 0, False, "`gc` keeps the cache within this size where a remote holds the rest; 0: no limit"
    ),
    "cache.keep": Key("text", None, False, "datasets that this limit spares: paths or globs, separated by commas"),
    "trash.max": Key("size", 20 * 1000**3, False, "the trash is kept within this size, oldest out first"),
    "trash.days": Key("count", 30, False, "and no longer than this", least=1, most=36500),
}


def check_value(key: str, value: Value, scope: Scope, *, source: str) -> Value:
    """One top-level setting, checked and converted. Raises ConfigError."""
    if key not in KEYS:
        raise ConfigError(source, unknown(key, KEYS))
    return convert(key, KEYS[key], value, scope, source)


def check_remote_value(name: str, key: str, value: Value, scope: Scope, *, source: str) -> Value:
    """One setting of a remote, checked and converted. Raises ConfigError."""
    if key not in REMOTE_KEYS:
        raise ConfigError(source, unknown(f"remotes.{name}.{key}", [f"remotes.{name}.{k}" for k in REMOTE_KEYS]))
    if key in ("url", "endpoint_url", "proxies") and isinstance(value, str) and holds_secret(value):
        problem = "it holds a password or a signature; credentials belong to the AWS chain (a profile, the environment)"
        raise ConfigError(source, f"`remotes.{name}.{key}`: {problem}")
    return convert(f"remotes.{name}.{key}", REMOTE_KEYS[key], value, scope, source)


def check_remote_name(name: str, *, source: str) -> str:
    if not _REMOTE_NAME.fullmatch(name):
        raise ConfigError(source, f"{name!r} is no name for a remote (letters, digits, - and _, at most 64)")
    return name
