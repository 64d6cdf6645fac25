"""A price table that is read wrong, or summed wrong, is a bill that nobody expected."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lobsterdv.errors import FormatError
from lobsterdv.formats.prices import GB, Prices, parse_prices
from tests.formats.strategies import moderate

BUILT_IN = (files("lobsterdv.formats") / "prices.json").read_bytes()
SIZES = st.lists(st.integers(0, 1 << 45), max_size=8)


def table(**changes: Any) -> bytes:
    """The smallest table there is, and what is different."""
    plain = {
        "date": "2026-01-31", "region": "eu-central-1", "currency": "EUR", "egress": 0.09, "restores": {},
        "classes": {"STANDARD": {"storage": 0.02, "put": 0.005, "get": 0.0004}},
    }  # fmt: skip
    return json.dumps({**plain, **changes}).encode()


def classes(**row: Any) -> dict[str, Any]:
    return {"STANDARD": {"storage": 2, "put": 0, "get": 0}, "COLD": {"storage": 1, "put": 0, "get": 0, **row}}


@pytest.fixture(scope="module")
def built_in() -> Prices:
    return parse_prices(BUILT_IN, what="built in")


def test_the_smallest_table() -> None:
    prices = parse_prices(table(), what="t")
    assert prices.stored("STANDARD", [GB, GB // 2]) == pytest.approx(0.03)
    assert prices.stored("GLACIER", [GB]) is None
    assert prices.restored("GLACIER", "Bulk", [GB], days=1) is None
    assert prices.restore_time("GLACIER", "Bulk") == ""


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"classes": {}}, "no price of STANDARD"),
        ({"classes": []}, "not a mapping"),
        ({"restores": None}, "not a mapping"),
        ({"egress": "0.09"}, "not a price"),
        ({"egress": True}, "not a price"),
        ({"egress": -0.01}, "not a price"),
        ({"egress": 10**400}, "not a price"),
        ({"egress": 1e300}, "not a price"),
        ({"egres": 1}, "unknown key 'egres'"),
        ({"date": "yesterday"}, "not a day"),
        ({"date": ""}, "missing or not text"),
        ({"region": "a\x1b[2J"}, "missing or not text"),
        ({"classes": classes(storge=1)}, "unknown key 'storge'"),
        ({"classes": classes(minimum_days=1.5)}, "not a whole number"),
        ({"classes": {**classes(), "cold\x1b[2J": classes()["COLD"]}}, "no storage class"),
        ({"restores": {"COLD": {"Bulk": {"request": 1, "retrieval": 1}}}}, "missing or not text"),
        ({"restores": {"COLD": {"Bulk": {"request": 1, "time": "1 h"}}}}, "no `retrieval`"),
        ({"restores": {"COLD": {"Slowly\n": {"request": 1, "retrieval": 1, "time": "1 h"}}}}, "no restore tier"),
    ],
)
def test_what_is_no_table(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(FormatError, match=problem):
        parse_prices(table(**changes), what="t")


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{", b"\xff", b"[" * 100_000, b'{"egress": NaN}', b'{"a": 1, "a": 2}', b'{"egress": 1e999}']
)
def test_what_is_no_json(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse_prices(data, what="t")


@moderate
@given(st.binary(max_size=40), st.integers(0, len(BUILT_IN) - 1))
def test_any_bytes_are_a_table_or_a_typed_error(noise: bytes, at: int) -> None:
    for data in (noise, BUILT_IN[:at] + noise + BUILT_IN[at + len(noise) :]):
        try:
            assert parse_prices(data, what="t").classes["STANDARD"].storage >= 0
        except FormatError:
            pass


@moderate
@given(SIZES, SIZES)
def test_storage_adds_up_and_never_shrinks(left: list[int], right: list[int]) -> None:
    prices = parse_prices(BUILT_IN, what="built in")
    for name in prices.classes:
        both, one, other = (prices.stored(name, sizes) for sizes in (left + right, left, right))
        assert both is not None and one is not None and other is not None
        assert both == pytest.approx(one + other)
        assert both >= one >= 0


def test_small_objects_are_billed_as_larger_ones_and_archives_with_their_overhead() -> None:
    cold = classes(minimum_bytes=128 << 10, overhead_bytes=32 << 10, standard_overhead_bytes=8 << 10)
    prices = parse_prices(table(classes=cold), what="t")
    assert prices.stored("COLD", [1]) == prices.stored("COLD", [128 << 10])
    assert prices.stored("COLD", [GB]) == pytest.approx(1 + (32 << 10) / GB + 2 * (8 << 10) / GB)
    assert prices.stored("COLD", []) == 0


def test_only_larger_objects_are_monitored() -> None:
    prices = parse_prices(table(classes=classes(storage=0, monitoring=0.0025)), what="t")
    assert prices.stored("COLD", [(128 << 10) - 1] * 1000) == 0
    assert prices.stored("COLD", [128 << 10] * 1000) == pytest.approx(0.0025)


@moderate
@given(st.lists(st.integers(0, 1 << 42), min_size=1, max_size=5), st.integers(1, 30))
def test_a_restore_costs_its_requests_its_bytes_and_its_copies(sizes: list[int], days: int) -> None:
    prices = parse_prices(BUILT_IN, what="built in")
    row = prices.restores["GLACIER"]["Standard"]
    gigabytes = sum(sizes) / GB
    copies = gigabytes * prices.classes["STANDARD"].storage * days / 30
    wanted = len(sizes) * row.request / 1000 + gigabytes * row.retrieval + copies
    assert prices.restored("GLACIER", "Standard", sizes, days=days) == pytest.approx(wanted)


def test_the_built_in_table_has_what_is_told_from_it(built_in: Prices) -> None:
    hot = {"STANDARD", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR"}
    assert {*built_in.classes} == hot | {"GLACIER", "DEEP_ARCHIVE"}
    assert {*built_in.restores} == {"GLACIER", "DEEP_ARCHIVE"}
    for name, tiers in built_in.restores.items():
        assert all(built_in.restore_time(name, tier) for tier in tiers)
