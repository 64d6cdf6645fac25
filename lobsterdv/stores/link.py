"""A slow line: so many bits a second each way, shared by all connections, and the time of a round trip.

What is written leaves when all that was written before it has left, and arrives half a round trip later. A new
connection takes one round trip, as TCP's does. Not modelled: TLS, slow start, loss.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field
from typing import Final

PIECE_BYTES: Final = 16 << 10  # so that many connections get equal shares
WAITING_PIECES: Final = 64
LATE_SECONDS: Final = 0.02
"""A sender that is back within so much never paused: timers ring late, by 1 ms and more, which is as long as a piece
takes at 100 Mbit/s."""


@dataclass
class Way:
    """One direction of a line."""

    free_at: float = 0.0


@dataclass
class Link:
    """A line; ``math.inf`` megabits are no limit. While ``on`` is false it costs nothing. May be switched from any
    thread."""

    megabits_per_second: float
    round_trip_seconds: float
    on: bool = False
    up: Way = field(default_factory=Way)
    down: Way = field(default_factory=Way)

    @property
    def text(self) -> str:
        """``100 Mbit/s, 30 ms round trip``; what is not limited is left out."""
        parts = [f"{self.megabits_per_second:g} Mbit/s"] if self.megabits_per_second < math.inf else []
        if self.round_trip_seconds:
            parts.append(f"{self.round_trip_seconds * 1000:g} ms round trip")
        return ", ".join(parts) or "not limited"

    async def open(self) -> None:
        """What it takes to connect."""
        if self.on:
            await asyncio.sleep(self.round_trip_seconds)

    async def leave(self, way: Way, size: int, *, ready: float = math.inf) -> float:
        """Wait until ``size`` bytes have left; returns the loop's time at which they arrive. They lay ready since
        ``ready``, by the loop's clock, or since now: what a timer rings too late is not lost to the line."""
        now = asyncio.get_running_loop().time()
        if not self.on:
            return now
        left = way.free_at = max(min(now, ready), way.free_at) + size * 8 / (self.megabits_per_second * 1e6)
        await asyncio.sleep(left - now)  # others add to `free_at` meanwhile
        return left + self.round_trip_seconds / 2


class Lane:
    """One connection's one direction over a link, into ``out``. ``run`` must be running while ``send`` is used."""

    def __init__(self, link: Link, way: Way, out: asyncio.StreamWriter) -> None:
        self._link = link
        self._way = way
        self._out = out
        self._left = -math.inf  # when the last piece left
        self._travelling: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(WAITING_PIECES)

    async def send(self, block: bytes) -> None:
        """Returns when the bytes have left, not when they have arrived."""
        now = asyncio.get_running_loop().time()
        ready = self._left if now - self._left < LATE_SECONDS else now
        for start in range(0, len(block), PIECE_BYTES):
            piece = block[start : start + PIECE_BYTES]
            due = await self._link.leave(self._way, len(piece), ready=ready)
            ready = self._left = due - self._link.round_trip_seconds / 2
            await self._travelling.put((due, piece))

    async def arrived(self) -> None:
        """Wait until everything that was sent has arrived."""
        await self._travelling.join()

    async def run(self) -> None:
        """Hand over each piece when its time has come, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            due, piece = await self._travelling.get()
            if due > loop.time():
                await asyncio.sleep(due - loop.time())
            self._out.write(piece)
            await self._out.drain()
            self._travelling.task_done()
