"""Staging folders and journals of checkouts: where new files are made, and the note that an exchange is under way."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from lobsterdv import durable, temps

_STAGE: Final = ".lobsterdv-stage-"
_OWNER: Final = re.compile(
    re.escape(_STAGE) + r"(?:(?P<node>[A-Za-z0-9._]*)-)?(?P<pid>[0-9]{1,10})-[0-9a-f]+$", re.ASCII
)
_FOREIGN_S: Final = 86400


def staging_folder(state: Path, place: Path) -> Path:
    """A private folder on the file system of ``place``: in the git folder, or beside it."""
    parent = place.parent
    with durable.translating(parent):
        durable.make_folder(parent)
        durable.make_folder(state / "stage")
        home = state / "stage"
        target = place if place.is_dir() else parent
        if home.stat().st_dev != target.stat().st_dev:
            home = parent
        stage = home / f"{_STAGE}{temps.node()}-{os.getpid()}-{os.urandom(6).hex()}"
        stage.mkdir(mode=0o700)
    return stage


def write_journal(state: Path, dataset: str, stage: Path, started: float) -> Path:
    """From here on an interruption may leave old and new files side by side; say of what."""
    folder = state / "journal"
    durable.make_folder(folder)
    path = folder / f"{stage.name.removeprefix(_STAGE)}.json"
    fields = {"dataset": dataset, "stage": str(stage), "started": started}
    durable.write(path, json.dumps(fields).encode() + b"\n", mode=0o600)
    return path


def interrupted(state: Path, *, now: float) -> list[str]:
    """Datasets whose checkout was interrupted during the exchange, from the journals that were left."""
    return sorted({fields["dataset"] for _, fields in _left_journals(state, now)})


def tidy(state: Path, dataset: str, place: Path, *, now: float) -> None:
    """After a checkout that went well: forget interrupted ones of the dataset, and remove what processes that
    are gone had staged."""
    for path, fields in _left_journals(state, now):
        if fields["dataset"] == dataset:
            path.unlink(missing_ok=True)
    for home in (state / "stage", place.parent):
        for stage in home.glob(f"{_STAGE}*"):
            if not _is_in_use(stage, now):
                shutil.rmtree(stage, ignore_errors=True)


def _left_journals(state: Path, now: float) -> Iterator[tuple[Path, dict[str, str]]]:
    for path in sorted((state / "journal").glob("*.json")):
        try:
            fields = json.loads(path.read_bytes())
            dataset, stage = str(fields["dataset"]), str(fields["stage"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if not _is_in_use(Path(stage), now):
            yield path, {"dataset": dataset, "stage": stage}


def _is_in_use(stage: Path, now: float) -> bool:
    """True while the process that made a staging folder is at work in it. One of another machine or container, which
    shares this folder, cannot be asked for: it counts as at work until nothing has come or gone there for a day."""
    name = _OWNER.match(stage.name)
    try:
        changed = max(path.stat().st_mtime for path in (stage, stage / "tree") if path is stage or path.is_dir())
    except OSError:
        return False
    if name is None:
        return False
    gone = temps.is_gone(name["node"] or temps.node(), int(name["pid"]))
    return now - changed < _FOREIGN_S if gone is None else not gone
