"""The trash: what would be gone for good otherwise, kept for a while. One entry a folder ``<unix time>-<id>/``, with
``<unix time>-<id>.json`` beside it that says why (docs/format.md, 9).

The note is written first, then things are renamed into the folder, so that a process killed in between leaves
each thing in its old place or in an entry that is listed. ``purge`` keeps the trash within its bounds, oldest first.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lobsterdv import durable

SAFE_S: Final = 86400
"""Nothing leaves the trash before it was there for a day, however full the trash is."""
_NAME: Final = re.compile(r"([0-9]{1,12})-[0-9a-f]{8}", re.ASCII)


@dataclass(frozen=True, slots=True)
class TrashEntry:
    """``at`` is seconds since 1970, ``size`` the bytes that lie there, ``about`` what its note says ({} without)."""

    folder: Path
    at: int
    size: int
    about: Mapping[str, Any]

    @property
    def name(self) -> str:
        return self.folder.name


def new_entry(trash: Path, *, now: float, about: Mapping[str, Any]) -> Path:
    """A new, empty entry; returns its folder. Raises LocalIOError."""
    folder = trash / f"{int(now)}-{secrets.token_hex(4)}"
    with durable.translating(folder):
        durable.make_folder(trash)
        write_note(folder, about)
        folder.mkdir()
        durable.sync_folder(trash)
    return folder


def write_note(folder: Path, about: Mapping[str, Any]) -> None:
    """Say what an entry holds."""
    note = json.dumps({"lobsterdv": 1, **about}, indent=1).encode() + b"\n"
    durable.write(folder.with_name(folder.name + ".json"), note, mode=0o600)


def trash_entries(trash: Path) -> list[TrashEntry]:
    """What lies in the trash, oldest first. Raises LocalIOError."""
    found = []
    with durable.translating(trash):
        try:
            names = sorted(os.listdir(trash))
        except FileNotFoundError:
            return []
        for name in names:
            match = _NAME.fullmatch(name)
            if match and (trash / name).is_dir():
                found.append(
                    TrashEntry(trash / name, int(match[1]), _size(trash / name), _about(trash / f"{name}.json"))
                )
    return sorted(found, key=lambda entry: (entry.at, entry.name))


def purge(trash: Path, *, now: float, most_bytes: int, most_s: float, act: bool = True) -> list[TrashEntry]:
    """Delete entries that are older than ``most_s`` seconds, then the oldest ones while more than ``most_bytes`` lie
    there, none of them younger than SAFE_S; returns them. Without ``act`` only says which."""
    entries = trash_entries(trash)
    left = sum(entry.size for entry in entries)
    gone = []
    for entry in entries:
        age = now - entry.at
        if age >= SAFE_S and (age > most_s or left > most_bytes):
            left -= entry.size
            gone.append(entry)
    for entry in gone if act else ():
        delete_entry(entry.folder)
    return gone


def delete_entry(folder: Path) -> None:
    """Delete an entry, its note last. May be repeated."""
    with durable.translating(folder):
        if folder.is_dir():
            shutil.rmtree(folder)
        folder.with_name(folder.name + ".json").unlink(missing_ok=True)


def _about(note: Path) -> Mapping[str, Any]:
    try:
        fields = json.loads(note.read_bytes())
    except (OSError, ValueError):
        return {}
    return fields if isinstance(fields, dict) else {}


def _size(folder: Path) -> int:
    return sum((Path(place) / name).lstat().st_size for place, _, names in os.walk(folder) for name in names)
