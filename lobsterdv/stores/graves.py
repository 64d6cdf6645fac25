"""Files on their way out: renamed first and then looked at, so that one that was refreshed meanwhile gets its name
back, also when the process that renamed it was killed.

``.tmp-grave-<node>-<pid>-<16 hex>-<name>`` beside where the file lay. ``temps.sweep`` does not know these names.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Final

from lobsterdv import durable, temps

_NAME: Final = re.compile(
    r"\.tmp-grave-(?P<node>[A-Za-z0-9._]*)-(?P<pid>[0-9]{1,10})-[0-9a-f]{16}-(?P<name>[^/]+)", re.ASCII
)


def bury(path: Path) -> Path:
    """Take a file away from its name, and give it that of a grave. Raises OSError."""
    own = temps.temp_path(path.parent).name.removeprefix(temps.PREFIX)
    grave = path.with_name(f"{temps.PREFIX}grave-{own}-{path.name}")
    path.rename(grave)
    return grave


def give_back(grave: Path, path: Path) -> None:
    """Have a file its name again, unless there is a newer one; then it goes. May be raced. Raises OSError."""
    with suppress(FileNotFoundError):
        with suppress(FileExistsError):
            durable.link_or_rename(grave, path)
        durable.sync_folder(path.parent)
        grave.unlink()


def open_old(folder: Path) -> None:
    """Give back what processes of this machine that were killed left in graves. What cannot be given back stays."""
    with suppress(OSError):
        for name in os.listdir(folder):
            found = _NAME.fullmatch(name)
            if found and temps.is_gone(found["node"], int(found["pid"])):
                with suppress(OSError):
                    give_back(folder / name, folder / found["name"])
