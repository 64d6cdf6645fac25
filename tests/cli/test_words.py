"""A number that reads wrong, or a file name that drives the terminal, misleads whoever reads it."""

from __future__ import annotations

import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lobsterdv.cli.words import Words, count, duration, quote, safe, short, size, table


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (18_349_912, "18.3 MB"), (999_949, "999.9 kB"),
        (999_950, "1.0 MB"), (999_999_999, "1.0 GB"), (5 * 10**12, "5.0 TB"), (2**63 - 1, "9.2 EB"),
    ],
)  # fmt: skip
def test_sizes_are_decimal(number: int, text: str) -> None:
    assert size(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0404, "40 ms"),
        (0.0996, "0.1 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.6, "1 min 0 s"),
        (185, "3 min 5 s"),
        (7800, "2 h 10 min"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_counts_and_digests() -> None:
    assert (count(1, "file"), count(10_000, "file"), count(2, "entry")) == ("1 file", "10,000 files", "2 entries")
    assert (count(4, "key"), count(2, "day")) == ("4 keys", "2 days")
    assert short("blake3:0123456789abcdef") == "0123456789ab"


def test_tables_align() -> None:
    assert table([["a", "1 B", "x"], ["bcd", "10 kB", ""]], right=[1]) == ["a      1 B  x", "bcd  10 kB"]
    assert table([]) == []


@given(st.text())
def test_nothing_printed_moves_the_cursor(text: str) -> None:
    shown = safe(text)
    assert not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or 0x202A <= ord(c) <= 0x202E for c in shown)
    shown.encode()


def test_bytes_that_are_no_text_show_as_bytes() -> None:
    assert safe(b"a\xffb".decode(errors="surrogateescape")) == "a\\xffb"
    assert safe("a\x1b[31m\nb") == "a\\x1b[31m\\nb"


@pytest.mark.parametrize("name", ["plain", "with space", "it's", "a\nb", "a\tb'c\\d", "$HOME", "-rf", "ü"])
def test_what_is_to_be_typed_names_the_very_file(name: str) -> None:
    done = subprocess.run(["bash", "-c", f"printf %s {quote(name)}"], capture_output=True, check=True)
    assert done.stdout.decode() == name


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126)))
def test_plain_text_is_quoted_as_shlex_does(text: str) -> None:
    assert shlex.split(quote(text)) == [text]


def test_paths_are_shown_from_where_the_user_is() -> None:
    words = Words("/lab/sub", "/lab", "")
    assert words.path("sub/x") == "x"
    assert words.path("y") == "../y"
    assert words.path("/abs") == "/abs"
    assert words.place("/lab/.git/lobsterdv/trash/1") == "../.git/lobsterdv/trash/1"
    assert words.place("/elsewhere") == "/elsewhere"
    assert Words("/lab", "/lab", "my dir").ldv("add", "x") == "lobsterdv -C 'my dir' add x"
