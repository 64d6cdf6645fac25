"""A merge that is silent where it should not be loses what a person did; one that is not merges nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lobsterdv.digest import digest_of
from lobsterdv.errors import ConflictedPointer
from lobsterdv.formats.entries import Entry, EntryType
from lobsterdv.formats.listing import make_listing
from lobsterdv.formats.merging import Side, conflict_text, conflicted_pointer, merge_entries, merge_pointers
from lobsterdv.formats.pointer import Input, Pointer, encode_pointer, parse_pointer
from lobsterdv.paths import safe_path
from tests.formats.strategies import moderate

ONE, TWO, THREE = (digest_of(text) for text in (b"1", b"2", b"3"))
BASE = Pointer(ONE, 1, "file", message="first")


def given_input(name: str, text: bytes) -> Input:
    return Input(safe_path(name), digest_of(text))


def test_the_side_that_made_a_version_wins_with_all_that_describes_it() -> None:
    new = replace(BASE, digest=TWO, size=2, message="second", inputs=(given_input("raw", b"r"),))
    talk = replace(BASE, message="a better word for the first")
    for ours, theirs in ((new, talk), (talk, new)):
        assert merge_pointers(BASE, ours, theirs) == new


def test_a_wish_about_storage_survives_a_new_version() -> None:
    new, plain = replace(BASE, digest=TWO), replace(BASE, storage="plain")
    assert merge_pointers(BASE, new, plain) == replace(new, storage="plain")


@pytest.mark.parametrize("base", [BASE, None], ids=["changed by both", "added by both"])
def test_different_versions_conflict(base: Pointer | None) -> None:
    assert merge_pointers(base, replace(BASE, digest=TWO), replace(BASE, digest=THREE)) is None


def test_equal_versions_merge_their_words_and_inputs_either_way_round() -> None:
    raw, old, extra = given_input("raw", b"r"), given_input("old", b"o"), given_input("extra", b"e")
    base = replace(BASE, inputs=(raw, old))
    ours = replace(base, digest=TWO, message="normalised", inputs=(raw,))
    theirs = replace(base, digest=TWO, message="filtered", inputs=(raw, old, extra))
    merged = merge_pointers(replace(base, digest=TWO), ours, theirs)
    assert merged is not None
    assert merged == merge_pointers(replace(base, digest=TWO), theirs, ours)
    assert merged.message == "filtered; normalised"
    assert merged.inputs == (extra, raw), "what one side took out is out, what one side put in is in"


def test_a_message_that_one_side_changed_is_taken() -> None:
    assert merge_pointers(BASE, BASE, replace(BASE, message="better")) == replace(BASE, message="better")


def test_what_only_a_newer_release_understands_is_not_guessed() -> None:
    ours, theirs = replace(BASE, extra={"future": 1}), replace(BASE, extra={"future": 2})
    assert merge_pointers(BASE, ours, theirs) is None
    assert merge_pointers(BASE, ours, replace(BASE, extra={"other": 2})) == replace(
        BASE, extra={"future": 1, "other": 2}
    )


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (replace(BASE, digest=TWO), replace(BASE, digest=THREE)),
        (replace(BASE, digest=TWO, size=9, message=None), replace(BASE, digest=THREE, summary={"n_obs": 3})),
        (replace(BASE, extra={"future": 1}), replace(BASE, extra={"future": 2})),
        (replace(BASE, digest=TWO, kind="directory", files=3), replace(BASE, digest=THREE)),
    ],
)
def test_a_conflict_names_both_versions_and_holds_both_pointers(ours: Pointer, theirs: Pointer) -> None:
    text = conflicted_pointer(ours, theirs)
    with pytest.raises(ConflictedPointer) as caught:
        parse_pointer(text, what="x")
    assert (caught.value.ours, caught.value.theirs) == (str(ours.digest), str(theirs.digest))
    head, _, rest = text.partition(b"<<<<<<< ours\n")
    left, _, rest = rest.partition(b"=======\n")
    right, _, tail = rest.partition(b">>>>>>> theirs\n")
    assert parse_pointer(head + left + tail, what="ours") == ours
    assert parse_pointer(head + right + tail, what="theirs") == theirs


def test_what_is_no_pointer_conflicts_whole() -> None:
    text = conflict_text(encode_pointer(BASE), b"nonsense")
    assert text.endswith(b"=======\nnonsense\n>>>>>>> theirs\n")
    with pytest.raises(ConflictedPointer):
        parse_pointer(text, what="x")


Tree = dict[str, bytes]
trees = st.dictionaries(st.sampled_from(["a", "b", "c", "d/x", "d/y", "é"]), st.sampled_from([b"1", b"2", b"3"]))


def entries(tree: Tree) -> list[Entry]:
    return [Entry(safe_path(path), EntryType.FILE, len(data), digest_of(data)) for path, data in sorted(tree.items())]


def nobody(path: str) -> Side | None:
    return None


@moderate
@given(trees, trees, trees)
def test_listings_merge_as_dicts_do(base: Tree, ours: Tree, theirs: Tree) -> None:
    expected: Tree = {}
    overlapping = set()
    for path in {*base, *ours, *theirs}:
        b, o, t = base.get(path), ours.get(path), theirs.get(path)
        if o != t and b not in (o, t):
            overlapping.add(path)
        elif (data := t if o == b else o) is not None:
            expected[path] = data
    merged = merge_entries(entries(base), entries(ours), entries(theirs), choose=nobody)
    assert {overlap.path for overlap in merged.overlaps} == overlapping
    assert list(merged.entries) == entries(expected)
    for side, tree in (("ours", ours), ("theirs", theirs)):
        picked = merge_entries(entries(base), entries(ours), entries(theirs), choose=lambda _, s=side: s)  # type: ignore[misc]
        assert not picked.overlaps
        assert list(picked.entries) == entries(expected | {p: tree[p] for p in overlapping if p in tree})


def test_listings_of_many_blocks() -> None:
    base = {f"{n:05}": b"1" for n in range(5000)}
    ours, theirs = base | {"00007": b"2"}, {p: d for p, d in base.items() if p != "04000"} | {"new": b"3"}
    merged = merge_entries(entries(base), entries(ours), entries(theirs), choose=nobody)
    assert list(merged.entries) == entries({p: d for p, d in ours.items() if p != "04000"} | {"new": b"3"})
    assert (merged.from_ours, merged.from_theirs) == (1, 2)


def folder(path: str) -> Entry:
    return Entry(safe_path(path), EntryType.FOLDER)


def test_an_empty_folder_that_the_other_side_fills_is_no_entry() -> None:
    base = entries({"d/x": b"1"})
    merged = merge_entries(base, [folder("d")], entries({"d/x": b"1", "d/y": b"2"}), choose=nobody)
    assert list(make_listing(merged.entries).entries) == entries({"d/y": b"2"})
    assert not merged.overlaps


@pytest.mark.parametrize(("side", "expected"), [("ours", {"d": b"f"}), ("theirs", {"d/x": b"1"})])
def test_a_file_where_the_other_side_has_a_folder(side: Side, expected: Tree) -> None:
    ours, theirs = entries({"d": b"f"}), entries({"d/x": b"1"})
    assert [overlap.path for overlap in merge_entries([], ours, theirs, choose=nobody).overlaps] == ["d"]
    merged = merge_entries([], ours, theirs, choose=lambda _: side)
    assert list(make_listing(merged.entries).entries) == entries(expected)
    assert not merged.overlaps
