"""Mutants that change nothing that anybody could notice: by module, the text of the line, and what is done to it."""

from __future__ import annotations

from typing import Final

EQUIVALENT: Final[dict[tuple[str, str, str], str]] = {}
