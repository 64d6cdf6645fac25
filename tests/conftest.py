"""Fixtures for everyone: real S3 servers, and laboratories (projects in fresh git repositories)."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.documents_once import read_documents_once
from tests.ops.lab import Lab

settings.register_profile("here", suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no news
settings.load_profile("here")

signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background, or by nohup, ignores them
signal.signal(signal.SIGHUP, signal.SIG_DFL)
pytest_plugins = ["tests.servers", "tests.matrix", "tests.damage.counting"]
read_documents_once()


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A project in a fresh git repository; its remote is the embedded one."""
    made = Lab.create(tmp_path / "lab", home=tmp_path / "home")
    yield made
    made.close()
