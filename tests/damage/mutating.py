"""Mutations of documents, honest and hostile: of their bytes, and of what lies below their checksums.

A byte changed in a compressed document is found by its frame's checksum and proves little; so the body is changed,
and compressed or signed again, as somebody would who means harm.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from lobsterdv.digest import digest_of
from lobsterdv.errors import FormatError
from lobsterdv.formats.columns import compress, decompress
from tests.damage.corpus import BAD_DIGESTS, BAD_PATHS, BAD_TARGETS, CORPUS, HONEST

TOKENS = [
    *BAD_PATHS.values(), *BAD_TARGETS.values(), *(text.encode() for text in BAD_DIGESTS.values()), b"\0", b"\n", b"\t",
    b": ", b"- ", b"? ", b"&a ", b"*a", b"!!x ", b"<<: ", b"[", b"]", b"{", b"}", b'"', b"'", b"|\n", b">\n",
    b"---\n", b"...\n",
    b"%YAML 1.2\n", b"\xff", b"\xef\xbb\xbf", b"\xe2\x80\xae", b"9223372036854775808", b"-1", b"null", b"true",
    b"1e999",
    b"\xff\xff\xff\xff", b"\x00\x00\x00\x80", b"\xff\xff\xff\xff\xff\xff\xff\x7f", b"lobsterdv: 1\n", b"lobsterdv: 2\n",
    b"features:\n- a\n", b"\\ud800", b"\\x00", b"\\U0010ffff", b"\x1b[2J",
]  # fmt: skip
LARGE = 64 << 10
"""Hostile documents above this size are long to mutate and teach nothing new. Bombs are left out too: mutated to claim
less than the 64 MiB that readers take, one is a large document like others, and test_hostile measures these."""


def mutations(examples: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Parser and document, ``examples`` times, the parsers in turn; the same for the same seed."""
    dice = random.Random(seed)
    pools = {
        p: [HONEST[p]] * 20 + [d for n, d in CORPUS[p].items() if len(d) <= LARGE and "MiB" not in n] for p in HONEST
    }
    parsers = list(pools)
    for number in range(examples):
        parser = parsers[number % len(parsers)]
        yield parser, _mutated(parser, pools[parser], dice)


def _mutated(parser: str, pool: list[bytes], dice: random.Random) -> bytes:
    data, other = dice.choice(pool), dice.choice(pool)
    if parser in ("manifest", "segment", "mark") and dice.random() < 0.9:
        try:
            body, spare = decompress(data, what=""), decompress(other, what="")
        except FormatError:
            return _changed(data, other, dice)
        return compress(_changed(body, spare, dice))
    if parser == "pack index" and dice.random() < 0.9 and len(data) > 32:
        body = _changed(data[:-32], other[:-32], dice)
        return body + digest_of(body)
    return _changed(data, other, dice)


def _changed(data: bytes, other: bytes, dice: random.Random) -> bytes:
    ways: list[Callable[[bytes, bytes, random.Random], bytes]] = [_flip, _remove, _insert, _swap, _splice, _line]
    for _ in range(dice.randint(1, 4)):
        data = dice.choice(ways)(data, other, dice)
    return data


def _at(data: bytes, dice: random.Random) -> int:
    return dice.randint(0, len(data))


def _flip(data: bytes, other: bytes, dice: random.Random) -> bytes:
    at = _at(data, dice)
    return data[:at] + bytes([dice.choice([0, 255, 128, 10, 9, 34, 47, dice.randrange(256)])]) + data[at + 1 :]


def _remove(data: bytes, other: bytes, dice: random.Random) -> bytes:
    at = _at(data, dice)
    return data[:at] + data[at + dice.choice([1, 2, 4, 8, 32, 100]) :]


def _insert(data: bytes, other: bytes, dice: random.Random) -> bytes:
    at = _at(data, dice)
    return data[:at] + dice.choice(TOKENS) * dice.choice([1, 1, 1, 2, 50]) + data[at:]


def _swap(data: bytes, other: bytes, dice: random.Random) -> bytes:
    """A value in place of another: what stands between two marks."""
    at = _at(data, dice)
    ends = [found for mark in b'\n\t": ,' if (found := data.find(mark, at + 1)) >= 0]
    return data[:at] + dice.choice(TOKENS) + data[min(ends, default=len(data)) :]


def _splice(data: bytes, other: bytes, dice: random.Random) -> bytes:
    return data[: _at(data, dice)] + other[_at(other, dice) :]


def _line(data: bytes, other: bytes, dice: random.Random) -> bytes:
    lines = data.split(b"\n")
    at = dice.randrange(len(lines))
    match dice.randrange(3):
        case 0:
            lines.insert(at, dice.choice(other.split(b"\n")))
        case 1:
            lines.insert(at, lines[at])
        case _:
            del lines[at]
    return b"\n".join(lines)
