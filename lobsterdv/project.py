"""open_project(): the only wiring. Here, and in the faces above, the environment, the clock and the home
directory are read; nothing below does."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping
from pathlib import Path

from lobsterdv.blobs.cache import Cache
from lobsterdv.documents import read_document
from lobsterdv.errors import NotAProject
from lobsterdv.events import Observer, silent
from lobsterdv.formats.aws_config import profile_settings
from lobsterdv.formats.config import Config, Layer, Remote, environment_layer, merge, parse_config, with_profiles
from lobsterdv.formats.settings import EMBEDDED, check_remote_value
from lobsterdv.formats.yamlio import MAX_BYTES, Value
from lobsterdv.git import Git
from lobsterdv.index.database import Index
from lobsterdv.index.ledger import IndexLedger
from lobsterdv.ops.context import Project
from lobsterdv.reading import read_whole
from lobsterdv.space import free_bytes
from lobsterdv.stores.base import Store

CONFIG_NAME = ".lobsterdv.yaml"


def open_project(
    folder: Path,
    *,
    environment: Mapping[str, str] | None = None,
    observer: Observer = silent,
    flags: Layer | None = None,
) -> Project:
    """The project that ``folder`` is in. Raises NoGit, NotAProject, ConfigError, FormatError, Refused."""
    variables = dict(os.environ if environment is None else environment)
    git = Git.find(folder, environment=variables)
    if not os.path.lexists(git.root / CONFIG_NAME):
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
            # What a repository brings may be a link to anything; one's own files may be links (dotfiles).
            data = read_document(path, MAX_BYTES, name=CONFIG_NAME) if scope == "tracked" else read_whole(path)
            layers.append(parse_config(data, scope, source=str(path)))  # type: ignore[arg-type]
        except FileNotFoundError:
            continue
    layers.append(environment_layer(variables))
    if flags is not None:
        layers.append(flags)
    return with_profiles(merge(layers), lambda profile: aws_settings(variables, profile))


def aws_settings(variables: Mapping[str, str], profile: str | None) -> Mapping[str, Value]:
    """What the user's AWS configuration says of S3 in a profile (None: the chain's), by our names."""
    home = os.path.join(variables.get("HOME") or "/", ".aws", "config")
    path = Path(variables.get("AWS_CONFIG_FILE") or home).expanduser()
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}  # as the AWS chain takes it
    chosen = profile or variables.get("AWS_PROFILE") or variables.get("AWS_DEFAULT_PROFILE")
    return profile_settings(text, chosen, source=str(path))


def user_config_path(variables: Mapping[str, str]) -> Path:
    """``$XDG_CONFIG_HOME/lobsterdv/config.yaml``."""
    base = variables.get("XDG_CONFIG_HOME") or os.path.join(variables.get("HOME") or "/", ".config")
    return Path(base) / "lobsterdv" / "config.yaml"


def open_remote(remote: Remote, config: Config, *, root: Path, variables: Mapping[str, str]) -> Store:
    """A configured remote's store. Raises Untrusted for what only a tracked file vouches for."""
    from lobsterdv.ops.store_options import s3_options  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.trust import distrust  # noqa: PLC0415 - start-up time
    from lobsterdv.stores.open import DirectoryPlace, open_store, parse_url  # noqa: PLC0415 - start-up time

    place = parse_url(remote.url)
    if isinstance(place, DirectoryPlace):
        path = place.path if place.path.is_absolute() else root / place.path
        return open_store(DirectoryPlace(path), None, create=remote.name == EMBEDDED)
    refused = None if variables.get("LOBSTERDV_TRUST_ENDPOINTS") == "1" else distrust(remote, config)
    if refused is not None:
        raise refused
    return open_store(place, s3_options(remote, place, root=root))


def open_place(url: str, settings: Mapping[str, Value], *, name: str, variables: Mapping[str, str]) -> Store:
    """The store at a URL that the user typed, with settings as of a remote called ``name``: it needs no project, and
    no trust beyond their word, but for an endpoint that is not encrypted. Raises ConfigError, Unencrypted."""
    checked = {key: check_remote_value(name, key, value, "flag", source=name) for key, value in settings.items()}
    layer = Layer("flag", "command line", {}, {name: {"url": url, **checked}})
    config = with_profiles(merge([layer]), lambda profile: aws_settings(variables, profile))
    return open_remote(config.remotes[name], config, root=Path(), variables=variables)


def flag_layer(settings: Mapping[str, Value]) -> Layer:
    """Command-line flags as the last configuration layer."""
    return Layer("flag", "command line", dict(settings), {})
