"""Configuration: files and the environment, read into layers and merged (docs/format.md, section 10).

Files are the YAML subset of pointers. Later wins: user, tracked, private, environment, flags. A tracked
file comes with whatever repository one clones, so it may hold only the keys marked ``tracked``, never
a secret, never a path of a machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, get_args

from lobsterdv.errors import ConfigError
from lobsterdv.formats.remote_settings import REMOTE_KEYS
from lobsterdv.formats.settings import KEYS, check_remote_name, check_remote_value, check_value
from lobsterdv.formats.values import Scope
from lobsterdv.formats.yamlio import FORMAT, Value, check_format, dump_mapping, load_mapping

_LATER: Final[tuple[Scope, ...]] = get_args(Scope)  # later wins
_AWS: Final[Scope] = "aws"


@dataclass(frozen=True, slots=True)
class Remote:
    """One configured remote: its name, its settings (all REMOTE_KEYS) and the scope that said each of those that
    somebody said."""

    name: str
    settings: Mapping[str, Value]
    scopes: Mapping[str, Scope]

    @property
    def url(self) -> str:
        return str(self.settings["url"])

    @property
    def endpoint_scope(self) -> Scope | None:
        """Who vouches for where requests go: the tracked file, if the endpoint is its word, whoever gave the URL; else
        who said last."""
        if self.scopes.get("endpoint_url") == "tracked":
            return "tracked"
        said = [self.scopes[key] for key in ("url", "endpoint_url") if key in self.scopes]
        return max(said, key=_LATER.index, default=None)

    @property
    def asking(self) -> dict[str, Value]:
        """The settings of tracked configuration, besides its endpoint, that count only when they are trusted."""
        return {
            key: self.settings[key]
            for key, spec in REMOTE_KEYS.items()
            if spec.asks and key != "endpoint_url" and self.scopes.get(key) == "tracked"
            and self.settings[key] != spec.default
        }  # fmt: skip

    @property
    def trust_line(self) -> str:
        """What `remote trust` writes down: another url, endpoint or value under the same name is not trusted."""
        rest = "".join(f" {key}={str(value)!r}" for key, value in sorted(self.asking.items()))
        return f"{self.name} {self.url} {self.text('endpoint_url') or '-'}{rest}"

    @property
    def place(self) -> str:
        """What the index files its memory under: the same URL at another endpoint is another place."""
        return f"{self.url} {self.text('endpoint_url') or ''}".strip()

    def text(self, key: str) -> str | None:
        value = self.settings[key]
        return None if value is None else str(value)

    def number(self, key: str) -> int:
        value = self.settings[key]
        assert isinstance(value, int)
        return value

    def having(self, key: str, value: Value, *, source: str) -> Remote:
        """The same with another setting, as a flag gives it. Raises ConfigError."""
        checked = check_remote_value(self.name, key, value, "flag", source=source)
        return replace(self, settings={**self.settings, key: checked}, scopes={**self.scopes, key: "flag"})

    def switch(self, key: str) -> bool:
        return self.settings[key] is True


@dataclass(frozen=True, slots=True)
class Config:
    """The merged configuration."""

    settings: Mapping[str, Value]
    remotes: Mapping[str, Remote]
    trusted: frozenset[str]
    """The ``Remote.trust_line`` of the remotes this user trusts, from the private configuration."""
    layers: tuple[Layer, ...]
    """What it was merged from, later wins."""

    def text(self, key: str) -> str | None:
        value = self.settings[key]
        return None if value is None else str(value)

    def number(self, key: str) -> int:
        value = self.settings[key]
        assert isinstance(value, int)
        return value

    @property
    def links(self) -> tuple[str, ...]:
        value = self.settings["cache.link"]
        assert isinstance(value, list)
        return tuple(str(v) for v in value)


@dataclass(frozen=True, slots=True)
class Layer:
    """One parsed source: flat dotted keys to checked values. Unknown keys are refused, so that no typo passes."""

    scope: Scope
    source: str
    settings: Mapping[str, Value]
    remotes: Mapping[str, Mapping[str, Value]]
    trusted: tuple[str, ...] = ()


def parse_config(data: bytes, scope: Scope, *, source: str) -> Layer:
    """Bytes to a Layer. Raises ConfigError (FormatError for what is not even the YAML subset)."""
    mapping = load_mapping(data, what=source) or {"lobsterdv": FORMAT}  # all commented out is as good as no file
    check_format(mapping, what=source)
    settings: dict[str, Value] = {}
    remotes: dict[str, Mapping[str, Value]] = {}
    trusted: tuple[str, ...] = ()
    for key, value in mapping.items():
        if key in ("lobsterdv", "features"):
            continue
        if key == "remotes":
            remotes = _parse_remotes(value, scope, source)
        elif key == "trusted" and scope == "private" and isinstance(value, list):
            trusted = tuple(str(v) for v in value)
        elif isinstance(value, dict) and any(k.startswith(f"{key}.") for k in KEYS):
            for part, inner in value.items():
                settings[f"{key}.{part}"] = check_value(f"{key}.{part}", inner, scope, source=source)
        else:
            settings[key] = check_value(key, value, scope, source=source)
    return Layer(scope, source, settings, remotes, trusted)


def environment_layer(variables: Mapping[str, str]) -> Layer:
    """``LOBSTERDV_*`` variables as a Layer: ``LOBSTERDV_CACHE_DIR`` is ``cache.dir``."""
    settings = {}
    for key in KEYS:
        name = "LOBSTERDV_" + key.replace(".", "_").upper()
        if name in variables:
            settings[key] = check_value(key, variables[name], "environment", source=name)
    return Layer("environment", "environment", settings, {})


def merge(layers: Iterable[Layer]) -> Config:
    """Layers, later wins, to a Config with every default filled in. Raises ConfigError."""
    settings: dict[str, Value] = {key: spec.default for key, spec in KEYS.items()}
    remotes: dict[str, dict[str, Value]] = {}
    said: dict[str, dict[str, Scope]] = {}
    trusted: set[str] = set()
    scopes: dict[str, set[Scope]] = {}
    sources = tuple(layers)
    for layer in sources:
        settings.update(layer.settings)
        trusted.update(layer.trusted)
        for name, fields in layer.remotes.items():
            scopes.setdefault(name, set()).add(layer.scope)
            remotes.setdefault(name, {key: spec.default for key, spec in REMOTE_KEYS.items()}).update(fields)
            said.setdefault(name, {}).update(dict.fromkeys(fields, layer.scope))
    for name in [name for name, fields in remotes.items() if fields["url"] is None]:
        if scopes[name] != {"user"}:
            raise ConfigError("configuration", f"remote {name} has no url")
        del remotes[name]  # a setting for remotes of that name in other projects
    return Config(
        settings,
        {name: Remote(name, fields, said[name]) for name, fields in remotes.items()},
        frozenset(trusted),
        sources,
    )


def with_profiles(config: Config, profile_settings: Callable[[str | None], Mapping[str, Value]]) -> Config:
    """The configuration where each S3 remote takes, of what nobody said, what its AWS profile says."""
    remotes = {}
    for name, remote in config.remotes.items():
        if remote.url.startswith("s3:"):
            found = profile_settings(remote.text("profile"))
            extra = {key: value for key, value in found.items() if key not in remote.scopes}
            scopes = {**remote.scopes, **dict.fromkeys(extra, _AWS)}
            remote = replace(remote, settings={**remote.settings, **extra}, scopes=scopes)
        remotes[name] = remote
    return replace(config, remotes=remotes)


def dump_config(mapping: Mapping[str, Value]) -> bytes:
    """A configuration file's bytes, format number first."""
    return dump_mapping({"lobsterdv": FORMAT} | {k: v for k, v in mapping.items() if k != "lobsterdv"})


def _parse_remotes(value: Value, scope: Scope, source: str) -> dict[str, Mapping[str, Value]]:
    if not isinstance(value, dict):
        raise ConfigError(source, "`remotes` is not a mapping of names to settings")
    remotes: dict[str, Mapping[str, Value]] = {}
    for name, fields in value.items():
        check_remote_name(name, source=source)
        if not isinstance(fields, dict):
            raise ConfigError(source, f"remotes.{name} is not a mapping")
        remotes[name] = {k: check_remote_value(name, k, v, scope, source=source) for k, v in fields.items()}
    return remotes
