"""Lineage in other people's formats: from a LineageReport to the text of a file. Pure; nothing is read or written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from lobsterdv.exports.drawings import dot, mermaid
from lobsterdv.exports.page import page
from lobsterdv.exports.plain import node_link
from lobsterdv.exports.prov import prov_json
from lobsterdv.exports.rocrate import ro_crate
from lobsterdv.ops.lineage import LineageReport

EXPORTS: Final[dict[str, Callable[[LineageReport], str]]] = {
    "json": node_link,
    "dot": dot,
    "mermaid": mermaid,
    "html": page,
    "prov": prov_json,
    "ro-crate": ro_crate,
}
"""By the name of the format."""
