"""Mutants that change nothing that anybody could notice: by module, the text of the line, and what is done to it."""

from __future__ import annotations

from typing import Final

_DURABLE, _POINTER = "lobsterdv/durable.py", "lobsterdv/formats/pointer.py"
EQUIVALENT: Final[dict[tuple[str, str, str], str]] = {
    (_DURABLE, "made.add(final.parent)", "leave out"): "a short cut: the second rename fails as the first did",
    (_DURABLE, "return", "leave out"): "another system's",
    (_DURABLE, "if len(paths) >= _SYNCFS_FROM and reports_errors():", "compare 0"): "which of two ways, at one number",
    (_DURABLE, "_open_and(sync_file, paths[-1])", "leave out"): "another system's",
    (_DURABLE, "_open_and(sync_file, paths[-1])", "one more"): "another system's",
    (_POINTER, "if type(value) is not int or not 0 <= value < 1 << 63:", "compare 1"): "2^63 is text in our YAML",
}
