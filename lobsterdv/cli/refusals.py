"""What to type about each way of being refused, by the code that a ``Refused`` carries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lobsterdv.cli import refusals_data, refusals_git, refusals_remote
from lobsterdv.cli.situation import Entry, Remedy, Situation
from lobsterdv.errors import Refused

REFUSALS: Final[Mapping[str, Entry]] = {
    **refusals_data.REFUSALS,
    **refusals_git.REFUSALS,
    **refusals_remote.REFUSALS,
}


def refusal(error: Refused, at: Situation) -> list[Remedy]:
    """The entry for the error's code."""
    return REFUSALS.get(error.code, refusals_data.look_around)(error, at)
