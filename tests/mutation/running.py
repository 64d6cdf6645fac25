"""The tests near a module, collected once; then a fork for every mutant, which swaps the code of the functions that it
changes and runs the tests that reach its line, the fast ones first, until one fails. A pytest plugin."""

from __future__ import annotations

import ast
import gc
import json
import os
import random
import signal
import sys
import threading
import time
import types
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from tests.mutation.planting import Mutant, functions_in, mutants_of, planted

LONGEST_S = 120
"""A mutant that takes longer hangs, and counts as found."""
FOUND, LIVED, BROKEN = 0, 1, 3


@dataclass
class Told:
    """Of one module: the mutants there are, those planted, those that lived (of these ``unreached``, on lines that no
    test near it reaches), and those that took too long."""

    module: str
    all: int = 0
    planted: int = 0
    lived: list[str] = field(default_factory=list)
    unreached: list[str] = field(default_factory=list)
    hung: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)


class Planter:
    """Takes the place of pytest's loop. Writes what it ``Told`` into ``report``."""

    def __init__(self, module: Path, most: int, seed: int, lines: Sequence[int], report: Path) -> None:
        self._path = module.resolve()
        self._tree = ast.parse(self._path.read_text())
        self._most, self._seed, self._lines, self._report = most, seed, lines, report

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        told = Told(str(self._path.relative_to(Path.cwd())))
        mutants = list(mutants_of(self._tree))
        told.all = len(mutants)
        chosen = [m for m in mutants if m.line in self._lines] if self._lines else mutants
        if len(chosen) > self._most:
            chosen = random.Random(self._seed).sample(chosen, self._most)
        reached = self._reached(session, told)
        gc.collect()
        self._functions = functions_of(str(self._path))
        gc.freeze()
        for mutant in sorted(chosen, key=lambda m: (m.line, m.number)):
            tests = [
                session.items[at] for at, _ in sorted(reached.get(mutant.line, {}).items(), key=lambda row: row[1])
            ]
            ended = _in_child(lambda m=mutant, t=tests: self._try(m, t)) if tests else LIVED  # type: ignore[misc]
            told.planted += 1
            if ended == LIVED:
                told.lived.append(str(mutant))
                told.unreached += [] if tests else [str(mutant)]
            elif ended == BROKEN:
                told.broken.append(f"{told.module} {mutant}: could not be planted")
            elif ended != FOUND:
                told.hung.append(str(mutant))
            sys.stdout.write(f"{told.module} {mutant}: {'lived' if ended == LIVED else 'found'} ({len(tests)} tests)\n")
            sys.stdout.flush()
        self._report.write_text(json.dumps(asdict(told)))
        return True

    def _reached(self, session: pytest.Session, told: Told) -> dict[int, dict[int, float]]:
        """By line: the tests that reach it, by their place, with the seconds that each took."""
        file = self._report.with_suffix(".lines")

        def look() -> int:
            rows = []
            for at, item in enumerate(session.items):
                lines, began = set[int](), time.monotonic()
                passed = _run(item, _following(session.items, at), _tracer(str(self._path), lines))
                rows.append((at, sorted(lines), time.monotonic() - began, passed))
                file.write_text(json.dumps(rows))
            return FOUND

        _in_child(look, longest_s=0)
        found: dict[int, dict[int, float]] = {}
        for at, lines, seconds, passed in json.loads(file.read_text()):
            if not passed:
                told.broken.append(session.items[at].nodeid)
            for line in lines if passed else []:
                found.setdefault(line, {})[at] = seconds
        file.unlink()
        return found

    def _try(self, mutant: Mutant, tests: Sequence[pytest.Item]) -> int:
        code = compile(planted(self._tree, mutant), str(self._path), "exec", dont_inherit=True)
        assert swap_code(self._functions, code), mutant
        try:
            found = any(not _run(item, _following(tests, at), None) for at, item in enumerate(tests))
        except BaseException:  # it ended pytest itself
            return FOUND
        return FOUND if found else LIVED


def functions_of(path: str) -> list[types.FunctionType]:
    """Every function of the module at ``path``, wherever it is known by now."""
    found = [thing for thing in gc.get_objects() if isinstance(thing, types.FunctionType)]
    return [function for function in found if function.__code__.co_filename == path]


def swap_code(functions: Sequence[types.FunctionType], code: types.CodeType) -> int:
    """Give those functions that are other in ``code`` their code there; returns how many."""
    new = functions_in(code)
    changed = 0
    for function in functions:
        made = new.get((function.__code__.co_qualname, function.__code__.co_firstlineno))
        if made is not None and made != function.__code__:
            function.__code__ = made
            changed += 1
    return changed


def _following(items: Sequence[pytest.Item], at: int) -> pytest.Item | None:
    return items[at + 1] if at + 1 < len(items) else None


def _run(item: pytest.Item, following: pytest.Item | None, tracer: Callable[..., Any] | None) -> bool:
    if tracer is not None:
        threading.settrace(tracer)
        sys.settrace(tracer)
    try:
        reports = runtestprotocol(item, nextitem=following, log=False)
    finally:
        sys.settrace(None)
        threading.settrace(None)  # type: ignore[arg-type]
    return all(report.passed or report.skipped for report in reports)


def _tracer(path: str, lines: set[int]) -> Callable[..., Any]:
    def inside(frame: types.FrameType, event: str, arg: object) -> Any:
        lines.add(frame.f_lineno)
        return inside

    def entered(frame: types.FrameType, event: str, arg: object) -> Any:
        return inside(frame, event, arg) if frame.f_code.co_filename == path else None

    return entered


def _in_child(job: Callable[[], int], longest_s: int = LONGEST_S) -> int:
    """What ``job`` returned in a fork; -1 when it took too long, or died."""
    pid = os.fork()
    if not pid:
        code = BROKEN
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(longest_s)
            quiet = os.open(os.devnull, os.O_WRONLY)
            os.dup2(quiet, 1)
            os.dup2(quiet, 2)
            code = job()
        finally:
            os._exit(code)
    _, state = os.waitpid(pid, 0)
    return os.WEXITSTATUS(state) if os.WIFEXITED(state) else -1
