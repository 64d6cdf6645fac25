"""Colour, when someone can see it: on a terminal, unless NO_COLOR (no-color.org) or a dumb terminal says no."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TextIO

import click


def painter(stream: TextIO) -> Callable[[str, str], str]:
    """A function from text and the name of a colour to text for ``stream``; no name, no colour."""
    if not stream.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return lambda text, colour: text
    return lambda text, colour: click.style(text, fg=colour) if colour else text
