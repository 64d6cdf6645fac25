"""If these fail, the table that ends a run of the faults says that nothing was lost when something was."""

from __future__ import annotations

import pytest

from tests.damage.counting import Counters, table
from tests.damage.oracle import Wrong


def test_what_failed_was_tried() -> None:
    counters = Counters()
    with counters.trying("kills"):
        pass
    with counters.trying("kills") as attempt:
        attempt.times = 0  # it had ended before
    with pytest.raises(AssertionError), counters.trying("kills"):
        raise AssertionError("it does not go on")
    with pytest.raises(Wrong), counters.trying("kills"):
        raise Wrong("an object is gone")
    with pytest.raises(AssertionError), counters.trying("kills"):
        raise AssertionError("at step 3") from Wrong("an object is gone")
    assert counters.counts == {"kills": [4, 1, 2]}
    assert [*table(counters.counts)][-2:] == [
        "| kills         |     4 |           1 |",
        "In all 4 tried. Not as promised: 3; the oracle found 2 lost or wrong.",
    ]


def test_parts_are_not_added_to_the_sum() -> None:
    counts = {"kills": [3, 3, 0], "kills, of these at once": [2, 2, 0]}
    assert [*table(counts)][-1] == "In all 3 tried, and all went as promised. Versions lost: 0."
