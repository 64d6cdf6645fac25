"""Faults planted in lobsterdv itself, one each: the checks must find every one of them (``prepare`` of the nursery, and
as ``python -m tests.damage.mutants MUTANT ARGS...`` a command line of its own)."""

from __future__ import annotations

import sys


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
    """The pointer gets its name before what it names: publications wait until the process ends well."""
    import atexit
    import os

    from lobsterdv import durable

    waiting: list[object] = []
    publish = durable.publish

    def later(publications: object, *, jobs: int = 8) -> None:
        waiting.append(list(publications))  # type: ignore[call-overload]

    durable.publish = later  # type: ignore[assignment]
    exit_now = os._exit

    def at_end(code: int) -> None:
        for batch in waiting:
            publish(batch)  # type: ignore[arg-type]
        exit_now(code)

    os._exit = at_end  # type: ignore[assignment]
    atexit.register(lambda: [publish(batch) for batch in waiting])  # type: ignore[arg-type]


def believing() -> None:
    """Bytes that arrive are taken for what their name says."""
    from lobsterdv.blobs import download, intake

    class Believed(bytes):
        def __eq__(self, other: object) -> bool:
            return True

        def __ne__(self, other: object) -> bool:
            return False

        __hash__ = bytes.__hash__

    for module in (download, intake):
        for name in ("digest_of", "digest_of_pieces"):
            if hasattr(module, name):
                setattr(module, name, lambda *args: Believed(32))


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
