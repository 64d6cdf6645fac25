"""A table of list prices of one region, as of one day: JSON to frozen dataclasses, and the arithmetic. No I/O.

Prices are in the table's currency: storage, retrieval and egress a GB (2^30 bytes, as AWS counts), storage and
monitoring a month, requests, transitions and monitoring a thousand. The package's own table (``prices.json``) is of
AWS's public price list; rates for large amounts, free tiers, taxes and contracts are not in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import date
from typing import Any, Final

from lobsterdv.errors import FormatError
from lobsterdv.formats.columns import no_constants, no_duplicates

GB: Final = 1 << 30
MAX_PRICES_BYTES: Final = 1 << 20
STANDARD: Final = "STANDARD"
_MONITORED_BYTES: Final = 128 << 10  # smaller objects are not monitored, and pay nothing for it
_LONGEST_TEXT: Final = 80
_DEAREST: Final = 1e12  # more is a typing error, and sums of it would not be finite
_CLASS: Final = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_TIER: Final = re.compile(r"[A-Za-z]{1,20}")


@dataclass(frozen=True, slots=True)
class ClassPrice:
    """Prices of one storage class. An object is billed for at least ``minimum_bytes`` and ``minimum_days``, and with
    ``overhead_bytes`` more, besides ``standard_overhead_bytes`` at the price of STANDARD."""

    storage: float
    put: float
    get: float
    retrieval: float = 0
    transition: float = 0
    monitoring: float = 0
    minimum_days: int = 0
    minimum_bytes: int = 0
    overhead_bytes: int = 0
    standard_overhead_bytes: int = 0


@dataclass(frozen=True, slots=True)
class RestorePrice:
    """What it costs to have archived objects made readable (``request`` a thousand), and how long it takes."""

    request: float
    retrieval: float
    time: str


@dataclass(frozen=True, slots=True)
class Prices:
    """``date`` (ISO 8601) and ``region`` belong beside every figure that is told from it."""

    date: str
    region: str
    currency: str
    classes: Mapping[str, ClassPrice]
    restores: Mapping[str, Mapping[str, RestorePrice]]
    egress: float

    def stored(self, storage_class: str, sizes: Iterable[int]) -> float | None:
        """A month of objects of these sizes (bytes); None for a class without a price."""
        price = self.classes.get(storage_class)
        if price is None:
            return None
        billed = count = monitored = 0
        for size in sizes:
            billed += max(size, price.minimum_bytes) + price.overhead_bytes
            count += 1
            monitored += size >= _MONITORED_BYTES
        beside = count * price.standard_overhead_bytes / GB * self.classes[STANDARD].storage
        return billed / GB * price.storage + beside + monitored / 1000 * price.monitoring

    def restored(self, storage_class: str, tier: str, sizes: Iterable[int], *, days: int) -> float | None:
        """Having objects of these sizes made readable for some days, whose copies lie in STANDARD beside them."""
        price = self.restores.get(storage_class, {}).get(tier)
        if price is None:
            return None
        several = list(sizes)
        gigabytes = sum(several) / GB
        copies = gigabytes * self.classes[STANDARD].storage * days / 30
        return len(several) / 1000 * price.request + gigabytes * price.retrieval + copies

    def restore_time(self, storage_class: str, tier: str) -> str:
        price = self.restores.get(storage_class, {}).get(tier)
        return price.time if price else ""


def parse_prices(data: bytes, *, what: str) -> Prices:
    """Raises FormatError. Unknown keys are refused, so that no typo passes for a price of nothing."""
    if len(data) > MAX_PRICES_BYTES:
        raise FormatError(what, f"{len(data)} bytes long; at most {MAX_PRICES_BYTES} are allowed")
    try:
        found = json.loads(data.decode(), object_pairs_hook=no_duplicates, parse_constant=no_constants)
    except (ValueError, RecursionError) as error:
        raise FormatError(what, f"not JSON: {str(error)[:200]}") from None
    top = _mapping(found, what, "the table")
    _known(top, {f.name for f in fields(Prices)}, what, "the table")
    classes = {
        name: ClassPrice(**_numbers(row, ClassPrice, what, name)) for name, row in _named(top, "classes", what).items()
    }
    for name in (*classes, *_named(top, "restores", what)):
        _check_name(name, _CLASS, "storage class", what)
    if STANDARD not in classes:
        raise FormatError(what, "it has no price of STANDARD")
    restores = {
        name: {
            tier: RestorePrice(
                **_numbers(
                    {k: v for k, v in _mapping(row, what, tier).items() if k != "time"}, RestorePrice, what, tier
                ),
                time=_text(_mapping(row, what, tier), "time", what),
            )
            for tier, row in _mapping(tiers, what, name).items()
        }
        for name, tiers in _named(top, "restores", what).items()
    }
    for tiers in restores.values():
        for name in tiers:
            _check_name(name, _TIER, "restore tier", what)
    egress = _number(top.get("egress"), what, "egress")
    return Prices(_day(top, what), _text(top, "region", what), _text(top, "currency", what), classes, restores, egress)


def _check_name(name: str, pattern: re.Pattern[str], kind: str, what: str) -> None:
    if not pattern.fullmatch(name):
        raise FormatError(what, f"{name[:_LONGEST_TEXT]!r} is no {kind}")


def _day(top: Mapping[str, Any], what: str) -> str:
    text = _text(top, "date", what)
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise FormatError(what, f"`date` is not a day such as 2026-01-31: {text!r}") from None


def _named(top: Mapping[str, Any], key: str, what: str) -> Mapping[str, Any]:
    return _mapping(top.get(key), what, key)


def _mapping(value: object, what: str, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise FormatError(what, f"`{name}` is not a mapping")
    return value


def _known(row: Mapping[str, Any], names: set[str], what: str, where: str) -> None:
    for name in row:
        if name not in names:
            raise FormatError(what, f"unknown key {name[:_LONGEST_TEXT]!r} in {where}")


def _numbers(row: object, kind: type[ClassPrice] | type[RestorePrice], what: str, where: str) -> dict[str, Any]:
    values = _mapping(row, what, where)
    wanted = {f.name: f for f in fields(kind) if f.name != "time"}
    _known(values, set(wanted), what, where)
    for name in ("storage", "put", "get") if kind is ClassPrice else ("request", "retrieval"):
        if name not in values:
            raise FormatError(what, f"`{where}` has no `{name}`")
    numbers = {name: _number(value, what, f"{where}.{name}") for name, value in values.items()}
    for name, value in numbers.items():
        if name.endswith(("_days", "_bytes")) and not float(value).is_integer():
            raise FormatError(what, f"`{where}.{name}` is not a whole number")
    return {name: int(value) if name.endswith(("_days", "_bytes")) else value for name, value in numbers.items()}


def _number(value: object, what: str, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _DEAREST:
        raise FormatError(what, f"`{name}` is not a price")
    return float(value)


def _text(row: Mapping[str, Any], key: str, what: str) -> str:
    value = row.get(key)
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_TEXT or not value.isprintable():
        raise FormatError(what, f"`{key}` is missing or not text")
    return value
