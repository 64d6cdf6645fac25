"""The YAML subset of pointers, records and configuration: read strictly, written one way (docs/format.md, 1.2).

Reading refuses what makes YAML dangerous or ambiguous: anchors and aliases, tags, duplicate and merge
keys, several documents, deep nesting, large input. Only ``null``, ``true``, ``false`` and JSON-style
numbers are not strings; ``yes``, ``0123`` and dates stay text. It never builds Python objects. What could
not be read back is not written.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import yaml

from lobsterdv.errors import FormatError, UnknownFeature, UnknownFormat

Value = str | int | float | bool | None | list["Value"] | dict[str, "Value"]

FORMAT: Final = 1
MAX_BYTES: Final = 64 << 10
MAX_DEPTH: Final = 8
MAX_EVENTS: Final = 16_384
"""Keys and values, and two more for each list and mapping: what is read in 0.1 s, whatever its shape."""
MAX_KEY: Final = 1000  # characters of a key as written; YAML parsers give up after 1,024

_AROUND: Final = 4  # events of every stream and document
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INT: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,18})")
_INT64: Final = range(-(1 << 63), 1 << 63)  # other integers are text: no reader may round them
_FLOAT: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+(?:[eE][+-]?[0-9]{1,3})?|[eE][+-]?[0-9]{1,3})")
_WORDS: Final[dict[str, bool | None]] = {"null": None, "~": None, "": None, "true": True, "false": False}
_PLAIN: Final = re.compile(r"[A-Za-z_/][A-Za-z0-9_./+=@%()-]*(?: [A-Za-z0-9_./+=@%()-]+)*")
# What YAML 1.1 or 1.2 readers could take for something else than text is quoted.
_AMBIGUOUS: Final = re.compile(r"(?:null|true|false|yes|no|on|off|y|n)", re.IGNORECASE)
_ESCAPED: Final = re.compile('["\\\\\x00-\x1f\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff]')
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_SHORT_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def load_mapping(
    data: bytes, *, what: str, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH, max_events: int = MAX_EVENTS
) -> dict[str, Value]:
    """Parse one document whose top is a mapping; nothing but comments is an empty one.

    Raises FormatError naming ``what``.
    """
    if len(data) > max_bytes:
        raise FormatError(what, f"{len(data)} bytes long; at most {max_bytes} are allowed")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise FormatError(what, f"not UTF-8 (byte {error.start})") from None
    try:
        value = _build(_few(yaml.parse(text, Loader=_LOADER), max_events, what), max_depth, what)
    except yaml.MarkedYAMLError as error:
        line = f" (line {error.problem_mark.line + 1})" if error.problem_mark else ""
        raise FormatError(what, f"not valid YAML: {error.problem}{line}") from None
    except yaml.YAMLError as error:
        raise FormatError(what, f"not valid YAML: {str(error).splitlines()[0]}") from None
    except (ValueError, OverflowError) as error:  # PyYAML's own parser, of escapes beyond Unicode
        raise FormatError(what, f"not valid YAML: {error}") from None
    if not isinstance(value, dict):
        raise FormatError(what, "not a mapping of keys to values")
    return value


def dump_mapping(mapping: Mapping[str, Value], *, max_depth: int = MAX_DEPTH, max_events: int = MAX_EVENTS) -> bytes:
    """The one encoding of a mapping: block style, keys in the given order, LF, UTF-8.

    Raises FormatError for what could not be read back: too deep, too many keys and values, a key too long, text that is
    not Unicode.
    """
    check_depth(mapping, max_depth)
    lines: list[str] = []
    _emit_mapping(mapping, 0, lines)
    if 3 * len(lines) + _AROUND > max_events and _events_of(mapping) + _AROUND > max_events:
        raise FormatError("document", "it would hold too many keys and values")
    try:
        return ("\n".join(lines) + "\n").encode() if lines else b"{}\n"
    except UnicodeEncodeError as error:
        around = error.object[max(0, error.start - 20) : error.end + 20]
        raise FormatError("text", f"{around!r} is not valid Unicode and cannot be written") from None


def check_format(mapping: Mapping[str, Value], *, what: str) -> None:
    """Refuse, by name, a format number or a feature that this version does not know."""
    number = mapping.get("lobsterdv")
    if type(number) is not int or number < 1:
        raise FormatError(what, "no format number (a line `lobsterdv: 1`)")
    if number > FORMAT:
        raise UnknownFormat(what, f"written in format {number}; this lobsterdv reads format {FORMAT}", str(number))
    features = mapping.get("features", [])
    if not isinstance(features, list):
        raise FormatError(what, "`features` is not a list")
    for feature in features:
        raise UnknownFeature(
            what, f"needs the feature {clipped(feature)}, which this lobsterdv does not have", str(feature)[:80]
        )


def clipped(value: object, most: int = 80) -> str:
    """What a document holds, to be shown in a message: a hostile one may be long."""
    shown = repr(value)
    return shown if len(shown) <= most else shown[: most - 3] + "..."


def _events_of(value: Value | Mapping[str, Value]) -> int:
    if isinstance(value, list):
        return 2 + sum(map(_events_of, value))
    return 2 + len(value) + sum(map(_events_of, value.values())) if isinstance(value, Mapping) else 1


def _few(events: Iterable[yaml.Event], most: int, what: str) -> Iterator[yaml.Event]:
    for number, event in enumerate(events):
        if number >= most:
            raise FormatError(what, "it holds too many keys and values")
        yield event


def _build(events: Iterator[yaml.Event], max_depth: int, what: str) -> Value:
    """Values from parser events, without recursion; stops at the first thing refused."""
    root: list[Value] = []
    # Each open container, and for mappings the key that waits for its value.
    stack: list[tuple[list[Value] | dict[str, Value], list[str]]] = [(root, [])]
    for event in events:
        if getattr(event, "anchor", None) is not None:
            raise FormatError(what, f"anchors and aliases are not allowed{_line(event)}")
        if getattr(event, "tag", None) is not None:
            raise FormatError(what, f"tags are not allowed{_line(event)}")
        if isinstance(event, yaml.DocumentStartEvent) and root:
            raise FormatError(what, "more than one document")
        if isinstance(event, yaml.ScalarEvent):
            if not event.value.isascii() and _SURROGATE.search(event.value):  # PyYAML's own parser lets them pass
                raise FormatError(what, f"half a surrogate pair is not text{_line(event)}")
            container, keys = stack[-1]
            if isinstance(container, dict) and not keys:
                if event.value == "<<" and not event.style:
                    raise FormatError(what, f"merge keys are not allowed{_line(event)}")
                if event.value in container:
                    raise FormatError(what, f"duplicate key {clipped(event.value)}{_line(event)}")
                keys.append(event.value)
            else:
                _place(stack, _scalar(event))
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            container, keys = stack[-1]
            if isinstance(container, dict) and not keys:
                raise FormatError(what, f"a key must be plain text{_line(event)}")
            if len(stack) > max_depth:
                raise FormatError(what, f"nested deeper than {max_depth} levels")
            stack.append(({} if isinstance(event, yaml.MappingStartEvent) else [], []))
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            _place(stack, stack.pop()[0])
    return root[0] if root else {}


def _line(event: yaml.Event) -> str:
    return f" (line {event.start_mark.line + 1})" if event.start_mark else ""


def _place(stack: list[tuple[list[Value] | dict[str, Value], list[str]]], value: Value) -> None:
    container, keys = stack[-1]
    if isinstance(container, dict):
        container[keys.pop()] = value
    else:
        container.append(value)


def _scalar(event: yaml.ScalarEvent) -> Value:
    text = str(event.value)
    if event.style:  # quoted or block: always text
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text) and (whole := int(text)) in _INT64:
        return whole
    if _FLOAT.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) else text
    return text


def _emit_mapping(mapping: Mapping[str, Value], indent: int, lines: list[str], first: str = "") -> None:
    for key, value in mapping.items():
        start = first or " " * indent
        first = ""
        head = start + _key(key) + ":"
        if isinstance(value, dict) and value:
            lines.append(head)
            _emit_mapping(value, indent + 2, lines)
        elif isinstance(value, list) and value:
            lines.append(head)
            _emit_sequence(value, indent, lines)
        else:
            lines.append(f"{head} {_leaf(value)}")


def _emit_sequence(items: list[Value], indent: int, lines: list[str]) -> None:
    for item in items:
        if isinstance(item, dict) and item:
            _emit_mapping(item, indent + 2, lines, first=" " * indent + "- ")
        elif isinstance(item, list) and item:
            lines.append(" " * indent + "-")
            _emit_sequence(item, indent + 2, lines)
        else:
            lines.append(f"{' ' * indent}- {_leaf(item)}")


def _leaf(value: Value) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if value in _INT64 else f'"{value}"'
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else f'"{value}"'
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list | dict) and not value:
        return "[]" if isinstance(value, list) else "{}"
    raise FormatError("value", f"a {type(value).__name__} cannot be written")


def _key(key: str) -> str:
    text = _text(key)
    if len(text) > MAX_KEY:
        raise FormatError("key", f"{key[:40]!r}… is too long; at most {MAX_KEY} characters are allowed")
    return text


def check_depth(value: Value | Mapping[str, Value], left: int, *, what: str = "value") -> None:
    """Refuse what is nested in more levels than ``left``."""
    if isinstance(value, dict | list):
        if not left:
            raise FormatError(what, "nested too deeply")
        for inner in value.values() if isinstance(value, dict) else value:
            if isinstance(inner, dict | list):
                check_depth(inner, left - 1, what=what)


def _text(text: str) -> str:
    if _PLAIN.fullmatch(text) and not _AMBIGUOUS.fullmatch(text) and len(text) <= 512:
        return text
    return '"' + _ESCAPED.sub(_escape, text) + '"'


def _escape(match: re.Match[str]) -> str:
    char = match.group()
    return _SHORT_ESCAPES.get(char) or (f"\\x{ord(char):02x}" if ord(char) < 256 else f"\\u{ord(char):04x}")
