"""For children of the nursery (``prepare="tests.damage.ageing:nothing_is_young"``). A module of its own: what is called
there is imported there, and a test's module brings pytest along."""

from __future__ import annotations

from lobsterdv.ops import choosing


def nothing_is_young() -> None:
    """An hour has passed."""
    choosing.YOUNG_S = -1  # type: ignore[misc]
