"""What the remedies know of a failure's circumstances, and what a remedy is."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from lobsterdv.cli.words import Words, quote
from lobsterdv.formats.settings import EMBEDDED


class Remedy(NamedTuple):
    """A command to type, and what it does when that is not plain."""

    command: str
    note: str = ""

    def __str__(self) -> str:
        return f"{self.command}   ({self.note})" if self.note else self.command


class Place(NamedTuple):
    """A configured remote."""

    name: str
    url: str
    endpoint_url: str = ""


@dataclass(frozen=True)
class Situation:
    """What was going on: the command and all that was typed, the item that failed (relative to the project),
    and the remotes, the one in use first."""

    words: Words
    command: str = ""
    path: str = ""
    typed: tuple[str, ...] = ()
    remotes: tuple[Place, ...] = ()

    def remote(self, url: str) -> Place:
        """The remote whose URL an error tells; one called NAME when it has none."""
        return next((place for place in self.remotes if url.startswith(place.url)), Place("NAME", url))

    def exists(self, path: str) -> bool:
        """Whether there is something at a path of the project."""
        return os.path.lexists(os.path.join(self.words.root or "", path))

    @property
    def arg(self) -> str:
        """The item as it is typed; PATH when there is none."""
        return self.words.arg(self.path) if self.path else "PATH"

    @property
    def can_share(self) -> bool:
        """Whether the remote in use is more than the embedded one."""
        return bool(self.remotes) and self.remotes[0].name != EMBEDDED

    def option(self, name: str) -> list[str]:
        """An option and its value, to be typed again; nothing when it was not typed."""
        for at, word in enumerate(self.typed):
            if word == name:
                return [name, quote(self.typed[at + 1])] if at + 1 < len(self.typed) else []
            if word.startswith(name + "="):
                return [quote(word)]
        return []

    def again(self, *options: str) -> str:
        """The command as it was typed, with more options."""
        end = self.typed.index("--") if "--" in self.typed else len(self.typed)
        return " ".join(["lobsterdv", *map(quote, self.typed[:end]), *options, *map(quote, self.typed[end:])])


Entry = Callable[[Any, Situation], list[Remedy]]
"""What there is to type about one kind of error."""
