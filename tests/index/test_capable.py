"""What a server cannot do is believed for a week: longer, and its update goes unnoticed; never, and each push pays."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from lobsterdv.index.capable import load_capabilities, save_capabilities
from lobsterdv.index.database import Index
from lobsterdv.stores.capabilities import Capabilities, Checking, dump_capabilities, parse_capabilities
from lobsterdv.stores.s3 import S3Store
from lobsterdv.stores.s3_options import S3Options

DAY = 86400.0
Checksums = Literal["auto", "crc32", "crc64nvme", "xxhash128", "none"]
KNOWN = Capabilities(conditional_put=False, crc32="refused", multipart=True)


def test_seven_days(tmp_path: Path) -> None:
    index = Index(tmp_path / "index.db")
    save_capabilities(index, "s3://a", 100 * DAY, KNOWN)
    assert load_capabilities(index, "s3://a", 106.9 * DAY) == KNOWN
    for place, now in (("s3://a", 107 * DAY), ("s3://a", 99 * DAY), ("s3://b", 100 * DAY)):
        assert load_capabilities(index, place, now) == Capabilities()
    index.close()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"other": 1}', '{"ranges": 1}', '{"crc32": "yes"}', '{"crc32": 3}']
)
def test_what_cannot_be_read_says_nothing(text: str) -> None:
    assert parse_capabilities(text) == Capabilities()
    assert parse_capabilities(dump_capabilities(KNOWN)) == KNOWN


def test_a_store_leaves_out_what_is_known_not_to_work() -> None:
    store = S3Store(S3Options("lab"))
    store.adapt(Capabilities())
    assert store._ways(True)[0] == (True, True)
    store.adapt(KNOWN)
    assert list(store._ways(True)) == [(False, False)]
    assert store.checking == "refused"
    asked = S3Store(S3Options("lab", checksum="crc32"))
    asked.adapt(KNOWN)
    assert list(asked._ways(True)) == [(False, True)], "the user insists on it"


@pytest.mark.parametrize(
    ("checksum", "known", "told"),
    [
        ("auto", Capabilities(), ""),
        ("auto", Capabilities(crc32="verified"), "verified"),
        ("crc32", Capabilities(crc32="taken"), "taken"),
        ("crc64nvme", Capabilities(crc32="verified"), ""),
        ("xxhash128", Capabilities(xxhash128="verified"), "verified"),
        ("none", Capabilities(crc32="verified"), "refused"),
    ],
)
def test_a_servers_word_counts_for_the_checksum_that_is_sent(
    checksum: Checksums, known: Capabilities, told: Checking
) -> None:
    """Else a copy is given up for one that nobody compared."""
    store = S3Store(S3Options("lab", checksum=checksum))
    store.adapt(known)
    assert store.checking == told
