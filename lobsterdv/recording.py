"""Runs of Python code: what is loaded inside one is its input, what is saved its output.

::

    with dm.run("normalise", params={"target_sum": 1e4}):
        adata = dm.load("data/raw.h5ad")
        ...
        dm.save(adata, "data/normalised.h5ad")

    @dm.run("normalise")                 # the arguments of each call are its parameters
    def normalise(target_sum: float = 1e4): ...
"""

from __future__ import annotations

import functools
import inspect
import math
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import Any, ParamSpec, Protocol, TypeVar

from lobsterdv.digest import Digest
from lobsterdv.errors import UsageError
from lobsterdv.formats.pointer import Input
from lobsterdv.formats.runs import RunRecord
from lobsterdv.formats.yamlio import Value
from lobsterdv.ops.add import add
from lobsterdv.ops.context import Project
from lobsterdv.ops.run_records import keep_run
from lobsterdv.ops.runs import code_state, run_block, script_of, utc
from lobsterdv.paths import safe_path
from lobsterdv.runner import PACKAGES

_P = ParamSpec("_P")
_R = TypeVar("_R")


class Recorder(Protocol):
    """Whose loads and saves a run records."""

    _project: Project
    _run: Run | None


@dataclass
class Run:
    """One run; a context manager, and a decorator that makes a new run of every call. Not to be nested; loads and saves
    of other threads that share the manager count as well. ``record`` is the run record's name once it has ended well.

    A run that raises keeps what was saved as versions of their own, and says of none that this run made it.
    """

    manager: Recorder
    activity: str
    params: Mapping[str, Any] = field(default_factory=dict)
    inputs: dict[Input, None] = field(default_factory=dict)
    outputs: dict[str, tuple[Input, ...]] = field(default_factory=dict)
    record: Digest | None = None
    _started: float = 0.0

    def __enter__(self) -> Run:
        if self.manager._run is not None:
            raise UsageError(f"run {self.activity!r} inside run {self.manager._run.activity!r}: end that one first")
        self.manager._run = self
        self.inputs.clear()
        self.outputs.clear()
        self._started = self.manager._project.now()
        self._code = code_state(self.manager._project)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.manager._run = None
        if kind is None and self.outputs:
            self._keep()

    def __call__(self, function: Callable[_P, _R]) -> Callable[_P, _R]:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def recorded(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            with Run(self.manager, self.activity, {**self.params, **bound.arguments}):
                return function(*args, **kwargs)

        return recorded

    def used(self, item: Input) -> None:
        """Note an input."""
        self.inputs[item] = None

    def made(self, name: str) -> None:
        """Note an output, made from what was used until now."""
        self.outputs[name] = tuple(item for item in self.inputs)

    def _keep(self) -> None:
        project = self.manager._project
        command, script = _command(project)
        params = {str(name): plain(value) for name, value in self.params.items()}
        block = run_block(self.activity, command, script, params)
        made = []
        for name, inputs in self.outputs.items():
            report = add(project, [name], inputs=inputs, run=block, observer=project.observer)
            if report.failures:
                raise report.failures[0].error
            made += [Input(safe_path(row.path), row.digest) for row in report.added]
        commit, dirty = self._code
        record = RunRecord(
            activity=self.activity, inputs=tuple(self.inputs), outputs=tuple(made), started=utc(self._started),
            ended=utc(project.now()), by=project.git.identity(), host=project.host, command=command, script=script,
            params=params, commit=commit, dirty=dirty, environment=_facts(),
        )  # fmt: skip
        self.record = keep_run(project.cache, record)


def plain(value: Any) -> Value:
    """A parameter as pointers hold it: numbers, words, lists and mappings of such; anything else by its type's name."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, Path):
        return str(value)
    item = getattr(value, "item", None)  # numpy's scalars
    if callable(item) and getattr(value, "ndim", 1) == 0:
        return plain(item())
    return type(value).__name__


def _command(project: Project) -> tuple[str | None, str | None]:
    """How this program was started, and its script's git blob, when it is a script of the project; else nothing: a
    notebook, a shell."""
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    root = project.root.resolve()
    if file is None or not Path(file).resolve().is_relative_to(root):
        return None, None
    words = ["python", Path(file).resolve().relative_to(root).as_posix(), *sys.argv[1:]]
    script = script_of(project, words, root)
    return (shlex.join(words), script) if script else (None, None)


def _facts() -> dict[str, str]:
    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
