"""search: versions by words that were said of them: names, messages, summaries, commands, parameters, commits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from lobsterdv.errors import UsageError
from lobsterdv.events import Observer
from lobsterdv.index import graph
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.datasets import pointers
from lobsterdv.ops.lineage_index import up_to_date
from lobsterdv.ops.tracing import VersionFacts, facts_of


@dataclass(frozen=True, slots=True)
class Hit:
    """A version, and a piece of the text in which a word was found."""

    version: VersionFacts
    text: str


@dataclass
class SearchReport:
    hits: list[Hit] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


def search(project: Project, words: Sequence[str], *, limit: int = 20, observer: Observer) -> SearchReport:
    """Committed versions of which every word (or a beginning of one) was said, best first. Raises UsageError without
    words."""
    if not any(character.isalnum() for word in words for character in word):
        raise UsageError("search needs a word to look for")
    work = pointers(project, None).good
    with up_to_date(project, observer=observer).reading() as connection:
        found = graph.search(connection, words, limit=limit)
        facts = facts_of(project, connection, [key for key, _ in found], work, {})
    return SearchReport([Hit(facts[key], " ".join(text.split())) for key, text in found])
