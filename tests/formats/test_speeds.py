"""How fast a line is, as people write it: what is read wrong would be measured wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lobsterdv.errors import UsageError
from lobsterdv.formats.speeds import parse_bandwidth, parse_latency


@pytest.mark.parametrize(
    ("text", "bits"),
    [
        ("100Mbps", 100e6), ("100 Mbit/s", 100e6), ("100Mb/s", 100e6), ("1.5Gbps", 1.5e9), ("56kbps", 56e3),
        ("56Kbps", 56e3), ("9600bps", 9600), ("12.5MB/s", 100e6), ("12.5 MBps", 100e6), ("1MiB/s", 8 * 1024**2),
        (" 2kB/s ", 16e3),
    ],
)  # fmt: skip
def test_bandwidths(text: str, bits: float) -> None:
    assert parse_bandwidth(text) == bits


@pytest.mark.parametrize("text", ["", "100", "100M", "Mbps", "-1Mbps", "fast", "1e9bps", "0Mbps", "999bps", "1 2Mbps"])
def test_what_is_no_bandwidth(text: str) -> None:
    with pytest.raises(UsageError, match="say 100Mbps"):
        parse_bandwidth(text)


@pytest.mark.parametrize(("text", "seconds"), [("30ms", 0.03), ("0.2s", 0.2), ("0ms", 0), ("150 us", 150e-6)])
def test_latencies(text: str, seconds: float) -> None:
    assert parse_latency(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "30", "ms", "-3ms", "11s", "1min", "nan s"])
def test_what_is_no_latency(text: str) -> None:
    with pytest.raises(UsageError, match="say 30ms"):
        parse_latency(text)


@given(st.text(max_size=30))
def test_any_text_is_a_speed_or_a_typed_error(text: str) -> None:
    for parse in (parse_bandwidth, parse_latency):
        try:
            assert parse(text) >= 0
        except UsageError as error:
            assert "say" in str(error)
