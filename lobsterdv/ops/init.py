"""init: make a git repository a project. Safe to repeat: what is there is kept."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lobsterdv import durable
from lobsterdv.documents import read_document
from lobsterdv.events import Observer
from lobsterdv.formats.config import dump_config
from lobsterdv.formats.yamlio import MAX_BYTES, Value, load_mapping
from lobsterdv.git import Git
from lobsterdv.ops.gitfiles import add_attributes, stage
from lobsterdv.paths import safe_path


@dataclass(frozen=True, slots=True)
class InitReport:
    """``created`` is False when the project was there; ``written`` are the files that changed."""

    root: str
    created: bool
    project_id: str
    remote: str | None
    written: list[str]


def init(
    git: Git,
    config_name: str,
    *,
    project_id: str,
    remote: tuple[str, Mapping[str, Value]] | None = None,
    staging: bool = True,
    observer: Observer,
) -> InitReport:
    """Write ``.lobsterdv.yaml`` and ``.gitattributes`` and stage them.

    ``project_id`` (32 random hex digits) is used for a new project; an existing one keeps its own.
    ``remote`` (name, settings) becomes the default remote.
    """
    path = git.root / config_name
    created = not os.path.lexists(path)
    old = {} if created else load_mapping(read_document(path, MAX_BYTES, name=config_name), what=config_name)
    mapping: dict[str, Value] = dict(old)
    mapping.setdefault("project", project_id)
    if remote is not None:
        name, settings = remote
        remotes = mapping.get("remotes")
        mapping["remotes"] = {**(remotes if isinstance(remotes, dict) else {}), name: dict(settings)}
        mapping["remote"] = name
    written = []
    if mapping != old:
        durable.write(path, dump_config(mapping), mode=None)
        written.append(safe_path(config_name))
    attributes = add_attributes(git.root)
    if attributes is not None:
        written.append(attributes)
    if staging:
        stage(git, [safe_path(config_name), safe_path(".gitattributes")] if created else written, observer=observer)
    return InitReport(str(git.root), created, str(mapping["project"]), remote[0] if remote else None, list(written))


def edit_config(path: Path, change: Mapping[str, Value]) -> None:
    """Replace top-level keys of a configuration file (None removes one), keeping the others."""
    old = load_mapping(path.read_bytes(), what=str(path)) if path.is_file() else {}
    merged = {k: v for k, v in {**old, **change}.items() if v is not None}
    durable.make_folder(path.parent)
    durable.write(path, dump_config(merged), mode=None)
