"""What git still reaches. If these fail, a collection deletes data of commits that git would have brought back."""

from __future__ import annotations

from pathlib import Path

import pytest

from lobsterdv.errors import GitFailed
from lobsterdv.git_reach import reachable
from tests.ops.lab import Lab
from tests.powers import permissions_count

PATTERN = "*.ldv.yaml"


def lost(lab: Lab) -> str:
    """A commit with a pointer that no ref, index or reflog knows any more."""
    lab.version("x", {"a": "one"}, "1")
    lab.version("x", {"a": "two"}, "2")
    commit = lab.git("rev-parse", "HEAD").strip()
    lab.git("reset", "-q", "--hard", "HEAD~1")
    lab.git("reflog", "expire", "--expire=now", "--all")
    (lab.root / ".git/ORIG_HEAD").unlink()
    assert len(reachable(lab.project.git, PATTERN)) == 1
    return commit


@pytest.mark.parametrize("note", ["MERGE_AUTOSTASH", "ORIG_HEAD", "rebase-merge/autostash", "BISECT_START"])
def test_what_an_operation_under_way_notes_is_reached(lab: Lab, note: str) -> None:
    """`git merge --autostash` keeps unsaved changes in a commit that only this file names."""
    commit = lost(lab)
    path = lab.root / ".git" / note
    path.parent.mkdir(exist_ok=True)
    path.write_text(commit + "\n")
    assert len(reachable(lab.project.git, PATTERN)) == 2


def test_a_long_note_is_read_to_its_end(lab: Lab) -> None:
    """A fetch from a repository with thousands of branches."""
    commit = lost(lab)
    lines = f"not-for-merge\tbranch of somewhere {'x' * 80}\n" * 12_000
    assert len(lines) > 1 << 20
    (lab.root / ".git/FETCH_HEAD").write_text(lines + commit + "\n")
    assert len(reachable(lab.project.git, PATTERN)) == 2


def test_a_note_that_cannot_be_read_stops_it(lab: Lab) -> None:
    """Passed over, it would be a root that is lost."""
    note = Path(lab.root / ".git/MERGE_AUTOSTASH")
    note.write_text("")
    note.chmod(0)
    with permissions_count(), pytest.raises(GitFailed, match="MERGE_AUTOSTASH"):
        reachable(lab.project.git, PATTERN)
    note.chmod(0o644)
