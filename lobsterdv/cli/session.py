"""One run of a command: the options it was given, the project it opened, what it was warned of.

It prints nothing. What a command leaves behind is a ``Done``; ``outcome`` tells it.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from lobsterdv.cli.words import Words

if TYPE_CHECKING:
    from lobsterdv.cli.progress import Progress
    from lobsterdv.cli.situation import Situation
    from lobsterdv.formats.config import Remote
    from lobsterdv.ops.context import Failure, Project


class Done(NamedTuple):
    """What a command leaves: its report, and how to tell it to people.

    ``answer`` is what was asked for and is printed even with ``--quiet``; ``lines`` say what happened and
    ``hints`` what to do next. ``exit`` is for a code that no failure explains.
    """

    report: object = None
    failures: Sequence[Failure] = ()
    answer: Sequence[str] = ()
    lines: Sequence[str] = ()
    hints: Sequence[str] = ()
    exit: int = 0


class Stop(Exception):
    """Every path that was given is refused already: there is nothing left to do."""


class Session:
    """Made once a run, from its arguments; options that click finds are handed to ``remember``."""

    def __init__(self, args: Sequence[str]) -> None:
        self.args = tuple(args)
        options = args[: args.index("--")] if "--" in args else args
        self.command = ""
        self.as_json = "--json" in options  # known before parsing, for usage errors
        self.quiet = False
        self.verbose = False
        self.directories: list[str] = []
        self.prefix = ""
        self.refused: list[Failure] = []
        self.warnings: list[str] = []
        self.started = time.perf_counter()
        self._root: str | None = None
        self._remote: str | None = None
        self._remotes: list[Remote] = []
        self._project: Project | None = None
        self._progress: Progress | None = None

    def remember(self, option: str, value: object) -> None:
        """An option of every command, or ``--remote``, as click read it; ``-C`` adds up as git's does."""
        if option == "directory":
            self.directories.append(str(value))
        elif option == "remote":
            self._remote = str(value)
        else:
            setattr(self, option, bool(value))

    @property
    def seconds(self) -> float:
        """Since the program began to read its arguments."""
        return time.perf_counter() - self.started

    @property
    def folder(self) -> str:
        """Where the user is, or means to be by ``-C``: absolute, free of links. Raises UsageError."""
        if not self.directories:
            return os.getcwd()
        folder = os.path.realpath(os.path.join(*self.directories))
        if not os.path.isdir(folder):
            from lobsterdv.errors import UsageError  # noqa: PLC0415 - start-up time

            raise UsageError(f"-C {os.path.join(*self.directories)}: there is no such folder")
        return folder

    @property
    def observer(self) -> Progress:
        """Shows progress and warnings on stderr; one a run."""
        if self._progress is None:
            from lobsterdv.cli.progress import Progress  # noqa: PLC0415 - start-up time

            self._progress = Progress(sys.stderr, quiet=self.quiet, warnings=self.warnings)
        return self._progress

    def project(self) -> Project:
        """The project around ``folder``, opened once. Raises NoGit, NotAProject, ConfigError, FormatError."""
        if self._project is None:
            from pathlib import Path  # noqa: PLC0415 - start-up time

            from lobsterdv.project import open_project  # noqa: PLC0415 - start-up time

            self._project = open_project(Path(self.folder), observer=self.observer)
            config = self._project.config
            self._root = str(self._project.root)
            self._remotes = [*config.remotes.values()]
            self._remote = self._remote or config.text("remote")
        return self._project

    @property
    def words(self) -> Words:
        """How paths and commands are written for this user."""
        directory = os.path.join(*self.directories) if self.directories else ""
        try:
            folder = os.path.realpath(os.path.join(directory, self.prefix))
        except FileNotFoundError:  # the current folder was deleted
            folder = "/"
        return Words(folder, self._root, directory)

    def situation(self, path: str) -> Situation:
        """What the remedies of a failure need to know."""
        from lobsterdv.cli.situation import Place, Situation  # noqa: PLC0415 - start-up time

        used = sorted(self._remotes, key=lambda remote: remote.name != self._remote)
        places = [Place(remote.name, remote.url, remote.text("endpoint_url") or "") for remote in used]
        return Situation(self.words, self.command, path, self.args, tuple(places))

    def close(self) -> None:
        """Take progress off the screen and let go of the project. May be repeated."""
        if self._progress is not None:
            self._progress.close()
        if self._project is not None:
            project, self._project = self._project, None
            project.close()
