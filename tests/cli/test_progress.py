"""Silence that looks like a hang, a bar in a log file, a warning that came too late: what progress must not do."""

from __future__ import annotations

import io
import threading
import time

import pytest

from lobsterdv.cli.progress import Progress
from lobsterdv.events import Advanced, Finished, Started, Warned


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Screen:
    def __init__(self, *, terminal: bool = False, quiet: bool = False) -> None:
        self.stream = Terminal() if terminal else io.StringIO()
        self.clock = Clock()
        self.warnings: list[str] = []
        self.progress = Progress(self.stream, quiet=quiet, warnings=self.warnings, clock=self.clock, ticking=False)

    def after(self, seconds: float) -> str:
        """What is on the stream when time has passed and the thread looked again."""
        self.clock.now += seconds
        self.progress.tick()
        return self.text

    @property
    def text(self) -> str:
        return self.stream.getvalue()


def test_nothing_is_said_of_work_under_a_second() -> None:
    screen = Screen()
    screen.progress(Started("hashing", 1000))
    assert screen.after(0.9) == ""
    screen.progress(Finished("hashing"))
    screen.progress.close()
    assert screen.text == ""


def test_plain_lines_come_at_most_every_five_seconds() -> None:
    screen = Screen()
    screen.progress(Started("hashing", 4_000_000_000, 10))
    screen.progress(Advanced("hashing", 1_000_000_000))
    assert screen.after(2) == "hashing: 1.0 GB of 4.0 GB, 500.0 MB/s, 6.0 s to go\n"
    assert screen.after(4.9).count("\n") == 1
    assert screen.after(0.2).count("\n") == 2
    screen.progress(Finished("hashing"))
    assert screen.text.splitlines()[-1] == "hashing: done, 1.0 GB in 7.1 s"


def test_items_count_where_bytes_are_unknown() -> None:
    screen = Screen()
    screen.progress(Started("checking", total_items=1000))
    screen.progress(Advanced("checking", new_items=300))
    assert screen.after(2) == "checking: 300 of 1,000, 2.0 s\n"


def test_a_phase_that_hangs_is_still_seen() -> None:
    screen = Screen()
    screen.progress(Started("pushing", 10))
    screen.after(2)
    screen.after(10)
    assert screen.after(10).splitlines()[-1] == "pushing: 0 B of 10 B, 22 s"


def test_a_phase_begun_again_starts_at_nothing() -> None:
    screen = Screen()
    screen.progress(Started("looking", 10))
    screen.progress(Advanced("looking", 10))
    screen.progress(Started("looking", 20))
    assert "0 B of 20 B" in screen.after(2)


def test_progress_of_an_unknown_phase_is_no_error() -> None:
    screen = Screen()
    screen.progress(Advanced("never started", 1))
    screen.progress(Finished("never started"))
    assert screen.after(2) == ""


def test_warnings_come_at_once_even_when_quiet_and_are_kept() -> None:
    screen = Screen(quiet=True)
    screen.progress(Warned("a\x1b[2J is odd"))
    assert screen.text == "lobsterdv: warning: a\\x1b[2J is odd\n"
    assert screen.warnings == ["a\x1b[2J is odd"]


def test_quiet_starts_no_thread() -> None:
    stream = io.StringIO()
    progress = Progress(stream, quiet=True, warnings=[])
    before = threading.active_count()
    progress(Started("hashing", 10))
    assert threading.active_count() == before


def test_a_terminal_gets_a_bar_that_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    screen = Screen(terminal=True)
    screen.progress(Started("hashing", 4_000_000_000))
    screen.progress(Advanced("hashing", 1_000_000_000))
    shown = screen.after(2)
    assert "hashing" in shown and "1.0 GB of 4.0 GB" in shown
    screen.progress(Warned("odd [bold]name[/bold]"))
    assert "lobsterdv: warning: odd [bold]name[/bold]" in screen.text
    screen.progress(Finished("hashing"))
    screen.progress.close()
    assert screen.text.endswith("\x1b[?25h") or "\x1b[2K" in screen.text


def test_a_stream_that_nobody_reads_stops_nothing() -> None:
    stream = io.StringIO()
    progress = Progress(stream, quiet=False, warnings=[], ticking=False)
    stream.close()
    progress(Warned("lost"))
    progress.close()


def test_events_from_many_threads_all_count() -> None:
    screen = Screen()
    screen.progress(Started("hashing", 80_000))

    def work() -> None:
        for _ in range(10_000):
            screen.progress(Advanced("hashing", 1))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert "80.0 kB of 80.0 kB" in screen.after(2)


def test_the_thread_draws_by_itself_and_ends() -> None:
    stream = io.StringIO()
    progress = Progress(stream, quiet=False, warnings=[], terminal=False)
    progress(Started("hashing", 10))
    time.sleep(1.5)
    progress.close()
    progress.close()
    assert stream.getvalue().startswith("hashing: 0 B of 10 B")
    assert not any(thread.name == "lobsterdv-progress" for thread in threading.enumerate())
