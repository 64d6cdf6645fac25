"""Configuration: every key, its type, its default and where it may stand (docs/format.md, section 10).

Files are the YAML subset of pointers. Later wins: user, tracked, private, environment, flags. A tracked
file comes with whatever repository one clones, so it may hold only the keys marked ``tracked``, never
a secret, never a path of a machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from lobsterdv.errors import ConfigError
from lobsterdv.formats.layout import PROJECT_ID
from lobsterdv.formats.yamlio import FORMAT, Value, check_format, dump_mapping, load_mapping
from lobsterdv.redaction import holds_secret, redacted

Scope = Literal["tracked", "private", "user", "environment", "flag"]
KiB, MiB, GiB = 1 << 10, 1 << 20, 1 << 30
LINK_TYPES: Final = ("reflink", "copy", "hardlink", "symlink")
EMBEDDED: Final = "embedded"
"""The name of the remote in the git folder that serves until another is added."""

_SECRET: Final = re.compile(r"secret|password|passwd|token|access_key|credential|private_key|sse_c", re.IGNORECASE)
_REMOTE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_SIZE: Final = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,18})?) ?(B|kB|KB|MB|GB|TB|KiB|MiB|GiB|TiB)?")
_STORAGE_CLASS: Final = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
ARCHIVING: Final = ("GLACIER", "DEEP_ARCHIVE")
"""Storage classes that nothing may be pushed to: what lies there must be restored before it can be read."""
_UNITS: Final = {
    "B": 1, "kB": 1000, "KB": 1000, "MB": 1000**2, "GB": 1000**3, "TB": 1000**4,
    "KiB": KiB, "MiB": MiB, "GiB": GiB, "TiB": 1 << 40,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Key:
    """One setting. ``kind`` is how its text is read; ``tracked`` whether a cloned repository may set it."""

    kind: Literal["text", "size", "count", "switch", "choice", "links", "digest-id", "storage class"]
    default: Value
    tracked: bool
    help: str
    choices: tuple[str, ...] = ()
    least: int = 0
    most: int = 1 << 62


KEYS: Final[Mapping[str, Key]] = {
    "project": Key("digest-id", None, True, "the project's random id, written by `lobsterdv init`"),
    "remote": Key("text", EMBEDDED, True, "the remote that push and pull use"),
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
REMOTE_KEYS: Final[Mapping[str, Key]] = {
    "url": Key("text", None, True, "s3://bucket/prefix or a directory"),
    "endpoint_url": Key("text", None, True, "of an S3 server other than AWS"),
    "region": Key("text", None, True, "of the bucket"),
    "profile": Key("text", None, True, "in the AWS configuration files"),
    "addressing": Key("choice", "auto", True, "how requests name the bucket", choices=("auto", "path", "virtual")),
    "concurrency": Key("count", 10, True, "requests at once", least=1, most=256),
    "multipart_threshold": Key("size", 100 * 1000**2, True, "larger files go up in parts", least=5 * MiB, most=5 * GiB),
    "part_size": Key("size", 10 * 1000**2, True, "of these parts; grows with the file", least=5 * MiB, most=5 * GiB),
    "connect_timeout": Key("count", 10, True, "seconds to wait for a connection", least=1, most=3600),
    "read_timeout": Key("count", 60, True, "seconds to wait for an answer", least=1, most=3600),
    "attempts": Key("count", 5, True, "tries of a request, in all", least=1, most=100),
    "compression": Key(
        "choice",
        "auto",
        True,
        "zstd where a sample shows that it pays: auto, none, or a level from 1 to 19",
        choices=("auto", "none", *map(str, range(1, 20))),
    ),
    "storage_class": Key("storage class", None, True, "of objects that are pushed: STANDARD_IA, GLACIER_IR, ..."),
    "checksum": Key(
        "choice", "auto", True, "checksum sent for the server to verify", choices=("auto", "crc32", "none")
    ),
}


@dataclass(frozen=True, slots=True)
class Remote:
    """One configured remote: its name, its settings (all REMOTE_KEYS) and the scope that named its endpoint."""

    name: str
    settings: Mapping[str, Value]
    endpoint_scope: Scope | None

    @property
    def url(self) -> str:
        return str(self.settings["url"])

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
        return Remote(self.name, {**self.settings, key: checked}, self.endpoint_scope)


@dataclass(frozen=True, slots=True)
class Config:
    """The merged configuration."""

    settings: Mapping[str, Value]
    remotes: Mapping[str, Remote]
    trusted: frozenset[str]
    """``name url endpoint`` of the remotes this user trusts, from the private configuration."""

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
    endpoint_scopes: dict[str, Scope] = {}
    trusted: set[str] = set()
    scopes: dict[str, set[Scope]] = {}
    for layer in layers:
        settings.update(layer.settings)
        trusted.update(layer.trusted)
        for name, fields in layer.remotes.items():
            scopes.setdefault(name, set()).add(layer.scope)
            remotes.setdefault(name, {key: spec.default for key, spec in REMOTE_KEYS.items()}).update(fields)
            if "endpoint_url" in fields or "url" in fields:
                endpoint_scopes[name] = layer.scope
    for name in [name for name, fields in remotes.items() if fields["url"] is None]:
        if scopes[name] != {"user"}:
            raise ConfigError("configuration", f"remote {name} has no url")
        del remotes[name]  # a setting for remotes of that name in other projects
    return Config(
        settings,
        {name: Remote(name, fields, endpoint_scopes.get(name)) for name, fields in remotes.items()},
        frozenset(trusted),
    )


def trust_line(name: str, url: str, endpoint_url: str | None) -> str:
    """What `remote trust` writes down: another url or endpoint under the same name is not trusted."""
    return f"{name} {url} {endpoint_url or '-'}"


def check_value(key: str, value: Value, scope: Scope, *, source: str) -> Value:
    """One top-level setting, checked and converted. Raises ConfigError."""
    if key not in KEYS:
        raise ConfigError(source, _unknown(key, KEYS))
    return _convert(key, KEYS[key], value, scope, source)


def check_remote_value(name: str, key: str, value: Value, scope: Scope, *, source: str) -> Value:
    """One setting of a remote, checked and converted. Raises ConfigError."""
    if key not in REMOTE_KEYS:
        raise ConfigError(source, _unknown(f"remotes.{name}.{key}", [f"remotes.{name}.{k}" for k in REMOTE_KEYS]))
    if key in ("url", "endpoint_url") and isinstance(value, str) and holds_secret(value):
        problem = "it holds a password or a signature; credentials belong to the AWS chain (a profile, the environment)"
        raise ConfigError(source, f"`remotes.{name}.{key}`: {problem}")
    return _convert(f"remotes.{name}.{key}", REMOTE_KEYS[key], value, scope, source)


def dump_config(mapping: Mapping[str, Value]) -> bytes:
    """A configuration file's bytes, format number first."""
    return dump_mapping({"lobsterdv": FORMAT} | {k: v for k, v in mapping.items() if k != "lobsterdv"})


def check_remote_name(name: str, *, source: str) -> str:
    if not _REMOTE_NAME.fullmatch(name):
        raise ConfigError(source, f"{name!r} is no name for a remote (letters, digits, - and _, at most 64)")
    return name


def parse_size(text: str) -> int:
    """``10MB``, ``64 MiB`` or plain bytes, to bytes. Raises ValueError."""
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{text!r} is not a size such as 10MB or 64MiB")
    return int(float(match[1]) * _UNITS[match[2] or "B"])


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


def _convert(name: str, key: Key, value: Value, scope: Scope, source: str) -> Value:
    if scope == "tracked" and not key.tracked:
        raise ConfigError(source, f"`{name}` belongs to a machine or user, not into the tracked file")
    try:
        match key.kind:
            case "text" if isinstance(value, str) and value and value.isprintable():
                return value
            case "digest-id" if isinstance(value, str) and PROJECT_ID.fullmatch(value):
                return value
            case "switch":
                if isinstance(value, bool):
                    return value
                if isinstance(value, str) and value.lower() in ("on", "off", "true", "false", "yes", "no", "1", "0"):
                    return value.lower() in ("on", "true", "yes", "1")
            case "storage class" if isinstance(value, str) and _STORAGE_CLASS.fullmatch(value):
                if value in ARCHIVING:
                    problem = (
                        f"{value} would make every reader wait for hours; `lobsterdv remote tier` archives old versions"
                    )
                    raise ConfigError(source, f"`{name}`: {problem}")
                return value
            case "choice" if str(value) in key.choices and not isinstance(value, bool):
                return str(value)
            case "links":
                links: Value = [*value.split(",")] if isinstance(value, str) else value
                if isinstance(links, list) and links and all(link in LINK_TYPES for link in links):
                    return links
            case "size" | "count" if not isinstance(value, bool) and isinstance(value, int | str):
                number = value if isinstance(value, int) else (parse_size(value) if key.kind == "size" else int(value))
                if not key.least <= number <= key.most:
                    raise ConfigError(source, f"`{name}` must be between {key.least} and {key.most}")
                return number
    except ValueError as error:
        raise ConfigError(source, f"`{name}`: {error}") from None
    if value is None:
        return key.default
    wanted = (
        f"one of {', '.join(key.choices)}"
        if key.choices
        else {"links": f"of {', '.join(LINK_TYPES)}"}.get(key.kind, f"a {key.kind}")
    )
    raise ConfigError(source, f"`{name}` cannot be {redacted(str(value))[:60]!r}; it is {wanted}")


def _unknown(key: str, known: Iterable[str]) -> str:
    if _SECRET.search(key):
        return f"`{key}` looks like a secret; secrets are never kept here (use an AWS profile or the environment)"
    close = min(known, key=lambda k: (sum(a != b for a, b in zip(k, key, strict=False)) + abs(len(k) - len(key)), k))
    return f"unknown setting `{key}`" + (f" (did you mean `{close}`?)" if close[:2] == key[:2] else "")
