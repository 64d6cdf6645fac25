"""What is remembered of archives: `status` and `list` tell it, so it must be what was last seen, and no more."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lobsterdv.digest import Digest, digest_of
from lobsterdv.index.archives import Kept, forget_archives, load_archives, save_archives
from lobsterdv.index.database import Index
from tests.formats.strategies import moderate

DIGESTS = [digest_of(bytes([n])) for n in range(3)]
kept = st.builds(
    Kept,
    st.sampled_from(DIGESTS),
    st.sampled_from(["archived", "being restored", "restored"]),
    st.sampled_from(["", "2026-12-01"]),
)
looks = st.tuples(st.sampled_from("ab"), st.lists(kept, max_size=4), st.sets(st.sampled_from(DIGESTS)))


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return Index(tmp_path / "index.db")


def test_it_is_a_dict_by_store_and_version(tmp_path_factory: pytest.TempPathFactory) -> None:
    index = Index(tmp_path_factory.mktemp("index") / "index.db")

    @settings(moderate, max_examples=30)
    @given(st.lists(looks, max_size=4))
    def as_a_dict(steps: list[tuple[str, list[Kept], set[Digest]]]) -> None:
        model: dict[str, dict[Digest, Kept]] = {"a": {}, "b": {}}
        for store in model:
            forget_archives(index, store)
        for store, rows, readable in steps:
            save_archives(index, store, rows, readable=readable)
            for version in readable:
                model[store].pop(version, None)
            model[store].update({row.version: row for row in rows})
            assert {name: load_archives(index, name) for name in model} == model

    as_a_dict()
    index.close()


def test_forgotten_is_one_store_alone(index: Index) -> None:
    for store in "ab":
        save_archives(index, store, [Kept(DIGESTS[0], "archived")])
    forget_archives(index, "a")
    assert load_archives(index, "a") == {}
    assert load_archives(index, "b") == {DIGESTS[0]: Kept(DIGESTS[0], "archived")}
    index.close()


@pytest.mark.parametrize("value", [7, 1.5, "text", b"", b"x" * 31, "a" * 32, 1 << 62])
def test_a_row_that_nobody_wrote_is_passed_over(index: Index, value: object) -> None:
    save_archives(index, "a", [Kept(DIGESTS[0], "archived")])
    index.close()
    connection = sqlite3.connect(index.path)
    connection.execute("insert or replace into archives values ('a', ?, 'archived', '')", (value,))
    connection.execute("insert or replace into archives values ('a', ?, ?, '')", (bytes(DIGESTS[1]), value))
    connection.commit()
    connection.close()
    assert load_archives(index, "a") == {DIGESTS[0]: Kept(DIGESTS[0], "archived")}
    index.close()
