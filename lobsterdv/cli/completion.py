"""What the shell offers after Tab: names of datasets and remotes. Silent and empty when anything is wrong."""

from __future__ import annotations

import os
from pathlib import Path

from click.shell_completion import CompletionItem

from lobsterdv.cli.session import Session
from lobsterdv.cli.words import Words
from lobsterdv.errors import LobsterError
from lobsterdv.git import Git

SUFFIX = ".ldv.yaml"


def complete_datasets(session: Session | None, incomplete: str) -> list[CompletionItem]:
    """Datasets whose path, from here, begins with what is typed. Two git processes, no configuration read."""
    try:
        folder = (session or Session([])).folder
        git = Git.find(Path(folder), environment=os.environ)
        names = git.work_files("*" + SUFFIX)
    except (LobsterError, OSError):
        return []
    words = Words(folder, str(git.root))
    paths = (words.raw(name.removesuffix(SUFFIX)) for name in names)
    found = [CompletionItem(path) for path in sorted(paths) if path.startswith(incomplete)]
    return found or [CompletionItem(incomplete, type="file")]  # perhaps something inside a dataset


def complete_remotes(session: Session | None, incomplete: str) -> list[CompletionItem]:
    """Configured remotes by name."""
    session = session or Session([])
    try:
        remotes = session.project().config.remotes
    except (LobsterError, OSError):
        return []
    finally:
        session.close()
    return [CompletionItem(n, help=r.url) for n, r in sorted(remotes.items()) if n.startswith(incomplete)]
