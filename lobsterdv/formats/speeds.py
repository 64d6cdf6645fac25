"""How fast a line is, as people write it: ``100Mbps``, ``30ms``. Pure."""

from __future__ import annotations

import re
from typing import Final

from lobsterdv.errors import UsageError

_NUMBER: Final = r"([0-9]{1,9}(?:\.[0-9]{1,9})?) ?"
_BANDWIDTH: Final = re.compile(_NUMBER + r"([kKMGT]i?)?(bps|bit/s|b/s|Bps|B/s)")
_LATENCY: Final = re.compile(_NUMBER + r"(us|µs|ms|s)")
_PREFIXES: Final = {"k": 1, "K": 1, "M": 2, "G": 3, "T": 4}
_SECONDS: Final = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0}
_SLOWEST: Final = 1e3  # bits a second: of less, a small file would take days
_LONGEST_S: Final = 10.0


def parse_bandwidth(text: str) -> float:
    """Bits a second: ``100Mbps``, ``1.5 Gbit/s``; ``12.5MB/s`` are bytes. Raises UsageError."""
    match = _BANDWIDTH.fullmatch(text.strip())
    bits = 0.0
    if match:
        number, prefix, unit = match[1], match[2] or "", match[3]
        base = 1024.0 if prefix.endswith("i") else 1000.0
        bits = float(number) * base ** _PREFIXES.get(prefix[:1], 0) * (8 if unit.startswith("B") else 1)
    if bits < _SLOWEST:
        raise UsageError(f"{text[:40]!r} is no bandwidth: say 100Mbps or 12.5MB/s; the least is 1kbps")
    return bits


def parse_latency(text: str) -> float:
    """Seconds: ``30ms``, ``0.2 s``. Raises UsageError."""
    match = _LATENCY.fullmatch(text.strip())
    seconds = float(match[1]) * _SECONDS[match[2]] if match else -1.0
    if not 0 <= seconds <= _LONGEST_S:
        raise UsageError(f"{text[:40]!r} is no latency of a round trip: say 30ms or 0.2s; the most is 10s")
    return seconds
