"""What lies beside a project, at home and among the temporary files is nobody's to write: it is looked at after every
job of the nursery in a project where canaries were planted, so that whatever is killed or refused there is judged by
it."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

State = dict[str, tuple[object, ...]]
_watched: dict[Path, Canaries] = {}


@dataclass(frozen=True)
class Canaries:
    """``state`` is all that lies below ``here``, but for the folders that are ``ours`` to write."""

    here: Path
    ours: tuple[Path, ...]
    state: State


def plant(root: Path, env: dict[str, str], *remotes: Path) -> None:
    """Put canaries beside the project at ``root``, and watch from now on all of the folder that it lies in: besides the
    project only ``remotes`` may change. ``env`` gets a folder there for temporary files."""
    here = root.parent
    env["TMPDIR"] = str(here / "temporary")
    home = Path(env["HOME"])
    assert home.is_relative_to(here), "a home that nobody watches"
    for folder in (here / "beside", home, home / ".ssh", home / "config", home / ".cache", here / "temporary"):
        folder.mkdir(exist_ok=True)
        (folder / "canary").write_bytes(f"nobody but me writes in {folder.name}".encode())
    (here / "beside/link").symlink_to("canary")
    (here / "beside/empty").mkdir()
    ours = (root, *remotes)
    _watched[root] = Canaries(here, ours, _state(here, ours))


def check(root: Path) -> None:
    """Raises AssertionError that says what is new, gone or other there. A project without canaries is not looked at."""
    canaries = _watched.get(root)
    if canaries is not None:
        now = _state(canaries.here, canaries.ours)
        wrong = sorted(path for path in now.keys() | canaries.state.keys() if now.get(path) != canaries.state.get(path))
        assert not wrong, f"something was written beside the project: {wrong}"


def _state(here: Path, ours: tuple[Path, ...]) -> State:
    found: State = {}
    pending = [here]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                path = Path(entry.path)
                if path in ours:
                    continue
                info = entry.stat(follow_symlinks=False)
                what: object = None
                if stat.S_ISDIR(info.st_mode):
                    pending.append(path)
                elif stat.S_ISLNK(info.st_mode):
                    what = os.readlink(path)
                elif stat.S_ISREG(info.st_mode):
                    what = info.st_mtime_ns, path.read_bytes()
                found[str(path.relative_to(here))] = info.st_mode, what
    return found
