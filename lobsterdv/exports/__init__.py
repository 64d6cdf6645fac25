"""Lineage in other people's formats: from a LineageReport to the text of a file. Pure; nothing is read or written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from lobsterdv.exports.drawings import dot, mermaid
from lobsterdv.ops.lineage import LineageReport

EXPORTS: Final[dict[str, Callable[[LineageReport], str]]] = {"dot": dot, "mermaid": mermaid}
"""By the name of the format."""
