"""The price table that figures are told from: a file of the user's, or the package's own."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from lobsterdv.errors import LocalIOError
from lobsterdv.formats.prices import MAX_PRICES_BYTES, Prices, parse_prices


@dataclass(frozen=True, slots=True)
class PriceSource:
    """Of which day, region and table (``built in``, or a file) the figures of a report are. List prices: to be
    checked."""

    date: str
    region: str
    currency: str
    table: str


def read_prices(path: Path | None) -> tuple[Prices, PriceSource]:
    """Raises FormatError, LocalIOError."""
    if path is None:
        data, table = (files("lobsterdv.formats") / "prices.json").read_bytes(), "built in"
    else:
        try:
            with path.open("rb") as file:
                data, table = file.read(MAX_PRICES_BYTES + 1), str(path)
        except OSError as error:
            raise LocalIOError(str(path), error.strerror or str(error), error.errno or 0) from error
    prices = parse_prices(data, what="the price table" if path is None else str(path))
    return prices, PriceSource(prices.date, prices.region, prices.currency, table)
