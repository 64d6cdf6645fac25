"""If these fail, a pointer in git names other data than was recorded, loses what a newer lobsterdv wrote into it, or
a merge conflict in it is taken for an error."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from hypothesis import given

from lobsterdv.digest import digest_of
from lobsterdv.errors import ConflictedPointer, FormatError, UnknownFeature, UnknownFormat, UnsafePath
from lobsterdv.formats.pointer import Input, Pointer, encode_pointer, parse_pointer
from lobsterdv.formats.yamlio import MAX_BYTES, MAX_EVENTS, dump_mapping, load_mapping
from lobsterdv.paths import SafeRelPath
from tests.formats.strategies import damaged, moderate, parses, pointers

DIGEST = digest_of(b"x")
OTHER = digest_of(b"y")
BASE = Pointer(DIGEST, 3, "file")
HEAD = f'lobsterdv: 1\ndigest: "{DIGEST}"\nsize: 3\n'


def parse(data: bytes) -> Pointer:
    return parse_pointer(data, what="a.ldv.yaml")


@moderate
@given(pointers())
def test_a_pointer_is_read_back_as_written_and_written_as_read(pointer: Pointer) -> None:
    data = encode_pointer(pointer)
    assert parse(data) == pointer
    assert encode_pointer(parse(data)) == data


@moderate
@given(pointers().flatmap(lambda p: damaged(encode_pointer(p))))
def test_damage_is_refused_or_another_pointer_but_never_a_crash(data: bytes) -> None:
    found = parses(parse, data)
    if isinstance(found, Pointer):
        assert parse(encode_pointer(found)) == found


REFUSED = {
    "empty": "",
    "no format": f'digest: "{DIGEST}"\nsize: 3\n',
    "no digest": "lobsterdv: 1\nsize: 3\n",
    "no size": f'lobsterdv: 1\ndigest: "{DIGEST}"\n',
    "md5": 'lobsterdv: 1\ndigest: "md5:0123456789abcdef0123456789abcdef"\nsize: 3\n',
    "upper case digest": HEAD.replace(DIGEST.hex(), DIGEST.hex().upper()),
    "short digest": HEAD.replace(DIGEST.hex(), DIGEST.hex()[:-1]),
    "long digest": HEAD.replace(DIGEST.hex(), DIGEST.hex() + "0"),
    "unicode digits": HEAD.replace(DIGEST.hex(), "\u0661" * 64),
    "digest with a line end": HEAD.replace(DIGEST.hex(), DIGEST.hex() + "\\n"),
    "digest as number": f"lobsterdv: 1\ndigest: {'1' * 64}\nsize: 3\n",
    "negative size": HEAD.replace("3", "-3", 1).replace("lobsterdv: 1", "lobsterdv: 1"),
    "size 2^63": f'lobsterdv: 1\ndigest: "{DIGEST}"\nsize: {2**63}\n',
    "size as text": f'lobsterdv: 1\ndigest: "{DIGEST}"\nsize: "3"\n',
    "size true": f'lobsterdv: 1\ndigest: "{DIGEST}"\nsize: true\n',
    "size 3.0": f'lobsterdv: 1\ndigest: "{DIGEST}"\nsize: 3.0\n',
    "unknown kind": HEAD + "kind: zebra\n",
    "directory without files": HEAD + "kind: directory\n",
    "files of a file": HEAD + "kind: file\nfiles: 3\n",
    "files of an h5ad": HEAD + "kind: anndata\nfiles: 3\n",
    "executable directory": HEAD + "kind: directory\nfiles: 3\nexecutable: true\n",
    "executable maybe": HEAD + 'executable: "true"\n',
    "message list": HEAD + "message: [a]\n",
    "message number": HEAD + "message: 5\n",
    "summary list": HEAD + "summary: [a]\n",
    "run text": HEAD + "run: a\n",
    "inputs mapping": HEAD + "inputs: {a: b}\n",
    "input without digest": HEAD + "inputs:\n- path: a\n",
    "input with more": HEAD + f'inputs:\n- path: a\n  digest: "{DIGEST}"\n  x: 1\n',
    "too large": HEAD + "message: " + "x" * (64 << 10),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_pointer_is_refused_with_its_name(name: str) -> None:
    text = REFUSED[name]
    if name == "negative size":
        text = HEAD.replace("size: 3", "size: -3")
    with pytest.raises(FormatError, match=r"a\.ldv\.yaml") as caught:
        parse(text.encode())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../b", ".git/config", "a\x1bb", "C:/x"])
def test_an_input_outside_the_project_is_refused(path: str) -> None:
    quoted = path.replace("\x1b", "\\x1b")
    with pytest.raises(UnsafePath):
        parse(f'{HEAD}inputs:\n- path: "{quoted}"\n  digest: "{DIGEST}"\n'.encode())


def test_newer_pointers_are_refused_by_name() -> None:
    with pytest.raises(UnknownFormat, match="format 7"):
        parse(HEAD.replace("lobsterdv: 1", "lobsterdv: 7").encode())
    with pytest.raises(UnknownFeature, match="encryption"):
        parse((HEAD + "features: [encryption]\n").encode())


def test_keys_of_a_newer_lobsterdv_are_kept() -> None:
    data = encode_pointer(BASE) + b"later:\n  x: [1, 2]\n"
    again = encode_pointer(replace(parse(data), message="new"))
    assert parse(again).extra == {"later": {"x": [1, 2]}} and b"message: new" in again


def test_a_hand_written_pointer_is_understood() -> None:
    """Order, CRLF, comments and quotes do not matter to the reader."""
    text = f"# ours\r\nsize: 3\r\ndigest: {DIGEST}\r\nlobsterdv: 1\r\nfeatures: []\r\n"
    assert parse(text.encode()) == BASE


def test_messages_do_not_make_versions_but_content_and_mode_do() -> None:
    assert BASE.same_version(replace(BASE, message="other", summary={"a": 1}))
    assert not BASE.same_version(replace(BASE, digest=OTHER))
    assert not BASE.same_version(replace(BASE, executable=True))
    assert not BASE.same_version(replace(BASE, kind="directory", files=1))
    assert not BASE.same_version(None)


def test_a_pointer_that_could_not_be_read_back_is_not_written() -> None:
    with pytest.raises(FormatError):
        encode_pointer(replace(BASE, message="x" * (64 << 10)))
    with pytest.raises(FormatError):
        encode_pointer(replace(BASE, run={"params": {"a": [[[[[[1]]]]]]}}))


def conflict(ours: str, theirs: str, *, before: str = "", after: str = "") -> bytes:
    return f"{before}<<<<<<< HEAD\n{ours}=======\n{theirs}>>>>>>> feature\n{after}".encode()


def test_a_conflict_names_both_versions() -> None:
    line = 'digest: "{}"\nsize: 3\n'
    cases = [
        conflict(line.format(DIGEST), line.format(OTHER), before="lobsterdv: 1\n", after="kind: file\n"),
        conflict(line.format(DIGEST), line.format(OTHER), before="lobsterdv: 1\n").replace(b"\n", b"\r\n"),
        conflict(line.format(DIGEST) + "||||||| base\n" + line.format(digest_of(b"z")), line.format(OTHER)),
    ]
    for data in cases:
        with pytest.raises(ConflictedPointer) as caught:
            parse(data)
        assert (caught.value.ours, caught.value.theirs) == (str(DIGEST), str(OTHER))


def test_a_conflict_about_the_message_alone_names_one_version_twice() -> None:
    with pytest.raises(ConflictedPointer) as caught:
        parse(conflict("message: a\n", "message: b\n", before=HEAD))
    assert (caught.value.ours, caught.value.theirs) == (str(DIGEST), str(DIGEST))


def test_a_version_against_a_removed_one_has_an_empty_side() -> None:
    with pytest.raises(ConflictedPointer) as caught:
        parse(conflict("", HEAD))
    assert (caught.value.ours, caught.value.theirs) == ("", str(DIGEST))


def test_a_file_of_merge_markers_costs_no_time() -> None:
    began = time.process_time()
    for line in (b"<<<<<<< \n", b"<<<<<<< \n=======\n", b"=======\ndigest: blake3:\n"):
        with pytest.raises(FormatError):
            parse(b"<<<<<<< x\n" + line * 7000)
    with pytest.raises(FormatError):
        parse(b"<<<<<<< \n" * 1_000_000)
    assert time.process_time() - began < 0.5


def test_a_message_with_markers_inside_is_no_conflict() -> None:
    pointer = replace(BASE, message="see <<<<<<< HEAD\n<<<<<<< x\n=======")
    assert parse(encode_pointer(pointer)) == pointer


def test_inputs_survive_with_odd_paths() -> None:
    pointer = replace(BASE, inputs=(Input(SafeRelPath("a b/é: '\"#.h5ad"), OTHER), Input(SafeRelPath("-x"), DIGEST)))
    assert parse(encode_pointer(pointer)) == pointer


@pytest.mark.parametrize("item", ['path: "a"', 'path: 3\n  digest: "{}"', 'path: "a"\n  digest: "{}"\n  more: 1', "[]"])
def test_an_input_is_a_path_and_a_digest_and_no_more(item: str) -> None:
    digest = str(digest_of(b"x"))
    text = f'lobsterdv: 1\ndigest: "{digest}"\nsize: 1\nkind: file\ninputs:\n- {item.format(digest)}\n'
    with pytest.raises(FormatError, match="an input"):
        parse_pointer(text.encode(), what="p")


@pytest.mark.parametrize("more", [0, 1])
def test_a_conflict_is_looked_for_in_what_two_pointers_may_take(more: int) -> None:
    data = b"<<<<<<< ours\na: 1\n=======\na: 2\n>>>>>>> theirs\n"
    padded = data + b"#" * (2 * MAX_BYTES - len(data) + more)
    with pytest.raises(FormatError) as caught:
        parse_pointer(padded, what="p")
    assert isinstance(caught.value, ConflictedPointer) == (not more)


def test_more_keys_and_values_than_are_read_at_once_are_neither_read_nor_written() -> None:
    few, many = ["a"] * (MAX_EVENTS - 50), ["a"] * MAX_EVENTS
    pointer = Pointer(digest_of(b"x"), 1, "file")
    with pytest.raises(FormatError, match="too many"):
        parse_pointer(encode_pointer(pointer) + b"zz: [" + b"1," * MAX_EVENTS + b"1]\n", what="p")
    with pytest.raises(FormatError, match="too many"):
        dump_mapping({"a": list(many)})
    assert load_mapping(dump_mapping({"a": list(few)}), what="it", max_bytes=1 << 20) == {"a": few}
