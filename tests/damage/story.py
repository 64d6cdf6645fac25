"""The story that is damaged: three datasets in two versions each, pushed to a directory remote."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from lobsterdv.formats import manifest
from tests.damage.oracle import Tree
from tests.ops.lab import Lab
from tests.properties.trees import picture

DATASETS = ["large.bin", "lib/small.csv", "tree"]
VERSIONS = ["v1", "v2"]


@dataclass
class Story:
    """``trees`` are by (tag, dataset). The owner's work tree is at v2."""

    owner: Lab
    remote: Path
    trees: dict[tuple[str, str], Tree]
    pointers: dict[tuple[str, str], bytes]

    def guest(self, root: Path) -> Lab:
        """Somebody's fresh clone: no cache, no index, no data."""
        return self.owner.clone(root)


def tell(folder: Path, *, until: str = "pushed", large: int = (8 << 20) + 4321, many: int = 0) -> Story:
    """Live through the story, ``until`` v2 is ``written``, ``added`` or ``pushed``. Manifests are cut into segments
    early, so that there are some. ``large.bin`` has ``large`` bytes at v2: from 8 MiB it is alone in an object.
    ``many`` more files lie nested in ``tree``."""
    folder.mkdir(exist_ok=True)
    (folder / "remote").mkdir()
    owner = Lab.create(folder / "owner", home=folder / "home")
    config = owner.read(".lobsterdv.yaml").decode()
    owner.write(".lobsterdv.yaml", f'{config}remote: shared\nremotes:\n  shared:\n    url: "{folder / "remote"}"\n')
    owner.git("commit", "-qam", "remote")
    owner.reopen()
    story = Story(owner, folder / "remote", {}, {})
    for tag in VERSIONS:
        write_version(owner, tag, large)
        for number in range(many):
            owner.write(f"tree/nest/{number % 7}/{number % 3}/{number}", f"{tag if number % 2 else 'same'} {number}")
        for dataset in DATASETS:
            story.trees[tag, dataset] = picture(owner.path(dataset)) or {}
        if tag == "v1" or until != "written":
            owner.add(*DATASETS)
            owner.commit(tag=tag)
            for dataset in DATASETS:
                story.pointers[tag, dataset] = owner.read(f"{dataset}.ldv.yaml")
    if until == "pushed":
        push_in_segments(owner)
    return story


def write_version(lab: Lab, tag: str, large: int) -> None:
    random = Random(tag)
    lab.write("large.bin", random.randbytes(large if tag == "v2" else 4321))
    lab.write("lib/small.csv", f"gene,count\n{tag},1\n")
    shutil.rmtree(lab.path("tree"), ignore_errors=True)
    lab.write("tree/always", "the same in both")
    lab.write("tree/medium", random.randbytes(300 << 10))
    for number in range(8):
        lab.write(f"tree/sub/{number}", f"{tag} {number}" * 50, mode=0o755 if number == 3 else None)
    lab.write("tree/nothing", "")
    lab.path("tree/hollow").mkdir()
    lab.path("tree/link").symlink_to("sub/1")


def push_in_segments(lab: Lab) -> None:
    """Push as if a handful of rows were many."""
    inline, rows = manifest.INLINE_ROWS, manifest.SEGMENT_ROWS
    manifest.INLINE_ROWS, manifest.SEGMENT_ROWS = 8, 5  # type: ignore[misc]
    try:
        lab.push()
    finally:
        manifest.INLINE_ROWS, manifest.SEGMENT_ROWS = inline, rows  # type: ignore[misc]


def forget_everything(lab: Lab) -> None:
    """Make a clone fresh again: no data, no cache, no index."""
    for dataset in DATASETS:
        path = lab.path(dataset)
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    lab.git("checkout", "-q", ".")
    lab.lose_cache()


def damages(data: bytes, other: bytes | None) -> Iterator[tuple[str, bytes | None]]:
    """Every way to damage a value: a name and the damaged value, None when it is gone. ``other`` is a valid
    value of the same kind."""
    middle = len(data) // 2
    yield "truncated", data[:middle]
    yield "flipped", data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
    yield "flipped at the end", data[:-1] + bytes([data[-1] ^ 0x80])
    yield "emptied", b""
    yield "extended", data + b"\0"
    yield "deleted", None
    if other is not None:
        yield "replaced", other


def put(path: Path, data: bytes | None) -> None:
    """Write a damaged value where only lobsterdv writes."""
    path.unlink(missing_ok=True)
    if data is not None:
        path.write_bytes(data)


def other_of(path: Path, root: Path) -> bytes | None:
    """A valid value of the same kind: the next file in the same top folder that has other bytes."""
    top = root / path.relative_to(root).parts[0]
    if not top.is_dir():
        return None
    files = sorted(p for p in top.rglob("*") if p.is_file() and p.suffix == path.suffix)
    position = files.index(path)
    return next((p.read_bytes() for p in files[position + 1 :] + files[:position]), None)


def attempt(verb: Callable[..., object]) -> Exception | None:
    """What a verb raised, if anything."""
    try:
        verb()
    except Exception as error:
        return error
    return None
