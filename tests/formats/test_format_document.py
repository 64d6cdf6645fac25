"""If these fail, docs/format.md says something else than the code does, and another reader would be written wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import lobsterdv
from lobsterdv.digest import LISTING_CONTEXT, digest_of, listing_digest
from lobsterdv.formats.columns import decompress
from lobsterdv.formats.pointer import KINDS
from lobsterdv.formats.remote_settings import REMOTE_KEYS
from lobsterdv.formats.settings import KEYS
from lobsterdv.formats.table import Table, encode_table
from tests.data.samples import FORMAT_1, frozen

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/format.md").read_text(encoding="utf-8")
SAMPLE = re.compile(r"<!-- sample: (.+?) -->\n```\w*\n(.*?)```", re.DOTALL)


def sample(name: str) -> str:
    """What an example in the document shows: a frozen file, the first of a folder, or a manifest's header."""
    path, _, part = name.partition(" ")
    found = FORMAT_1 / path
    data = (frozen(path)[0] if found.is_dir() else found).read_bytes()
    if part == "(header)":
        data = decompress(data, what=name).partition(b"\n")[0] + b"\n"
    return data.decode()


@pytest.mark.parametrize(("name", "shown"), SAMPLE.findall(TEXT), ids=lambda value: value[:30])
def test_examples_are_real(name: str, shown: str) -> None:
    assert shown == sample(name)


def test_there_are_examples_to_check() -> None:
    assert len(SAMPLE.findall(TEXT)) == 6


def section(number: str) -> str:
    found = re.search(rf"^## {number} .*?(?=^## |\Z)", TEXT, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[0]


def test_every_column_is_documented_in_order() -> None:
    named = re.findall(r"^\| `(\w+)` \| (?:text|u\d|digests)", section("6"), re.MULTILINE)
    assert named == list(encode_table(Table((), ())))


def test_every_setting_is_documented_and_no_other() -> None:
    rows = re.findall(r"^\| (`.*?`(?:, `.*?`)*) \|", section("10"), re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(.*?)`", row)}
    assert named == {*KEYS, *(f"remotes.NAME.{key}" for key in REMOTE_KEYS), "lobsterdv", "trusted", "remotes.NAME"}


def test_every_kind_and_both_digests_are_documented() -> None:
    assert all(f"`{kind}`" in section("3") for kind in KINDS)
    assert str(digest_of(b"")) in section("2") and str(listing_digest(b"lobsterdv listing 1\n")) in section("2")
    assert LISTING_CONTEXT in section("2")


def test_sections_that_the_code_names_exist() -> None:
    references = set()
    for path in Path(lobsterdv.__file__).parent.rglob("*.py"):
        for match in re.finditer(r"docs/format\.md, (?:sections? )?([\d.]+\d|\d)(?: and (\d+))?", path.read_text()):
            references.update(number for number in match.groups() if number)
    assert {"1.2", "3", "6.4", "8.3", "10"} <= references
    for number in references:
        assert re.search(rf"^##+ {re.escape(number)} ", TEXT, re.MULTILINE), number
