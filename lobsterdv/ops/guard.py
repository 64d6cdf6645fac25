"""The last look before a file of the user's goes: it must be what it was when that was decided.

Between a plan and its end lie minutes in which new files are staged; an editor, or a running analysis, saves into the
work tree meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from stat import S_ISDIR, S_ISLNK

from lobsterdv import durable
from lobsterdv.errors import WouldOverwrite
from lobsterdv.signature import Signature, signature_of

Known = Callable[[str], Signature | None]
"""What lay at a path below the dataset when the plan was made; None when nothing did."""


class Guard:
    """Of one dataset at ``place``; paths are below it. Not for several threads."""

    def __init__(self, dataset: str, place: Path, known: Known) -> None:
        self._dataset = dataset
        self._place = place
        self._known = known
        self._gone: set[int] = set()

    def require_all(self, paths: Iterable[str]) -> None:
        """``require`` for many, before any of them goes."""
        for path in paths:
            self._look(path)

    def require(self, path: str) -> None:
        """What is there, if anything, is as it was; the caller then removes or replaces it at once. Folders are not
        looked at: only empty ones ever go. Raises WouldOverwrite, LocalIOError."""
        inode = self._look(path)
        if inode is not None:
            self._gone.add(inode)

    def _look(self, path: str) -> int | None:
        full = self._place / path if path else self._place
        known = self._known(path)
        with durable.translating(full):
            try:
                stat = full.lstat()
            except (FileNotFoundError, NotADirectoryError):
                return None
            if S_ISLNK(stat.st_mode) and full.exists() and signature_of(stat) != known:
                stat = full.stat()  # a link into the cache counts as the file there
        if S_ISDIR(stat.st_mode):
            return None
        now = signature_of(stat)
        # Another name of a hard-linked file went here: that changed its ctime.
        relinked = known is not None and known[:4] == now[:4] and now.inode in self._gone
        if known is None or not (known == now or relinked):
            if any((self._place / folder).is_symlink() for folder in Path(path).parents):
                return None  # it lies elsewhere: nothing is ever written or removed through a link
            what = f"{self._dataset}/{path}" if path else self._dataset
            raise WouldOverwrite(self._dataset, f"{what} was {'modified' if known else 'made'} meanwhile")
        return now.inode
