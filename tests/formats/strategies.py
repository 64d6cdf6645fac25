"""Hypothesis strategies: values of every format, and bytes near those that encode them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis import HealthCheck, assume, settings
from hypothesis import strategies as st

from lobsterdv.chunker import AVERAGE_BITS
from lobsterdv.digest import Digest, digest_of
from lobsterdv.errors import FormatError, UnsafePath
from lobsterdv.formats.listing import Entry, EntryType, Listing, check_tree
from lobsterdv.formats.pointer import Input, Pointer
from lobsterdv.formats.table import RAW, ZSTD, Content, Extent, StoredObject, Table
from lobsterdv.paths import SafeRelPath, safe_link, safe_path

Text = TypeVar("Text")
moderate = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)

digests = st.binary(min_size=0, max_size=4).map(digest_of)
names = st.one_of(
    st.text("abcABC 0.-_%é🦞'\"", min_size=1, max_size=6),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=4),
)
any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def _try(make: Callable[[], Text]) -> Text:
    try:
        return make()
    except UnsafePath:
        assume(False)
        raise


@st.composite
def safe_paths(draw: st.DrawFn) -> SafeRelPath:
    parts = draw(st.lists(names, min_size=1, max_size=3))
    return _try(lambda: safe_path("/".join(parts)))


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    any_text,
    st.sampled_from(
        ["yes", "0123", "1e5", "2024-01-01", "~", "null", "1_000", "0x1f", ".inf", "=", "<<", "- a", "12:30"]
    ),
)


def values(depth: int) -> st.SearchStrategy[Any]:
    if depth == 0:
        return scalars
    inner = values(depth - 1)
    return st.one_of(scalars, st.lists(inner, max_size=3), st.dictionaries(any_text, inner, max_size=3))


mappings = st.dictionaries(any_text, values(3), max_size=4)
sizes = st.integers(0, (1 << 63) - 1)


@st.composite
def pointers(draw: st.DrawFn) -> Pointer:
    kind = draw(st.sampled_from(["file", "directory", "anndata", "mudata", "zarr", "table"]))
    has_files = kind == "directory" or (kind == "zarr" and draw(st.booleans()))
    extra = draw(mappings)
    known = {"lobsterdv", "features", "digest", "size", "files", "kind", "executable", "message", "summary", "inputs"}
    return Pointer(
        digest=draw(digests),
        size=draw(sizes),
        kind=kind,
        files=draw(sizes) if has_files else None,
        executable=not has_files and draw(st.booleans()),
        message=draw(st.none() | any_text),
        summary=draw(mappings) or None,
        inputs=tuple(draw(st.lists(st.builds(Input, safe_paths(), digests), max_size=2))),
        run=draw(mappings) or None,
        extra={k: v for k, v in extra.items() if k not in known | {"run"}},
    )


@st.composite
def entry_lists(draw: st.DrawFn, *, min_size: int = 0, max_size: int = 12) -> tuple[Entry, ...]:
    """Entries of a directory version, in order and without one below another."""
    found: dict[str, Entry] = {}
    for path in draw(st.lists(safe_paths(), min_size=min_size, max_size=max_size, unique=True)):
        kind = draw(st.sampled_from(list(EntryType)))
        if kind is EntryType.LINK:
            target = "../" * draw(st.integers(0, path.count("/"))) + draw(safe_paths())
            found[path] = Entry(path, kind, target=_try(lambda: safe_link(path, target)))  # noqa: B023
        elif kind is EntryType.FOLDER:
            found[path] = Entry(path, kind)
        else:
            size = draw(st.integers(0, 5))
            found[path] = Entry(path, kind, size, digest_of(bytes(size)))
    kept: list[Entry] = []
    for path in sorted(found):
        if not any(path.startswith(e.path + "/") for e in kept):
            kept.append(found[path])
    check_tree(kept, what="made")
    assume(len(kept) >= min_size)
    return tuple(kept)


listings = st.builds(Listing, entry_lists())


@st.composite
def contents_of(draw: st.DrawFn, digest: Digest, size: int, objects: list[StoredObject]) -> Content:
    """A content of ``size`` bytes cut and placed anyhow."""
    lengths: list[int] = []
    while sum(lengths) < size:
        lengths.append(draw(st.integers(1, size - sum(lengths))))
    names = [digest] if len(lengths) == 1 else [digest_of(bytes([n])) for n in range(len(lengths))]
    extents: list[Extent] = []
    stored: list[int] = []
    while len(stored) < len(lengths):
        chunks = draw(st.integers(1, len(lengths) - len(stored)))
        wanted = lengths[len(stored) : len(stored) + chunks]
        codec = draw(st.sampled_from([RAW, ZSTD]))
        held = wanted if codec == RAW else [n + draw(st.integers(0, 3)) for n in wanted]
        offset = draw(st.integers(0, 1 << 40))
        target = StoredObject(digest_of(bytes([len(objects)])), offset + sum(held) + draw(st.integers(0, 9)), codec)
        objects.append(target)
        extents.append(Extent(target, offset, chunks))
        stored += held
    bits = draw(st.sampled_from(AVERAGE_BITS))
    return Content(digest, size, bits, lengths, names, stored, tuple(extents))


@st.composite
def directory_tables(draw: st.DrawFn, *, min_size: int = 0) -> Table:
    entries = draw(entry_lists(min_size=min_size))
    objects: list[StoredObject] = []
    used = {e.digest: e.size for e in entries if e.digest is not None}
    return Table(entries, tuple(draw(contents_of(digest, size, objects)) for digest, size in used.items()))


@st.composite
def file_tables(draw: st.DrawFn) -> Table:
    size = draw(st.integers(0, 40))
    return Table((), (draw(contents_of(digest_of(bytes(size)), size, [])),))


@st.composite
def damaged(draw: st.DrawFn, data: bytes) -> bytes:
    """``data`` with one byte changed, removed or added, or its end cut off."""
    how = draw(st.sampled_from(["change", "remove", "add", "cut"]))
    at = draw(st.integers(0, max(0, len(data) - 1)))
    byte = draw(st.one_of(st.integers(0, 255), st.sampled_from(b'\n\t"{}[]:- 019./\\\x00\xff'))).to_bytes()
    match how:
        case "change":
            return data[:at] + byte + data[at + 1 :]
        case "remove":
            return data[:at] + data[at + 1 :]
        case "add":
            return data[:at] + byte + data[at:]
    return data[:at]


def parses(parse: Callable[[bytes], object], data: bytes) -> object | None:
    """What ``data`` parses to, None when it is refused; any exception but FormatError fails the test."""
    try:
        return parse(data)
    except FormatError:
        return None
