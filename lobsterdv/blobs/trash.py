"""The trash: what would be gone for good otherwise, kept for a while. One entry a folder ``<unix time>-<id>/``, with
``<unix time>-<id>.json`` beside it that says why (docs/format.md, 9).

The note is written first, then things are renamed into the folder, so that a process killed in between leaves
each thing in its old place or in an entry that is listed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from lobsterdv import durable
from lobsterdv.digest import Digest
from lobsterdv.errors import FormatError
from lobsterdv.formats.pack import parse_pack_index

SAFE_S: Final = 86400
"""Nothing leaves the trash before it was there for a day, however full the trash is."""
_NAME: Final = re.compile(r"([0-9]{1,12})-[0-9a-f]{8}", re.ASCII)
_HEX: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


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
    folder = trash / f"{int(now)}-{os.urandom(4).hex()}"
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
                found.append(TrashEntry(trash / name, int(match[1]), _size(trash / name), read_note(trash / name)))
    return sorted(found, key=lambda entry: (entry.at, entry.name))


def out_of_bounds(entries: Iterable[TrashEntry], *, now: float, most_bytes: int, most_s: float) -> list[TrashEntry]:
    """Of entries, oldest first, those that are older than ``most_s`` seconds, then the oldest ones while more than
    ``most_bytes`` lie there, none of them younger than SAFE_S."""
    rows = list(entries)
    left = sum(entry.size for entry in rows)
    gone = []
    for entry in rows:
        age = now - entry.at
        if age >= SAFE_S and (age > most_s or left > most_bytes):
            left -= entry.size
            gone.append(entry)
    return gone


class Held(NamedTuple):
    """What an entry holds of a cache: contents and listings, by name."""

    contents: set[bytes]
    listings: set[Digest]


def held_in(entry: Path) -> Held:
    """What the names in an entry, and its packs' indexes, tell. An index that cannot be read tells nothing."""
    held = Held(set(), set())
    with durable.translating(entry):
        held.contents.update(bytes.fromhex(path.name) for path in _named(entry / "files"))
        held.listings.update(Digest(bytes.fromhex(path.name)) for path in _named(entry / "listings"))
        for path in sorted((entry / "packs").glob("*.idx")):
            try:
                held.contents.update(parse_pack_index(path.read_bytes(), what=str(path)).names())
            except FormatError:
                continue
    return held


def delete_entry(folder: Path) -> None:
    """Delete an entry, its note last. May be repeated."""
    with durable.translating(folder):
        if folder.is_dir():
            shutil.rmtree(folder)
        folder.with_name(folder.name + ".json").unlink(missing_ok=True)


def read_note(folder: Path) -> Mapping[str, Any]:
    """What an entry's note says; {} when it cannot be read."""
    try:
        fields = json.loads(folder.with_name(folder.name + ".json").read_bytes())
    except (OSError, ValueError):
        return {}
    return fields if isinstance(fields, dict) else {}


def _named(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if _HEX.fullmatch(path.name))


def _size(folder: Path) -> int:
    return sum((Path(place) / name).lstat().st_size for place, _, names in os.walk(folder) for name in names)
