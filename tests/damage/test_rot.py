"""Bits that flip, ends that are lost, files that vanish, anywhere in a cache or a remote, by chance: ``verify`` sees
every one, sets it aside, and heals it from the copy that is good.

Where and how is drawn from a seed, so a case that fails can be had again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random

import pytest
from blake3 import blake3

from lobsterdv.errors import FormatError
from lobsterdv.formats import manifest
from lobsterdv.ops.verify import VerifyReport, verify, verify_remote
from tests.damage.counting import Counters
from tests.damage.oracle import Tree, Wrong, load, restore
from tests.damage.story import DATASETS, Story, put, tell
from tests.damage.test_kill_room import whole
from tests.ops.lab import Lab

HOWS = ("flipped", "flipped", "flipped", "flipped", "flipped", "zeroed", "truncated", "extended", "deleted")
"""Bits flip most often."""
PARTS = {"cache": ("files", "packs", "listings"), "remote": ("objects", "manifests", "segments", "catalog")}


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    told = tell(tmp_path / "story", large=300 << 10)
    yield told
    told.owner.close()


def damaged(data: bytes, how: str, random: Random) -> bytes | None:
    """Other bytes than ``data``, or none."""
    at = random.randrange(len(data))
    match how:
        case "flipped":
            return data[:at] + bytes([data[at] ^ (1 << random.randrange(8))]) + data[at + 1 :]
        case "zeroed":
            zeroed = data[:at] + bytes(min(512, len(data) - at)) + data[at + 512 :]
            return zeroed if zeroed != data else damaged(data, "flipped", random)
        case "truncated":
            return data[:at]
        case "extended":
            return data + random.randbytes(1 + at % 100)
    return None


def look(lab: Lab, place: str) -> VerifyReport:
    """Read everything that any version needs there, and heal it."""
    if place == "cache":
        return verify(lab.project, everything=True, repair=True, observer=lab.observe)
    return verify_remote(lab.project, everything=True, level="data", repair=True, observer=lab.observe)


@pytest.mark.parametrize("times", [12, pytest.param(500, marks=pytest.mark.faults)])
@pytest.mark.parametrize("place", list(PARTS))
def test_rot_is_seen_set_aside_and_healed(
    place: str, times: int, story: Story, counters: Counters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest, "INLINE_ROWS", 8)  # as the story's push had it: what is sent again is the same
    monkeypatch.setattr(manifest, "SEGMENT_ROWS", 5)
    current = [story.trees["v2", dataset] for dataset in DATASETS]  # old versions need not be in a cache
    needed = {blake3(node[1]).digest() for tree in current for node in tree.values() if node[0] in ("file", "exec")}
    needed.discard(blake3(b"").digest())
    lab, random = story.owner, Random(f"{place} {times}")
    folder = lab.project.cache.folder if place == "cache" else story.remote
    quarantine, what = (
        lab.project.cache.folder / "quarantine",
        f"rot by chance in a {place}: seen or harmless, and healed",
    )

    def is_whole() -> bool:
        if place == "cache":
            try:
                return needed <= whole(folder)
            except FormatError:
                return False
        remote = load(folder)
        return all(restored(remote, pointer) == story.trees[version] for version, pointer in story.pointers.items())

    seen = 0
    for _ in range(times):
        path, how = random.choice(_files(folder, PARTS[place])), random.choice(HOWS)
        value = damaged(path.read_bytes(), how, random)
        case = f"{how} {path.relative_to(folder)}"
        put(path, value)
        lab.reopen().warnings.clear()
        counters.tried(what)
        is_harmless = is_whole()  # in what nobody needs any more, or behind the end
        told = bool(look(lab, place).damages or lab.warnings)
        assert told or is_harmless, f"{case}: not seen"
        if place == "cache" and value is not None and told:
            kept = [p.read_bytes() for p in (path, *quarantine.rglob("*")) if p.is_file()]
            # A pack stays, with a note of what it lacks, until one that is made alike, and whole, takes its name.
            is_made_anew = path.suffix == ".pack" and blake3(kept[0]).hexdigest() == path.stem
            assert value in kept or is_made_anew, f"{case}: not set aside, but gone"
        assert not look(lab, place).damages, f"{case}: not healed"
        if place == "cache":  # what was lost with an index counts as not here, and is fetched
            lab.fetch()
        assert is_whole(), f"{case}: not healed"
        seen += told
        counters.survived(what)
    assert seen * 4 > times * 3


def restored(remote: Mapping[str, bytes], pointer: bytes) -> Tree | None:
    try:
        return restore(remote, pointer)
    except (Wrong, ValueError, KeyError):
        return None


def _files(folder: Path, parts: tuple[str, ...]) -> list[Path]:
    found = [p for part in parts for p in (folder / part).rglob("*") if p.is_file() and not p.name.startswith(".tmp-")]
    return sorted(p for p in found if p.stat().st_size and p.suffix != ".lost")
