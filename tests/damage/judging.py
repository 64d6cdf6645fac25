"""A process that parses hostile documents: it measures each, and notices whatever it tries to do besides reading.

Run as a program it takes one line of JSON, ``{"examples": N, "seed": S}``: without examples it judges the corpus,
each case in a process of its own, and with seed 1 what is as large as may be instead; else that many mutations of
honest and hostile documents, in this one.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

FORBIDDEN = ("os.", "open", "shutil.", "subprocess.", "socket.", "ctypes.", "sqlite3.", "urllib.", "tempfile.", "pty.")

_MUCH_MIB = 48  # of one document after the other, from which on each is measured by itself
_DIED = ["", "its process died", 0.0, 0.0]
SLOW = 0.05  # CPU seconds of one document from which on it is measured again


class Verdict(NamedTuple):
    """What a document did: ``error`` is the type raised (empty: it was read), ``bug`` says what must not happen."""

    parser: str
    name: str
    error: str
    bug: str
    seconds: float
    peak_mib: float


class Judged(NamedTuple):
    """What many mutations did: how many were tried and read, the worst of them, and the bugs."""

    tried: int
    read: int
    slowest: float
    peak_mib: float
    bugs: list[str]


def judge_corpus() -> list[Verdict]:
    """Every case of the corpus, each in a fork of a process that has only the parsers."""
    return [Verdict(*row) for row in _ask({"examples": 0, "seed": 0})]


def judge_largest() -> list[Verdict]:
    """Every document of ``tests.damage.largest``, each parser's in one process; the fastest of three counts."""
    return [Verdict(*row) for row in _ask({"examples": 0, "seed": 1})]


def judge_mutations(examples: int, seed: int) -> Judged:
    """So many mutations; ``seed`` makes them the same again."""
    return Judged(*_ask({"examples": examples, "seed": seed}))


def _ask(job: dict[str, int]) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "tests.damage.judging"],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def main() -> None:
    job = json.loads(sys.stdin.readline())
    import zstandard  # noqa: F401  the parsers import it late; its import is not theirs

    from tests.damage import corpus

    if job["examples"]:
        answer = _in_child(lambda: _mutations(job["examples"], job["seed"]))
    elif job["seed"]:
        from tests.damage.largest import largest

        cases: dict[str, dict[str, bytes]] = {}
        for parser, name, data in largest():
            cases.setdefault(parser, {})[name] = data
        answer = [row for parser in cases for row in _in_child(partial(_best_of_three, parser, cases[parser]))]
    else:
        answer = [row for parser, cases in corpus.CORPUS.items() for row in _corpus(parser, cases)]
    sys.stdout.write(json.dumps(answer))


def _mutations(examples: int, seed: int) -> list[Any]:
    from tests.damage.mutating import mutations

    watch()
    read, slowest, bugs = 0, 0.0, []
    begun = _rss_mib()
    for parser, data in mutations(examples, seed):
        error, bug, seconds = judge(parser, data)
        for _ in range(3):  # a machine with other work counts some of it as ours: the best of four is the parser's
            if seconds > SLOW:
                seconds = min(seconds, judge(parser, data)[2])
        read += not error
        slowest = max(slowest, seconds)
        if bug:
            bugs.append(f"{parser}: {bug}\n{data[:4000]!r}")
    return [examples, read, slowest, _rss_mib() - begun, bugs[:20]]


def _corpus(parser: str, cases: Mapping[str, bytes]) -> list[list[Any]]:
    """All cases of a parser in one process; when anything is amiss there, each in one of its own."""
    together = _in_child(partial(_cases, parser, list(cases.values())))
    if len(together) == len(cases) and all(not bug and peak <= _MUCH_MIB for _, bug, _, peak in together):
        return [[parser, name, *row] for name, row in zip(cases, together, strict=True)]
    return [[parser, name, *(_in_child(partial(_cases, parser, [data])) or [_DIED])[0]] for name, data in cases.items()]


def _cases(parser: str, documents: Sequence[bytes]) -> list[Any]:
    resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
    watch()
    begun = _rss_mib()
    return [[*judge(parser, data), _rss_mib() - begun] for data in documents]


def _best_of_three(parser: str, documents: Mapping[str, bytes]) -> list[Any]:
    """The seconds of the fastest; MiB of all documents together so far."""
    resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
    watch()
    begun, rows = _rss_mib(), []
    for name, data in documents.items():
        error, bug, seconds = judge(parser, data)
        for _ in range(2):
            if seconds > SLOW:
                seconds = min(seconds, judge(parser, data)[2])
        rows.append([parser, name, error, bug, seconds, _rss_mib() - begun])
    return rows


def judge(parser: str, data: bytes) -> tuple[str, str, float]:
    """The error that parsing raises, what is wrong with that, and its CPU seconds."""
    from lobsterdv.errors import LobsterError
    from tests.damage.corpus import PARSERS

    error = bug = ""
    begun = time.thread_time()
    try:
        PARSERS[parser](data)
    except LobsterError as refused:
        error = type(refused).__name__
        said = str(refused)
        if len(said) > 2000 or not said:
            bug = f"says {len(said)} characters"
    except BaseException as raised:
        frames = traceback.walk_tb(raised.__traceback__)
        places = [f"{Path(frame.f_code.co_filename).name}:{line}" for frame, line in frames]
        bug = f"{type(raised).__name__}: {str(raised)[:500]} at {' '.join(places[-6:])}"
    return error, bug, time.thread_time() - begun


def _in_child(work: Callable[[], list[Any]]) -> list[Any]:
    """What ``work`` returns in a fork, whose memory is measured from there; nothing when it dies."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if not child:
        with os.fdopen(write_end, "w") as out:
            json.dump(work(), out)
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end) as answer:
        said = answer.read()
    os.waitpid(child, 0)
    return json.loads(said) if said else []


def watch() -> None:
    """From here on, whatever reaches for files, processes or the network raises."""

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event in ("os.write", "os.fork") or not event.startswith(FORBIDDEN):
            return
        raise AssertionError(f"parsing did {event} {args!r:.200}")

    sys.addaudithook(hook)


def _rss_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
