"""How far git reaches back: whatever it could still bring out, by any name or none, and the work trees it could be in.

Each function says how many processes it starts.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from lobsterdv.errors import GitFailed
from lobsterdv.git import Git

_NOTES: Final = ("*_HEAD", "*_AUTOSTASH", "HEAD", "BISECT_*", "rebase-merge/*", "rebase-apply/*", "sequencer/*")
_HEX: Final = re.compile(rb"\b(?:[0-9a-f]{64}|[0-9a-f]{40})\b")


def reachable(git: Git, pattern: str) -> dict[str, str]:
    """Every blob that ever lay under a matching path, and that path, in whatever git still reaches: all refs, the
    stash, all reflogs, the heads of all worktrees, and what an operation under way notes (ORIG_HEAD,
    a rebase); indexes hold more. One process. Raises GitFailed when any of it cannot be read."""
    found = {}
    noted = "".join(f"{commit}\n" for commit in _noted(git.common_dir))
    out = git.ask(
        "rev-list", "--objects", "--full-history", "--all", "--reflog", "--ignore-missing",
        "--stdin", stdin=f"{noted}--\n{pattern}\n".encode(),
    )  # fmt: skip
    suffix = pattern.lstrip("*")
    for line in out.decode(errors="surrogateescape").split("\n"):
        blob, _, path = line.partition(" ")
        if path.endswith(suffix):
            found[blob] = path
    return found


def worktrees(git: Git) -> list[Path]:
    """The work trees of this repository; those whose folders are gone are among them until `git worktree prune`.
    Two processes."""
    blocks = git.ask("worktree", "list", "--porcelain").decode(errors="surrogateescape").split("\n\n")
    lines = [block.split("\n") for block in blocks if block]
    paths = [Path(facts[0].removeprefix("worktree ")) for facts in lines if "bare" not in facts]
    own = git.ask("config", "--get", "core.worktree", accept=(0, 1)).decode(errors="surrogateescape").rstrip("\n")
    # A submodule's: the list shows its git folder instead.
    main = [(git.common_dir / own).resolve()] if own else []
    return list(dict.fromkeys([*main, *(p for p in paths if p != git.common_dir and not (main and p == paths[0]))]))


def _noted(common_dir: Path) -> list[str]:
    """The commits that git notes outside of refs, in every worktree. Some may not exist any more. Raises GitFailed for
    a note that cannot be read; one that goes meanwhile is of an operation that ended, in refs and reflogs."""
    found: dict[bytes, None] = {}
    for folder in [common_dir, *common_dir.glob("worktrees/*")]:
        for path in [p for name in _NOTES for p in folder.glob(name) if p.is_file()]:
            try:
                with path.open("rb") as lines:  # FETCH_HEAD has a line a branch, patches may be long
                    for line in lines:
                        found.update(dict.fromkeys(_HEX.findall(line)))
            except FileNotFoundError:
                continue
            except OSError as error:
                raise GitFailed("reading what git notes", f"{path}: {error.strerror}") from error
    return [commit.decode() for commit in found]
