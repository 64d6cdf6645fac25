"""remote configure: settings of one remote, shown, written and taken back. Talks to no remote."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from lobsterdv.errors import ConfigError, Refused, Untrusted
from lobsterdv.events import Observer
from lobsterdv.formats.config import Config, Layer, Remote, merge
from lobsterdv.formats.remote_settings import REMOTE_KEYS
from lobsterdv.formats.settings import EMBEDDED, check_remote_value
from lobsterdv.formats.values import Scope
from lobsterdv.formats.yamlio import Value, load_mapping
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.gitfiles import stage
from lobsterdv.ops.init import edit_config
from lobsterdv.ops.store_options import s3_options
from lobsterdv.ops.trust import distrust
from lobsterdv.paths import safe_path
from lobsterdv.stores.open import S3Place, parse_url

TRACKED: Final = ".lobsterdv.yaml"


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting as it counts now, and who said it: ``default`` when nobody did."""

    key: str
    value: Value
    said: str
    meaning: str


@dataclass
class ConfigureReport:
    """``file`` is what was written, None when nothing was; ``untrusted`` the settings that ask for
    `remote trust` before they count here."""

    name: str
    settings: list[SettingRow] = field(default_factory=list)
    file: str | None = None
    untrusted: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


def configure_remote(
    project: Project,
    name: str,
    *,
    given: Mapping[str, str],
    unset: Iterable[str] = (),
    private: bool = False,
    staging: bool = True,
    observer: Observer,
) -> ConfigureReport:
    """Write ``given`` and take back ``unset``, in the tracked or this clone's private configuration; all or nothing.

    The settings that result are tried together before anything is written. What the user writes is trusted on this
    machine as far as the remote was before, unless its endpoint is not encrypted. With nothing to write it only shows.
    Raises ConfigError, Refused.
    """
    remote = project.remote(name)
    taken = dict.fromkeys(unset)
    if not given and not taken:
        return ConfigureReport(name, _rows(remote, REMOTE_KEYS), untrusted=_untrusted(remote, project.config))
    if name == EMBEDDED:
        raise Refused(name, "the remote in the git folder has no settings; add one of your own", "embedded")
    scope: Scope = "private" if private else "tracked"
    path = project.state / "config.yaml" if private else project.root / TRACKED
    remotes = remotes_in(path)
    fields = remotes.get(name, {})
    if not private and name not in remotes:
        raise ConfigError(TRACKED, f"it has no remote named {name}")
    assert isinstance(fields, dict)  # the configuration was read before
    changed = _changed(name, fields, given, taken, scope)
    after = remote_after(project.config, name, changed, scope, str(path))
    place = parse_url(after.url)
    if isinstance(place, S3Place):
        s3_options(after, place, root=project.root)
    was_trusted = distrust(remote, project.config) is None
    rest = {other: theirs for other, theirs in remotes.items() if other != name}
    edit_config(path, {"remotes": {**rest, **({name: changed} if changed else {})} or None})
    if was_trusted and isinstance(distrust(after, project.config), Untrusted):
        trust(project, after)
        untrusted = []
    else:
        untrusted = _untrusted(after, project.config)
    if staging and not private:
        stage(project.git, [safe_path(TRACKED)], observer=observer)
    return ConfigureReport(name, _rows(after, [*given, *taken]), str(path), untrusted)


def trust(project: Project, remote: Remote) -> None:
    """Write down that this user trusts the remote as it is now."""
    line = remote.trust_line
    edit_config(project.state / "config.yaml", {"trusted": [*sorted(project.config.trusted - {line}), line]})


def remotes_in(path: Path) -> dict[str, Value]:
    """The ``remotes`` of one configuration file; none when there is no file."""
    mapping = load_mapping(path.read_bytes(), what=path.name) if path.is_file() else {}
    remotes = mapping.get("remotes")
    return remotes if isinstance(remotes, dict) else {}


def _changed(
    name: str, fields: Mapping[str, Value], given: Mapping[str, str], taken: Iterable[str], scope: Scope
) -> dict[str, Value]:
    changed = dict(fields)
    for key in taken:
        check_remote_value(name, key, None, "user", source="remote configure")  # is there such a setting?
        if key in given:
            raise ConfigError("remote configure", f"`{key}` is both set and unset")
        if key not in changed:
            where = "the private configuration" if scope == "private" else TRACKED
            raise ConfigError("remote configure", f"`{key}` of {name} is not set in {where}")
        del changed[key]
    for key, value in given.items():
        changed[key] = check_remote_value(name, key, value, scope, source="remote configure")
    return changed


def remote_after(config: Config, name: str, fields: Mapping[str, Value], scope: Scope, source: str) -> Remote:
    """The remote as it will be when ``fields`` are what the file ``source`` says of it. Raises ConfigError."""
    layers = list(config.layers)
    at = next((n for n, layer in enumerate(layers) if layer.source == source), None)
    if at is None:  # the first private settings of this clone
        at = next(n for n, layer in enumerate(layers) if layer.scope == "tracked") + 1
        layers.insert(at, Layer(scope, source, {}, {}))
    layers[at] = replace(layers[at], remotes={**layers[at].remotes, name: fields})
    found = merge(layers).remotes[name]
    if name not in config.remotes:
        return found
    before = config.remotes[name]
    aws = {key: said for key, said in before.scopes.items() if said == "aws" and key not in found.scopes}
    settings = {**found.settings, **{key: before.settings[key] for key in aws}}
    return replace(found, settings=settings, scopes={**found.scopes, **aws})


def _untrusted(remote: Remote, config: Config) -> list[str]:
    if distrust(remote, config) is None:
        return []
    return [*(["endpoint_url"] if remote.text("endpoint_url") else []), *remote.asking]


def _rows(remote: Remote, keys: Iterable[str]) -> list[SettingRow]:
    return [
        SettingRow(key, remote.settings[key], remote.scopes.get(key, "default"), REMOTE_KEYS[key].help)
        for key in dict.fromkeys(keys)
    ]
