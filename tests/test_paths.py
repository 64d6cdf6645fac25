"""If these fail, a crafted pointer or listing writes or reads outside its dataset, or names that people have cannot
be kept."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lobsterdv.errors import UnsafePath
from lobsterdv.paths import SafeRelPath, folding_collisions, safe_link, safe_path
from tests.data.odd_names import FINE, HOSTILE, LINKS_FINE, LINKS_REFUSED


@pytest.mark.parametrize("path", HOSTILE, ids=ascii)
def test_paths_that_could_write_elsewhere_are_refused_with_a_reason(path: str) -> None:
    with pytest.raises(UnsafePath) as caught:
        safe_path(path)
    assert len(str(caught.value)) < 1000 and str(caught.value).isprintable(), "no escape reaches a terminal"


@pytest.mark.parametrize("path", FINE, ids=ascii)
def test_odd_names_that_people_have_are_kept(path: str) -> None:
    found = safe_path(path)
    assert found == path and isinstance(found, SafeRelPath)


def test_the_corpora_are_what_was_promised() -> None:
    assert len(set(HOSTILE)) >= 100 and len(set(FINE)) >= 40


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=12) | st.text("./\\.git~1: \u200c", max_size=8))
def test_an_accepted_path_stays_inside(text: str) -> None:
    try:
        path = safe_path(text)
    except UnsafePath:
        return
    joined = os.path.normpath(os.path.join("/root", path))
    assert joined == f"/root/{path}" and path.encode().decode() == text
    assert not any(part.lower().rstrip(". ") == ".git" for part in path.split("/"))


@pytest.mark.parametrize(("path", "target"), LINKS_REFUSED, ids=ascii)
def test_links_out_of_a_dataset_are_refused(path: str, target: str) -> None:
    with pytest.raises(UnsafePath):
        safe_link(safe_path(path), target)


@pytest.mark.parametrize(("path", "target"), LINKS_FINE, ids=ascii)
def test_links_inside_a_dataset_are_kept_as_they_are(path: str, target: str) -> None:
    assert safe_link(safe_path(path), target) == target


folders = st.sampled_from(["", "p/", "p/q/"])
targets = st.lists(st.sampled_from(["..", ".", "a", "b", "p", "q", ""]), min_size=1, max_size=4).map("/".join)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.tuples(folders, st.sampled_from("ab")), targets, max_size=4))
def test_no_set_of_links_leads_out_together(tmp_path_factory: pytest.TempPathFactory, made: dict) -> None:  # type: ignore[type-arg]
    root = (tmp_path_factory.mktemp("links") / "in" / "root").resolve()
    (root / "p/q").mkdir(parents=True)
    for (folder, name), target in made.items():
        try:
            (root / folder / name).symlink_to(safe_link(safe_path(folder + name), target))
        except UnsafePath:
            continue
    for folder, name in made:
        try:
            real = os.path.realpath(root / folder / name, strict=True)
        except OSError:
            continue  # it dangles, or goes in circles
        assert Path(real).is_relative_to(root)


@pytest.mark.parametrize(
    ("paths", "pairs"),
    [
        (["a", "b"], 0), (["a", "A"], 1), (["a/x", "A/x"], 1), (["a/x", "A/y"], 0), (["é", "e\u0301"], 1),
        (["É", "e\u0301"], 1), (["A", "a/y"], 1), (["b/C", "B/c/d/e"], 1), (["ß", "SS"], 1), (["K", "\u212a"], 1),
        (["x/é", "X/e\u0301/z"], 1), (["a", "a.b", "a-b"], 0),
    ],
)  # fmt: skip
def test_names_that_are_one_on_other_systems_are_found(paths: list[str], pairs: int) -> None:
    assert len(folding_collisions(paths)) == pairs
