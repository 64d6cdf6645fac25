"""If these fail, a hostile or careless pointer hangs or fools lobsterdv, or a message, a name or a parameter that
was recorded comes back as something else."""

from __future__ import annotations

import datetime
import math
import time
from typing import Any

import pytest
import yaml
from hypothesis import given

from lobsterdv.errors import FormatError, UnknownFeature, UnknownFormat
from lobsterdv.formats import yamlio
from lobsterdv.formats.yamlio import MAX_BYTES, check_format, dump_mapping, load_mapping
from tests.formats.strategies import any_text, damaged, mappings, moderate, parses

BOMB = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{','.join([f'*{chr(97 + i)}'] * 9)}]\n".encode() for i in range(8)
)

REFUSED: dict[str, bytes] = {
    "alias bomb": BOMB,
    "anchor": b"a: &x 1\n",
    "anchor on a mapping": b"a: &x\n  b: 1\n",
    "alias of nothing": b"a: *x\n",
    "alias as key": b"*x : 1\n",
    "python object": b"a: !!python/object/apply:os.system ['true']\n",
    "standard tag": b"a: !!str 1\n",
    "local tag": b"a: !thing 1\n",
    "lone tag": b"a: ! 1\n",
    "tag on the document": b"!!map\na: 1\n",
    "binary": b"a: !!binary aGk=\n",
    "duplicate key": b"a: 1\na: 2\n",
    "duplicate key, quoted": b'a: 1\n"a": 2\n',
    "duplicate key, inside": b"x:\n  a: 1\n  a: 2\n",
    "merge key": b"a:\n  <<: {b: 1}\n",
    "key that is a list": b"? [a]\n: 1\n",
    "key that is a mapping": b"{a: 1}: 2\n",
    "deep flow": b"a: " + b"[" * 20_000,
    "deep flow, closed": b"a: " + b"[" * 9 + b"]" * 9 + b"\n",
    "deep flow mapping": b"{a: " * 5000,
    "deep block": b"".join(b" " * i + b"a:\n" for i in range(100)),
    "deep block list": b"a:\n" + b"- " * 5000 + b"x\n",
    "question marks": b"? " * 20_000,
    "two documents": b"a: 1\n---\na: 2\n",
    "two documents, first empty": b"---\n---\na: 1\n",
    "NUL": b"a: x\x00y\n",
    "escape character": b"a: \x1b[2J\n",
    "C1 control": "a: \x9b2J\n".encode(),
    "not UTF-8": b"a: \xff\xfe\n",
    "UTF-16": "a: 1\n".encode("utf-16"),
    "half a surrogate, escaped": b'a: "\\ud800"\n',
    "beyond Unicode, escaped": b'a: "\\UFFFFFFFF"\n',
    "too large": b"a: " + b"x" * MAX_BYTES,
    "a list": b"- a\n",
    "text": b"hello\n",
    "null": b"null\n",
    "tab as indentation": b"a:\n\tb: 1\n",
    "open quote": b'a: "x\n',
    "key without colon": b"a: 1\nb\n",
    "HTML": b"<!doctype html><html>",
    "merge markers": b"<<<<<<< HEAD\na: 1\n=======\na: 2\n>>>>>>> x\n",
    "unknown directive tag": b"%TAG ! tag:x,2000:\n---\na: !y 1\n",
}

ACCEPTED: dict[str, tuple[bytes, dict[str, Any]]] = {
    "byte order mark": (b"\xef\xbb\xbfa: 1\n", {"a": 1}),
    "CRLF": (b"a: 1\r\nb: x\r\n", {"a": 1, "b": "x"}),
    "no final line end": (b"a: 1", {"a": 1}),
    "explicit document": (b"---\na: 1\n...\n", {"a": 1}),
    "directive": (b"%YAML 1.1\n---\na: 1\n", {"a": 1}),
    "comment": (b"# c\na: 1 # d\n", {"a": 1}),
    "nothing": (b"", {}),
    "only comments": (b"# a: 1\n\n# b: 2\n", {}),
    "flow": (b"{a: [1, {b: c}], d: {}}\n", {"a": [1, {"b": "c"}], "d": {}}),
    "block scalars": (b"a: |\n  x\n  y\nb: >-\n  x\n  y\n", {"a": "x\ny\n", "b": "x y"}),
    "leading zeros": (b"a: 0123\n", {"a": "0123"}),
    "yes and no": (b"a: yes\nb: No\nc: on\n", {"a": "yes", "b": "No", "c": "on"}),
    "dates": (b"a: 2024-01-01\nb: 12:30:00\n", {"a": "2024-01-01", "b": "12:30:00"}),
    "digits as digest": (b"a: " + b"1" * 64 + b"\n", {"a": "1" * 64}),
    "largest and smallest": (b"a: 9223372036854775807\nb: -9223372036854775808\n", {"a": 2**63 - 1, "b": -(2**63)}),
    "beyond 64 bits": (b"a: 9223372036854775808\n", {"a": "9223372036854775808"}),
    "hexadecimal, octal": (b"a: 0x1f\nb: 0o17\nc: 1_000\n", {"a": "0x1f", "b": "0o17", "c": "1_000"}),
    "infinities": (b"a: .inf\nb: .nan\nc: 1e999\n", {"a": ".inf", "b": ".nan", "c": "1e999"}),
    "numbers": (b"a: 1e5\nb: -0.5\nc: 1.0\nd: 0\n", {"a": 1e5, "b": -0.5, "c": 1.0, "d": 0}),
    "words": (b"a: true\nb: false\nc: null\nd: ~\ne:\nf: True\n",
              {"a": True, "b": False, "c": None, "d": None, "e": None, "f": "True"}),
    "quoted words": (b'a: "true"\nb: \'1\'\nc: ""\n', {"a": "true", "b": "1", "c": ""}),
    "quoted merge key": (b'"<<": 1\n', {"<<": 1}),
    "keys stay text": (b"1: a\nnull: b\ntrue: c\n", {"1": "a", "null": "b", "true": "c"}),
    "depth 8": (b"a: " + b"[" * 7 + b"]" * 7 + b"\n", {"a": [[[[[[[]]]]]]]}),
}  # fmt: skip


def load(data: bytes) -> dict[str, Any]:
    return load_mapping(data, what="sample")


@pytest.fixture(params=["compiled", "pure"])
def loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both of PyYAML's parsers: a machine without the compiled one must judge alike."""
    if request.param == "pure":
        monkeypatch.setattr(yamlio, "_LOADER", yaml.SafeLoader)


@pytest.mark.usefixtures("loader")
@pytest.mark.parametrize("name", REFUSED)
def test_dangerous_or_ambiguous_yaml_is_refused_at_once(name: str) -> None:
    began = time.process_time()
    with pytest.raises(FormatError) as caught:
        load(REFUSED[name])
    assert time.process_time() - began < 2
    assert "sample" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.usefixtures("loader")
@pytest.mark.parametrize("name", ACCEPTED)
def test_plain_yaml_means_what_it_says(name: str) -> None:
    data, expected = ACCEPTED[name]
    found = load(data)
    assert found == expected
    assert [type(v) for v in found.values()] == [type(v) for v in expected.values()]


@moderate
@given(mappings)
def test_what_is_written_is_read_back(mapping: dict[str, Any]) -> None:
    data = dump_mapping(mapping)
    found = load(data)
    assert found == mapping and repr(found) == repr(mapping), "also -0.0, and True is not 1"
    assert dump_mapping(found) == data


@moderate
@given(any_text, any_text)
def test_other_readers_get_the_same_text(key: str, text: str) -> None:
    mapping = {"list": [text, key]} | {key: text}
    data = dump_mapping(mapping)
    assert yaml.safe_load(data) == mapping
    assert data.endswith(b"\n") and b"\r" not in data


@pytest.mark.parametrize(
    "text",
    ["", " ", "yes", "No", "on", "null", "~", "0123", "1e5", "1_0", "0x1", "0b1", ".inf", "2024-01-01", "12:30", "=",
     "<<", "- a", "a: b", "a #b", "#a", "!t", "&a", "*a", "%a", "@a", "`a", "|", ">", "?", "[", "{", "'", '"', "\\",
     "a\nb", "a\r\nb", "\ta", "a ", " a", "a  b", "é", "🦞", "\x00", "\x07", "\x7f", "\x85", "\xa0", "\u2028",
     "\ufeff", "\ufffe", "\uffff", "---", "...", "--- a", "y", "N", "x" * 990, "a, b", "a]b", "NaN", "-1", "+1"],
)  # fmt: skip
def test_troublesome_text_survives_here_and_elsewhere(text: str) -> None:
    data = dump_mapping({"k": text, text: 1, "l": [text, {"m": text}]})
    expected = {"k": text, text: 1, "l": [text, {"m": text}]}
    assert load(data) == expected and yaml.safe_load(data) == expected


def test_text_of_any_length_survives_as_a_value() -> None:
    mapping = {"k": "x" * 2000, "l": ["word " * 400]}
    assert load(dump_mapping(mapping)) == mapping == yaml.safe_load(dump_mapping(mapping))


@pytest.mark.parametrize(
    "mapping",
    [{"a": "\ud800"}, {"k" * 1001: 1}, {"\n" * 501: 1}, {"a": (1, 2)}, {"a": datetime.date(2024, 1, 1)},
     {"a": [[[[[[[[1]]]]]]]]}, {"a": object()}],
    ids=["surrogate", "long key", "long escaped key", "tuple", "date", "deep", "object"],
)  # fmt: skip
def test_what_could_not_be_read_back_is_not_written(mapping: dict[str, Any]) -> None:
    with pytest.raises(FormatError):
        dump_mapping(mapping)


def test_numbers_that_readers_would_round_become_text() -> None:
    data = dump_mapping({"seed": 123456789012345678901, "x": math.inf, "y": math.nan, "z": 2**63})
    assert load(data) == {"seed": "123456789012345678901", "x": "inf", "y": "nan", "z": str(2**63)}


@moderate
@given(mappings.flatmap(lambda m: damaged(dump_mapping(m))))
def test_damage_is_refused_or_another_mapping_but_never_a_crash(data: bytes) -> None:
    found = parses(load, data)
    if found is not None:
        assert load(dump_mapping(found)) == found  # type: ignore[arg-type]


@pytest.mark.parametrize("number", ["0", "-1", "true", '"1"', "1.0", "one", "[1]"])
def test_a_file_without_a_format_number_is_refused(number: str) -> None:
    with pytest.raises(FormatError):
        check_format(load(f"lobsterdv: {number}\n".encode()), what="sample")


def test_newer_formats_and_features_are_refused_by_name() -> None:
    with pytest.raises(UnknownFormat, match="format 2") as newer:
        check_format({"lobsterdv": 2}, what="sample")
    assert newer.value.found == "2"
    with pytest.raises(UnknownFeature, match="encryption") as needs:
        check_format({"lobsterdv": 1, "features": ["encryption"]}, what="sample")
    assert needs.value.feature == "encryption"
    with pytest.raises(FormatError):
        check_format({"lobsterdv": 1, "features": "encryption"}, what="sample")
    check_format({"lobsterdv": 1, "features": []}, what="sample")
