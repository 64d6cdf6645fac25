"""A nursery for every module that needs processes of its own, and scenes that are set once for all tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol, TypeVar

import pytest

from tests.damage.killing import Nursery


class Again(Protocol):
    """A scene that can be had again as it was, whatever was done to it."""

    def again(self) -> None: ...


S = TypeVar("S", bound=Again)
Once = Callable[[str, Callable[[Path], S]], S]


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    with Nursery() as made:
        yield made


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once[S]:
    """Sets the scene of this name in a folder of its own, the first time; gives it as it was then, every time."""
    made: dict[str, S] = {}

    def get(name: str, make: Callable[[Path], S]) -> S:
        if name not in made:
            made[name] = make(tmp_path_factory.mktemp("scene"))
        made[name].again()
        return made[name]

    return get
