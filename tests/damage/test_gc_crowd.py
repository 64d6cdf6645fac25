"""Commands of all kinds while the cache is collected again and again: nothing that a pointer names is ever gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.damage.counting import Counters
from tests.damage.killing import Nursery
from tests.damage.oracle import check_cache, check_remote, load, restore_from_cache
from tests.ops.lab import Lab
from tests.ops.tidying import cache_of, forget_history, share, version

ROUNDS, DATASETS = 2, 4
"""In the default suite; more of both in ``make test-faults``."""


@pytest.mark.parametrize(("rounds", "datasets"), [(ROUNDS, DATASETS), pytest.param(6, 6, marks=pytest.mark.faults)])
def test_gc_beside_add_push_and_checkout(
    rounds: int, datasets: int, tmp_path: Path, nursery: Nursery, counters: Counters
) -> None:
    """Content that is collected as unnamed is what an add beside it is about to name. No time protects it: only the
    lock is between them."""
    lab = share(Lab.create(tmp_path / "lab", home=tmp_path / "home"), tmp_path / "store")
    names = [f"d{number}" for number in range(datasets)]
    for turn in range(rounds):
        for name in names:  # versions that nothing names: an add will want them again
            version(lab, name, {"small": f"{turn} {name}".encode(), "big": f"{turn} {name} ".encode() * 40_000})
            version(lab, name, {"other": f"{turn}".encode()})
        forget_history(lab)
        lab.project.close()
        for name in names:
            lab.write(f"{name}/small", f"{turn} {name}")
            lab.write(f"{name}/big", f"{turn} {name} " * 40_000)
            lab.path(f"{name}/other").unlink()
        commands = [["add", name] for name in names]
        commands = [command for pair in zip(commands, [["gc", "--yes"]] * len(names), strict=True) for command in pair]
        commands += [["push"], ["checkout", names[0], "--rev", "HEAD"]][: 1 + turn % 2]
        with counters.trying("processes that added, collected, pushed and checked out at once", len(commands)):
            said = nursery.crowd(commands, lab.root, lab.env, prepare="tests.damage.ageing:nothing_is_young")
            for command, one in zip(commands, said, strict=True):
                assert one.code in (0, 3, 5, 6) and "Traceback" not in one.err, (command, one.code, one.out, one.err)
            lab.reopen()
            assert [one.code for command, one in zip(commands, said, strict=True) if command[0] == "add"] == [0] * len(
                names
            )
            check_cache(cache_of(lab))
            for name in names:
                pointer = lab.read(f"{name}.ldv.yaml")
                assert restore_from_cache(cache_of(lab), pointer), name
        lab.git("add", "-A")
        lab.commit()
    lab.push()
    check_remote(load(tmp_path / "store"))
    lab.close()
