"""open_project(): the only wiring. Here, and in the faces above, the environment, the clock and the home
directory are read; nothing below does."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from lobsterdv.blobs.cache import Cache
from lobsterdv.errors import NotAProject, Unencrypted, Untrusted
from lobsterdv.events import Observer, silent
from lobsterdv.formats.config import (
    EMBEDDED,
    Config,
    Layer,
    Remote,
    environment_layer,
    merge,
    parse_config,
    trust_line,
)
from lobsterdv.formats.layout import OBJECTS
from lobsterdv.formats.yamlio import Value
from lobsterdv.git import Git
from lobsterdv.index.database import Index
from lobsterdv.index.ledger import IndexLedger
from lobsterdv.ops.context import Project
from lobsterdv.space import free_bytes
from lobsterdv.stores.base import Store

if TYPE_CHECKING:
    from lobsterdv.stores.open import S3Place
    from lobsterdv.stores.s3_options import S3Options

CONFIG_NAME = ".lobsterdv.yaml"


def open_project(
    folder: Path,
    *,
    environment: Mapping[str, str] | None = None,
    observer: Observer = silent,
    flags: Layer | None = None,
) -> Project:
    """The project that ``folder`` is in. Raises NoGit, NotAProject, ConfigError, FormatError."""
    variables = dict(os.environ if environment is None else environment)
    git = Git.find(folder, environment=variables)
    if not (git.root / CONFIG_NAME).is_file():
        raise NotAProject(str(folder))
    return wire(git, variables, observer=observer, flags=flags)


def wire(git: Git, variables: Mapping[str, str], *, observer: Observer, flags: Layer | None = None) -> Project:
    """Put a project's parts together; its configuration file may be missing (``init`` writes it)."""
    state = git.common_dir / "lobsterdv"
    config = load_config(git.root, state, variables, flags)
    index = Index(state / "index.db", observer)
    folder = Path(config.text("cache.dir") or state / "cache").expanduser()
    cache = Cache(folder, ledger=IndexLedger(index), now=time.time)

    def opener(remote: Remote) -> Store:
        return open_remote(remote, config, root=git.root, variables=variables)

    return Project(
        root=git.root,
        state=state,
        git=git,
        config=config,
        cache=cache,
        index=index,
        now=time.time,
        host=platform.node(),
        open_store=opener,
        observer=observer,
        free_bytes=free_bytes,
    )


def load_config(root: Path, state: Path, variables: Mapping[str, str], flags: Layer | None = None) -> Config:
    """User, tracked, private, environment and flags, later wins; the embedded remote is always there."""
    layers = [Layer("private", "built in", {}, {EMBEDDED: {"url": str(state / "remote")}})]
    for path, scope in (
        (user_config_path(variables), "user"),
        (root / CONFIG_NAME, "tracked"),
        (state / "config.yaml", "private"),
    ):
        try:
            layers.append(parse_config(path.read_bytes(), scope, source=str(path)))  # type: ignore[arg-type]
        except FileNotFoundError:
            continue
    layers.append(environment_layer(variables))
    if flags is not None:
        layers.append(flags)
    return merge(layers)


def user_config_path(variables: Mapping[str, str]) -> Path:
    """``$XDG_CONFIG_HOME/lobsterdv/config.yaml``."""
    base = variables.get("XDG_CONFIG_HOME") or os.path.join(variables.get("HOME") or "/", ".config")
    return Path(base) / "lobsterdv" / "config.yaml"


def open_remote(remote: Remote, config: Config, *, root: Path, variables: Mapping[str, str]) -> Store:
    """A configured remote's store. Raises Untrusted for an endpoint that only a tracked file vouches for."""
    from lobsterdv.stores.open import DirectoryPlace, open_store, parse_url  # noqa: PLC0415 - start-up time

    place = parse_url(remote.url)
    if isinstance(place, DirectoryPlace):
        path = place.path if place.path.is_absolute() else root / place.path
        return open_store(DirectoryPlace(path), None, create=remote.name == EMBEDDED)
    check_trust(remote, config, variables)
    return open_store(place, s3_options(remote, place))


def check_trust(remote: Remote, config: Config, variables: Mapping[str, str]) -> None:
    """An endpoint from a cloned repository, and any that is not encrypted, gets our requests, signed, only after
    `remote trust`. This machine may always have them."""
    from lobsterdv.stores.open import is_loopback, is_unencrypted  # noqa: PLC0415 - start-up time

    endpoint = remote.text("endpoint_url")
    if endpoint is None or is_loopback(endpoint) or variables.get("LOBSTERDV_TRUST_ENDPOINTS") == "1":
        return
    if trust_line(remote.name, remote.url, endpoint) in config.trusted:
        return
    if is_unencrypted(endpoint):
        raise Unencrypted(remote.name, endpoint)
    if remote.endpoint_scope == "tracked":
        raise Untrusted(remote.name, endpoint)


def s3_options(remote: Remote, place: S3Place) -> S3Options:
    """A remote's settings as the S3 store takes them."""
    from lobsterdv.stores.s3_options import S3Options  # noqa: PLC0415 - start-up time

    return S3Options(
        bucket=place.bucket,
        prefix=place.prefix,
        endpoint_url=remote.text("endpoint_url") or "",
        region=remote.text("region") or "",
        profile=remote.text("profile") or "",
        addressing=cast(Literal["auto", "path", "virtual"], remote.text("addressing")),
        part_size=remote.number("part_size"),
        multipart_threshold=remote.number("multipart_threshold"),
        concurrency=remote.number("concurrency"),
        connect_timeout=remote.number("connect_timeout"),
        read_timeout=remote.number("read_timeout"),
        attempts=remote.number("attempts"),
        checksum=cast(Literal["auto", "crc32", "none"], remote.text("checksum")),
        storage_class=remote.text("storage_class") or "",
        class_prefix=OBJECTS,
    )


def flag_layer(settings: Mapping[str, Value]) -> Layer:
    """Command-line flags as the last configuration layer."""
    return Layer("flag", "command line", dict(settings), {})
