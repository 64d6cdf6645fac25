"""Files out of a pack without an index: what listings name is found, whatever its order; what nobody names ends it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from lobsterdv.blobs import salvage as module
from lobsterdv.blobs.salvage import Guess, salvage
from lobsterdv.digest import Digest, digest_of

SMALL = 256 << 10


def packed(folder: Path, files: list[bytes]) -> Path:
    pack = folder / "x.pack"
    pack.write_bytes(b"".join(files) + digest_of(b"".join(digest_of(file) for file in files)))
    return pack


def guess(data: bytes) -> Guess:
    return Guess(digest_of(data), len(data))


def rows(files: list[bytes]) -> list[tuple[Digest, bytes]]:
    return [(digest_of(file), file) for file in files]


@pytest.mark.parametrize("seed", range(5))
def test_every_file_is_found_in_whatever_order_it_lies(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    files = [chance.randbytes(chance.choice([7, 100, 4096, SMALL])) for _ in range(60)]
    others = [chance.randbytes(50) for _ in range(20)]
    guesses = [guess(file) for file in files + others]
    chance.shuffle(files)
    assert sum(map(len, files)) > 4 * SMALL
    assert list(salvage(packed(tmp_path, files), guesses)) == rows(list(files))


def test_more_than_one_window_is_read(tmp_path: Path) -> None:
    files = [bytes([number]) * SMALL for number in range(40)]
    assert 40 * SMALL > 2 * module._WINDOW_BYTES
    assert list(salvage(packed(tmp_path, files), map(guess, files))) == rows(files)


def test_a_table_that_begins_with_the_bytes_of_another_is_found_whole(tmp_path: Path) -> None:
    old, new = b"a,b\n1,2\n", b"a,b\n1,2\n3,4\n"
    for order in ([new, b"between", old], [old, b"between", new], [b"between", old, new]):
        assert list(salvage(packed(tmp_path, order), [guess(old), guess(b"between"), guess(new)])) == rows(order)
    unknown = packed(tmp_path, [new, b"between", b"what nobody names", old])
    found = list(salvage(unknown, [guess(old), guess(b"between"), guess(new)]))
    assert found == rows([new, b"between"])


def test_what_nobody_names_and_what_is_damaged_ends_it(tmp_path: Path) -> None:
    files = [b"one", b"two", b"three"]
    pack = packed(tmp_path, files)
    assert list(salvage(pack, [guess(b"one"), guess(b"three")])) == rows([b"one"])
    pack.write_bytes(pack.read_bytes()[:5])
    assert list(salvage(pack, map(guess, files))) == rows([b"one"])
    pack.write_bytes(b"")
    assert list(salvage(pack, map(guess, files))) == []
    assert list(salvage(tmp_path / "missing", map(guess, files))) == []


def test_guesses_that_no_pack_can_hold_do_no_harm(tmp_path: Path) -> None:
    guesses = [Guess(digest_of(b""), 0), Guess(digest_of(b"large"), 1 << 60), Guess(digest_of(b"minus"), -1)]
    assert list(salvage(packed(tmp_path, [b"one"]), [*guesses, guess(b"one")])) == rows([b"one"])
