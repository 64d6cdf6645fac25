"""Parts of a directory that hold nothing: an empty folder added by name must not vanish from the version."""

from __future__ import annotations

import pytest

from tests.ops.lab import Lab


def test_an_empty_folder_added_by_name_stays(lab: Lab) -> None:
    lab.write("run/a", "first")
    lab.path("run/other").mkdir()
    lab.add("run")
    before = lab.project.cache.listing(lab.pointer("run").digest, name="run")
    assert any(entry.path == "other" for entry in before.entries)
    lab.add("run/other")
    assert lab.project.cache.listing(lab.pointer("run").digest, name="run") == before


def test_a_removal_against_a_change_is_a_conflict(lab: Lab) -> None:
    """git leaves no markers there; status must not call it clean."""
    lab.write("one", "first")
    lab.add("one")
    lab.commit()
    lab.git("checkout", "-qb", "side")
    lab.write("one", "changed on the side")
    lab.add("one")
    lab.git("commit", "-qm", "change")
    lab.git("checkout", "-q", "-")
    lab.git("rm", "-q", "one.ldv.yaml")
    lab.git("commit", "-qm", "remove")
    with pytest.raises(Exception, match="merge"):
        lab.git("merge", "-q", "side")
    assert [c.path for c in lab.status().conflicts] == ["one"]
