"""remote add, list, default, remove, trust: the configured remotes. Talks to none of them, unless asked to measure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lobsterdv import durable
from lobsterdv.errors import ConfigError, Refused
from lobsterdv.events import Observer
from lobsterdv.formats.remote_settings import REMOTE_KEYS
from lobsterdv.formats.settings import EMBEDDED, check_remote_name, check_remote_value
from lobsterdv.formats.yamlio import Value
from lobsterdv.ops.configure import TRACKED, remote_after, remotes_in, trust
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.gitfiles import stage
from lobsterdv.ops.init import edit_config
from lobsterdv.ops.nearness import latencies
from lobsterdv.ops.trust import distrust
from lobsterdv.paths import safe_path
from lobsterdv.stores.open import DirectoryPlace, is_unencrypted, parse_url


@dataclass(frozen=True, slots=True)
class RemoteRow:
    """One remote as it is configured; ``settings`` are those that differ from the defaults. ``latency_ms`` is None
    where it was not measured, and -1 when it did not answer."""

    name: str
    url: str
    is_default: bool
    is_embedded: bool
    settings: dict[str, Value]
    latency_ms: float | None = None


@dataclass
class RemotesReport:
    remotes: list[RemoteRow] = field(default_factory=list)
    changed: str | None = None
    failures: list[Failure] = field(default_factory=list)


def list_remotes(project: Project, *, measuring: bool = False) -> RemotesReport:
    """Every configured remote, and the embedded one. ``measuring`` asks each how long it takes to answer; the nearest
    is first then."""
    default = project.remote().name
    told = latencies(project, [*project.config.remotes.values()]) if measuring else {}
    rows = []
    for name, remote in sorted(project.config.remotes.items(), key=lambda item: (told.get(item[0], 0.0), item[0])):
        settings = {k: v for k, v in remote.settings.items() if k != "url" and v != _default(k)}
        seconds = told.get(name)
        took = None if seconds is None else (-1.0 if math.isinf(seconds) else round(seconds * 1000, 1))
        rows.append(RemoteRow(name, remote.url, name == default, name == EMBEDDED, settings, took))
    return RemotesReport(rows)


def add_remote(
    project: Project,
    name: str,
    url: str,
    *,
    settings: Mapping[str, Value],
    default: bool | None = None,
    staging: bool = True,
    observer: Observer,
) -> RemotesReport:
    """Write a remote into the tracked configuration. It becomes the default when ``default`` says so, or, when
    that is None, when only the embedded remote was there before. Its endpoint is trusted on this machine, unless it is
    not encrypted: that takes a word of its own (``trust_remote``). Raises ConfigError, Refused."""
    check_remote_name(name, source="remote name")
    if name == EMBEDDED:
        raise Refused(name, "this name is kept for the remote in the git folder", "reserved")
    fields: dict[str, Value] = {"url": _checked_url(project, url)}
    for key, value in settings.items():
        fields[key] = check_remote_value(name, key, value, "tracked", source="remote add")
    remotes = remotes_in(project.root / TRACKED)
    if name in remotes:
        raise Refused(name, f"a remote of this name is there already ({_url(remotes[name])})", "exists")
    change: dict[str, Value] = {"remotes": {**remotes, name: fields}}
    if default or (default is None and project.config.text("remote") == EMBEDDED):
        change["remote"] = name
    edit_config(project.root / TRACKED, change)
    endpoint = fields.get("endpoint_url")
    if not (endpoint and is_unencrypted(str(endpoint))):
        added = remote_after(project.config, name, fields, "tracked", str(project.root / TRACKED))
        if distrust(added, project.config) is not None:
            trust(project, added)
    _stage(project, staging, observer)
    return RemotesReport(changed=name)


def default_remote(project: Project, name: str, *, staging: bool = True, observer: Observer) -> RemotesReport:
    """Make a remote the one that push and pull use. Raises ConfigError for an unknown name."""
    project.remote(name)
    edit_config(project.root / TRACKED, {"remote": None if name == EMBEDDED else name})
    _stage(project, staging, observer)
    return RemotesReport(changed=name)


def remove_remote(project: Project, name: str, *, staging: bool = True, observer: Observer) -> RemotesReport:
    """Forget a remote; nothing in it is touched. Raises ConfigError for an unknown name."""
    remotes = remotes_in(project.root / TRACKED)
    if name not in remotes:
        raise ConfigError(TRACKED, f"it has no remote named {name}")
    change: dict[str, Value] = {"remotes": {k: v for k, v in remotes.items() if k != name} or None}
    if project.config.text("remote") == name:
        change["remote"] = None
    edit_config(project.root / TRACKED, change)
    _stage(project, staging, observer)
    return RemotesReport(changed=name)


def trust_remote(project: Project, name: str) -> RemotesReport:
    """Allow, on this machine, what tracked configuration says of a remote and needs a word for, as it is now."""
    trust(project, project.remote(name))
    return RemotesReport(changed=name)


def _checked_url(project: Project, url: str) -> str:
    place = parse_url(url)
    if not isinstance(place, DirectoryPlace):
        return str(place)
    path = Path(project.root / place.path.expanduser()).absolute()
    if not path.is_dir():
        if not path.parent.is_dir():
            raise Refused(str(path), f"there is no folder {path.parent} to make it in", "not-found")
        with durable.translating(path):
            path.mkdir()
    return str(path)


def _url(fields: Value) -> str:
    return str(fields.get("url")) if isinstance(fields, dict) else "?"


def _default(key: str) -> Value:
    return REMOTE_KEYS[key].default


def _stage(project: Project, staging: bool, observer: Observer) -> None:
    if staging:
        stage(project.git, [safe_path(TRACKED)], observer=observer)
