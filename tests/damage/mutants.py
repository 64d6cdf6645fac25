"""Faults planted in lobsterdv itself, one each: the checks must find every one of them (``prepare`` of the nursery, and
as ``python -m tests.damage.mutants MUTANT ARGS...`` a command line of its own)."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.damage.ageing import nothing_is_young as nothing_is_young  # no fault, but planted alike


def no_sync_of_files() -> None:
    """What is written gets its name before it is on the disk."""
    from lobsterdv import durable

    durable.sync_all = _only_folders(durable.sync_all)  # type: ignore[assignment]


def no_sync_of_folders() -> None:
    """Names are not brought to the disk."""
    from lobsterdv import durable

    durable.sync_folder = lambda path: None  # type: ignore[assignment]


def no_sync_of_documents() -> None:
    """Pointers and other small documents are not synced before they get their names."""
    from lobsterdv import durable

    durable.sync_file = lambda fd: None  # type: ignore[assignment]


def pointer_first() -> None:
    """The pointer gets its name before the content that it names does."""
    from lobsterdv.blobs.intake import Intake
    from lobsterdv.ops import add

    waiting: list[Intake] = []
    commit, write_pointer = Intake.commit, add.write_pointer

    def write_and_commit(project: object, dataset: str, encoded: bytes) -> object:
        path = write_pointer(project, dataset, encoded)  # type: ignore[arg-type]
        for intake in waiting:
            commit(intake)
        return path

    Intake.commit = lambda intake: waiting.append(intake)  # type: ignore[method-assign]
    Intake.abandon = lambda intake: None  # type: ignore[method-assign]
    add.write_pointer = write_and_commit  # type: ignore[assignment]


def believing() -> None:
    """Bytes that arrive are taken for what their name says."""
    from lobsterdv.blobs import arrivals, incoming
    from lobsterdv.digest import Hasher

    class Believed(bytes):
        def __eq__(self, other: object) -> bool:
            return True

        def __ne__(self, other: object) -> bool:
            return False

        __hash__ = bytes.__hash__

    class Trusting(Hasher):
        def digest(self) -> Believed:  # type: ignore[override]
            return Believed(32)

    arrivals.digest_of = lambda data: Believed(32)  # type: ignore[assignment]
    incoming.Hasher = Trusting  # type: ignore[misc]


def writes_at_home() -> None:
    """A cache of our own in the user's home."""
    _when_done(lambda: (Path(os.environ["HOME"]) / ".cache/lobsterdv").write_bytes(b"x"))


def leaves_a_temporary_file() -> None:
    _when_done(lambda: tempfile.mkstemp())


def follows_a_link_out() -> None:
    """What lies beside the project is written, and its time put back."""

    def write() -> None:
        path = Path(os.environ["HOME"]).parent / "beside/canary"
        info = path.stat()
        path.write_bytes(path.read_bytes().replace(b"me", b"us"))
        os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))

    _when_done(write)


def tidies_too_much() -> None:
    _when_done(lambda: (Path(os.environ["HOME"]).parent / "beside/empty").rmdir())


def _when_done(act: Callable[[], object]) -> None:
    """``act`` when the first document is written."""
    from lobsterdv import durable

    write = durable.write

    def written(*args: Any, **options: Any) -> None:
        durable.write = write
        write(*args, **options)
        act()

    durable.write = written


def _only_folders(sync_all: object) -> object:
    def synced(paths: object, **options: object) -> None:
        sync_all([path for path in paths if path.is_dir()], **options)  # type: ignore[operator,attr-defined]

    return synced


def main() -> None:
    globals()[sys.argv[1]]()
    from lobsterdv.cli.main import run

    sys.exit(run(sys.argv[2:]))


if __name__ == "__main__":
    main()
