"""Hostile documents, one parser at a time. If these fail, whoever can push to git or to a bucket can crash, stall or
fill the machine of whoever pulls, or write where nothing of theirs belongs."""

from __future__ import annotations

from collections import Counter

import pytest

from lobsterdv.paths import safe_path
from tests.damage.corpus import CORPUS, HARMLESS, HONEST, PARSERS
from tests.damage.counting import Counters
from tests.damage.judging import Verdict, judge_corpus, judge_largest, judge_mutations

SECONDS, MIB = 0.1, 64
SHORT, LONG = 3_000, 24_000
MUTATED = "hostile documents, mutated: refused by name, or read"
COUNT = sum(map(len, CORPUS.values()))


@pytest.fixture(scope="module")
def verdicts() -> list[Verdict]:
    return judge_corpus()


def test_the_corpus_is_large_and_of_every_parser(verdicts: list[Verdict]) -> None:
    assert COUNT >= 300 and len(verdicts) == COUNT
    assert Counter(v.parser for v in verdicts).keys() == PARSERS.keys() == HONEST.keys()


def test_every_hostile_document_is_refused_by_name(verdicts: list[Verdict], counters: Counters) -> None:
    """No traceback, nothing read as if it were honest, and no reach for a file, a process or the network."""
    with counters.trying("hostile documents of the corpus: refused by name", COUNT):
        assert [v for v in verdicts if v.bug] == []
        assert [(v.parser, v.name) for v in verdicts if not v.error] == []
        assert {v.error for v in verdicts} <= {
            "FormatError", "UnsafePath", "UnknownFormat", "UnknownFeature", "ConflictedPointer", "ConfigError",
            "NotARemote",
        }  # fmt: skip


def test_at_once_and_in_little_memory(verdicts: list[Verdict]) -> None:
    assert [v for v in verdicts if v.seconds > SECONDS] == []
    assert [v for v in verdicts if v.peak_mib > MIB] == []


def test_as_large_as_may_be(counters: Counters) -> None:
    """Whatever its shape: what is small by its limit wholly, what may be large in proportion."""
    found = judge_largest()
    assert [v for v in found if v.bug] == []
    assert {v.parser for v in found} >= {"pointer", "config", "record", "listing", "manifest", "segment", "run record"}
    with counters.trying("documents as large as may be: read or refused at once", len(found)):
        assert [v for v in found if v.seconds > SECONDS or v.peak_mib > MIB] == []


@pytest.mark.parametrize("parser", list(HONEST))
def test_what_is_honest_is_read(parser: str) -> None:
    """What is refused above is refused for its malice, not for its shape."""
    PARSERS[parser](HONEST[parser])


@pytest.mark.parametrize("name", list(HARMLESS))
def test_names_that_are_hostile_elsewhere_are_plain_here(name: str) -> None:
    assert safe_path(name) == name


def test_mutations(counters: Counters) -> None:
    with counters.trying(MUTATED, SHORT):
        _judge(SHORT, seed=1)


@pytest.mark.faults
@pytest.mark.parametrize("seed", range(2, 6))
def test_many_mutations(seed: int, counters: Counters) -> None:
    """Four times 24,000."""
    with counters.trying(MUTATED, LONG):
        _judge(LONG, seed=seed)


def _judge(examples: int, *, seed: int) -> None:
    judged = judge_mutations(examples, seed)
    assert judged.bugs == [], "\n\n".join(judged.bugs)
    assert judged.tried == examples and judged.slowest <= SECONDS and judged.peak_mib <= MIB, judged
    assert judged.read < examples * 0.5, "most mutations must be refused, or they mutate nothing"
