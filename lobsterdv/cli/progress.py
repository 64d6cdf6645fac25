"""Progress on stderr: nothing for the first second; then a bar on a terminal, elsewhere a line every five.

Events only add numbers up under a lock; a thread of its own looks at them a few times a second and draws.
So events may be many and come from anywhere, and a phase that hangs is still seen to be going on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TextIO

from lobsterdv.cli.speech import shown
from lobsterdv.cli.words import duration, safe, size
from lobsterdv.events import Advanced, Event, Finished, Started, Warned

if TYPE_CHECKING:
    from rich.progress import Progress as Bars

QUIET_S: Final = 1.0
LINE_EVERY_S: Final = 5.0
_TICK_S: Final = 0.2


@dataclass
class Phase:
    """One phase as it stands. ``shown_at`` is when a line about it was last printed, 0 for never."""

    name: str
    total_bytes: int | None
    total_items: int | None
    started: float
    new_bytes: int = 0
    new_items: int = 0
    shown_at: float = 0.0
    bar: Any = None


class Progress:
    """An observer. Call it with events from any thread; ``close`` it before printing anything else."""

    def __init__(
        self,
        stream: TextIO,
        *,
        quiet: bool,
        warnings: list[str],
        terminal: bool | None = None,
        clock: Callable[[], float] = time.monotonic,
        ticking: bool = True,
    ) -> None:
        self._stream = stream
        self._quiet = quiet
        self._terminal = stream.isatty() if terminal is None else terminal
        self._warnings = warnings
        self._clock = clock
        self._began = clock()
        self._ticking = ticking
        self._lock = threading.Lock()
        self._drawing = threading.Lock()
        self._phases: dict[str, Phase] = {}
        self._bars: Bars | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __call__(self, event: Event) -> None:
        if isinstance(event, Advanced):
            with self._lock:
                phase = self._phases.get(event.phase)
                if phase is not None:
                    phase.new_bytes += event.new_bytes
                    phase.new_items += event.new_items
        elif isinstance(event, Started):
            self._finish(event.phase)  # should the phase be begun anew
            with self._lock:
                self._phases[event.phase] = Phase(event.phase, event.total_bytes, event.total_items, self._clock())
            self._start_ticking()
        elif isinstance(event, Finished):
            self._finish(event.phase)
        elif isinstance(event, Warned):
            self._warn(event.message)

    def tick(self) -> None:
        """Draw what is going on, if it is time to. Called by the thread; tests call it themselves."""
        now = self._clock()
        if now - self._began < QUIET_S:
            return
        with self._lock:
            phases = list(self._phases.values())
        with self._drawing:
            if self._stop.is_set():
                return
            if self._terminal:
                self._draw(phases, now)
            else:
                for phase in phases:
                    if not phase.shown_at or now - phase.shown_at >= LINE_EVERY_S:
                        phase.shown_at = now
                        self._print(f"{phase.name}: {facts(phase, now)}")

    def close(self) -> None:
        """Take the bar away and stop. May be repeated."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        with self._drawing:
            if self._bars is not None:
                self._bars.stop()
                self._bars = None

    def _start_ticking(self) -> None:
        if self._ticking and not self._quiet and self._thread is None and not self._stop.is_set():
            self._thread = threading.Thread(target=self._run, name="lobsterdv-progress", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(_TICK_S):
            self.tick()

    def _finish(self, name: str) -> None:
        with self._lock:
            phase = self._phases.pop(name, None)
        if phase is None:
            return
        with self._drawing:
            if phase.bar is not None and self._bars is not None:
                self._bars.remove_task(phase.bar)
            if phase.shown_at:
                took = duration(self._clock() - phase.started)
                done = size(phase.new_bytes) if in_bytes(phase) else f"{phase.new_items:,}"
                self._print(f"{phase.name}: done, {done} in {took}")

    def _warn(self, message: str) -> None:
        message = shown(message)
        text = safe(message)
        with self._drawing:
            self._warnings.append(message)
            if self._bars is not None:
                self._bars.console.print(f"lobsterdv: warning: {text}", markup=False, highlight=False, soft_wrap=True)
            else:
                self._print(f"lobsterdv: warning: {text}")

    def _draw(self, phases: list[Phase], now: float) -> None:
        if self._bars is None:
            if not phases:
                return
            self._bars = _new_bars(self._stream)
            self._bars.start()
        for phase in phases:
            text = facts(phase, now)
            if phase.bar is None:
                phase.bar = self._bars.add_task(phase.name, total=None, facts=text)
            done, total = (
                (phase.new_bytes, phase.total_bytes) if in_bytes(phase) else (phase.new_items, phase.total_items)
            )
            self._bars.update(phase.bar, completed=done, total=total or None, facts=text)
        self._bars.refresh()

    def _print(self, text: str) -> None:
        try:
            self._stream.write(text + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            pass  # nobody listens any more; the work goes on


def in_bytes(phase: Phase) -> bool:
    """Whether a phase is measured in bytes rather than in items."""
    return phase.total_bytes is not None or phase.new_bytes > 0


def amount(phase: Phase) -> str:
    """How far a phase is: ``1.2 GB of 4.0 GB``, ``300 of 1,000``."""
    if in_bytes(phase):
        return size(phase.new_bytes) + (f" of {size(phase.total_bytes)}" if phase.total_bytes else "")
    return f"{phase.new_items:,}" + (f" of {phase.total_items:,}" if phase.total_items else "")


def facts(phase: Phase, now: float) -> str:
    """How far, how fast, how long to go."""
    seconds = max(now - phase.started, 1e-3)
    if not phase.new_bytes:
        return f"{amount(phase)}, {duration(seconds)}"
    rate = phase.new_bytes / seconds
    text = f"{amount(phase)}, {size(int(rate))}/s"
    if phase.total_bytes and phase.total_bytes > phase.new_bytes and rate >= 1:
        text += f", {duration((phase.total_bytes - phase.new_bytes) / rate)} to go"
    return text


def _new_bars(stream: TextIO) -> Bars:
    """rich costs 0.03 to 0.3 s CPU to import, so it waits for work that takes over a second."""
    from rich.console import Console  # noqa: PLC0415 - start-up time
    from rich.progress import BarColumn, Progress, TextColumn  # noqa: PLC0415 - start-up time

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[facts]}"),
        console=Console(file=stream, force_terminal=True),
        auto_refresh=False,
        transient=True,
    )
