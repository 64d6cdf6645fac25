"""SIGTERM and SIGHUP. If these fail, a batch system that ends a job leaves temps behind, or its command running."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from lobsterdv.cli.ending import Terminated, ends_when_told
from lobsterdv.runner import run_command


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_first_ends_it_and_the_next_ones_do_not_hinder(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(Terminated) as raised, ends_when_told():
        try:
            os.kill(os.getpid(), number)
        finally:
            os.kill(os.getpid(), number)  # while temps are being removed
            os.kill(os.getpid(), signal.SIGTERM)
    assert raised.value.exit_code == 128 + number
    assert signal.getsignal(number) is before


def test_what_the_parent_has_it_ignore_is_ignored() -> None:
    """nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ends_when_told():
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_command_of_a_run_is_told(tmp_path: Path) -> None:
    """It ran on, unrecorded, after the run that had started it was gone."""
    line = "trap 'echo told > told; exit 3' TERM; kill -TERM $PPID; for n in $(seq 500); do sleep 0.02; done"
    with ends_when_told():
        assert run_command([line], folder=tmp_path, environment=dict(os.environ)) == 3
    assert (tmp_path / "told").read_text() == "told\n"
