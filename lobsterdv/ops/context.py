"""Project: everything a verb needs, handed to it. Wired in ``lobsterdv.project``, nowhere else."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from lobsterdv.blobs.cache import Cache
from lobsterdv.errors import ConfigError, LobsterError
from lobsterdv.events import Observer
from lobsterdv.formats.config import Config, Remote
from lobsterdv.formats.settings import EMBEDDED
from lobsterdv.git import Git
from lobsterdv.index.database import Index
from lobsterdv.stores.base import Store


@dataclass
class Project:
    """One open project. Threads may share it. ``root`` and ``state`` are absolute; ``now`` is seconds since 1970,
    ``free_bytes`` what may still be written on a file system, None where that cannot be told."""

    root: Path
    state: Path
    git: Git
    config: Config
    cache: Cache
    index: Index
    now: Callable[[], float]
    host: str
    open_store: Callable[[Remote], Store]
    observer: Observer
    free_bytes: Callable[[Path], int | None]
    _stores: dict[str, Store] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def project_id(self) -> str:
        value = self.config.text("project")
        if value is None:
            raise ConfigError(".lobsterdv.yaml", "it has no project id")
        return value

    @property
    def jobs(self) -> int:
        return self.config.number("jobs")

    @property
    def trashes(self) -> tuple[Path, Path]:
        """Where unsaved files go, and where the cache's contents do: each on its own file system."""
        return self.state / "trash", self.cache.trash

    def remote(self, name: str | None = None) -> Remote:
        """The remote of that name, or the default one. Raises ConfigError for an unknown name."""
        wanted = name or self.config.text("remote") or EMBEDDED
        if wanted not in self.config.remotes:
            known = ", ".join(sorted(self.config.remotes))
            raise ConfigError("configuration", f"there is no remote named {wanted} (there is: {known})")
        return self.config.remotes[wanted]

    def store(self, remote: Remote) -> Store:
        """The remote's store, opened once for each class of what is written there. Raises RemoteError, ConfigError."""
        key = f"{remote.name} {remote.settings.get('storage_class') or ''}"
        with self._lock:
            if key not in self._stores:
                self._stores[key] = self.open_store(remote)
            return self._stores[key]

    def close(self) -> None:
        """Let go of files and connections."""
        for store in self._stores.values():
            store.close()
        self._stores.clear()
        self.cache.close()
        self.index.close()


@dataclass(frozen=True, slots=True)
class Failure:
    """One item of many that failed; the others went on."""

    path: str
    error: LobsterError


def worst_exit(failures: list[Failure]) -> int:
    """The exit code for a run with these failures: the items' own when they agree, else 1."""
    codes = {failure.error.exit_code for failure in failures}
    return codes.pop() if len(codes) == 1 else (1 if codes else 0)
