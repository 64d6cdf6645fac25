"""Work-tree data for the state machine: contents that repeat, edits, and exact pictures of what lies on disk."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from random import Random

from hypothesis import strategies as st

from tests.damage.oracle import Tree

KIB = 1 << 10
SIZES = [0, 1, 37, 4 * KIB, 64 * KIB, 256 * KIB - 1, 256 * KIB, 256 * KIB + 1]
HUGE = [8 * KIB * KIB - 1, 8 * KIB * KIB, 8 * KIB * KIB + 1]
"""At the borders where files begin to rest alone in the cache (256 KiB) and in the remote (8 MiB)."""
NAMES = ["a", "b", "c.txt", "sub/a", "sub/b", "sub/deep/x", "other/y y", "ü", "-rf"]
FOLDERS = ["sub", "other", "hollow", "sub/deep/hollow"]


def contents() -> st.SearchStrategy[bytes]:
    """Bytes from a small pool, so that equal contents meet in several places; now and then a large one."""
    sizes = st.one_of(*[st.sampled_from(SIZES)] * 15, st.sampled_from(HUGE))
    return st.builds(lambda size, seed: Random(seed).randbytes(size), sizes, st.integers(0, 3))


@st.composite
def edits(draw: st.DrawFn) -> tuple[str, str, bytes | str]:
    """One edit of a directory: what is done, where, and with what."""
    verb = draw(st.sampled_from(["write"] * 4 + ["delete", "delete folder", "exec", "link", "folder", "append"]))
    if verb in ("folder", "delete folder"):
        return verb, draw(st.sampled_from(FOLDERS)), b""
    name = draw(st.sampled_from(NAMES))
    if verb == "link":
        return verb, name, os.path.relpath(draw(st.sampled_from(NAMES)), os.path.dirname(name) or ".")
    return verb, name, draw(contents()) if verb == "write" else b""


def apply(root: Path, edit: tuple[str, str, bytes | str]) -> None:
    """Do one edit below ``root``, as a user's editor would: other things in the way are removed first."""
    verb, name, data = edit
    path = root / name
    if verb == "delete folder":
        shutil.rmtree(path, ignore_errors=True)
    elif verb in ("delete", "exec", "append"):
        if not path.is_file() or path.is_symlink():
            return
        if verb == "delete":
            path.unlink()
        elif verb == "exec":
            path.chmod(path.stat().st_mode ^ 0o111)
        else:
            with path.open("ab") as file:
                file.write(b"more")
    else:
        for parent in reversed(path.relative_to(root).parents[:-1]):
            _make_way(root / parent, folder=True)
        _make_way(path, folder=verb == "folder")
        if verb == "folder":
            path.mkdir(parents=True, exist_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(data, str):
            path.unlink(missing_ok=True)
            path.symlink_to(data)
        else:
            path.write_bytes(data)


def picture(place: Path) -> Tree | None:
    """What lies at a dataset's place, exactly; None when nothing does. A file or link alone has the path ''."""
    if not os.path.lexists(place):
        return None
    if not place.is_dir() or place.is_symlink():
        return {"": _node(place)}
    tree: Tree = {}
    for folder, folders, files in os.walk(place):
        here = Path(folder)
        for name in [*files, *(f for f in folders if (here / f).is_symlink())]:
            tree[(here / name).relative_to(place).as_posix()] = _node(here / name)
        if not folders and not files and here != place:
            tree[here.relative_to(place).as_posix()] = ("dir", b"")
    return tree


def _node(path: Path) -> tuple[str, bytes]:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return "link", os.readlink(path).encode()
    return "exec" if mode & 0o100 else "file", path.read_bytes()


def _make_way(path: Path, *, folder: bool) -> None:
    if path.is_symlink() or (path.is_file() and folder):
        path.unlink()
    elif path.is_dir() and not folder:
        shutil.rmtree(path)
