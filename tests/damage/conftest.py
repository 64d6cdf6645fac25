"""A nursery for every module that needs processes of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.damage.killing import Nursery


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    with Nursery() as made:
        yield made
