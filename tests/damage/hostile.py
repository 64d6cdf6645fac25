"""Crafted remotes: documents that no honest lobsterdv writes, under names that fit their bytes.

Whoever can push to a bucket and to git can plant these; pulling them must do no harm.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import zstandard
from blake3 import blake3

from lobsterdv.digest import Digest, digest_of, listing_digest
from lobsterdv.formats.columns import compress, encode_columns
from lobsterdv.formats.layout import Marker, encode_marker, manifest_key, object_key, segment_key
from lobsterdv.formats.listing import Entry, EntryType, Listing, encode_listing
from lobsterdv.formats.manifest import Manifest, encode_manifest
from lobsterdv.formats.table import ZSTD, Content, Extent, StoredObject, Table, encode_table
from lobsterdv.paths import SafeRelPath

EVIL = b"evil"


@dataclass
class Planted:
    """A dataset named ``d`` whose pointer and remote were crafted together."""

    version: Digest
    size: int
    files: int | None
    values: dict[str, bytes] = field(default_factory=dict)

    def pointer(self) -> bytes:
        kind = "file" if self.files is None else "directory"
        files = "" if self.files is None else f"files: {self.files}\n"
        return f'lobsterdv: 1\ndigest: "{self.version}"\nsize: {self.size}\n{files}kind: {kind}\n'.encode()

    def put(self, remote: Path) -> None:
        for key, data in {"lobsterdv.json": encode_marker(Marker("0" * 32)), **self.values}.items():
            path = remote / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


def entry(path: str, data: bytes = EVIL, *, executable: bool = False) -> Entry:
    kind = EntryType.EXECUTABLE if executable else EntryType.FILE
    return Entry(SafeRelPath(path), kind, len(data), digest_of(data))


def link(path: str, target: str) -> Entry:
    return Entry(SafeRelPath(path), EntryType.LINK, target=target)


def content(data: bytes, place: StoredObject, offset: int = 0) -> Content:
    """A content in one chunk."""
    digest = digest_of(data)
    return Content(digest, len(data), 14, [len(data)], [digest], [len(data)], (Extent(place, offset, 1),))


def directory(entries: Sequence[Entry], *, data: bytes = EVIL) -> Planted:
    """A directory of these entries, in this order, all with the same bytes; pointer, listing and manifest agree."""
    version = listing_digest(encode_listing(Listing(tuple(entries))))
    contents = [content(data, StoredObject(digest_of(data), len(data)))] if any(e.digest for e in entries) else []
    size = sum(e.size for e in entries)
    stored = encode_manifest(Manifest(version, True, size, Table(tuple(entries), tuple(contents))))
    values = {manifest_key(version, digest_of(stored)): stored, object_key(digest_of(data)): data}
    return Planted(version, size, sum(1 for e in entries if e.digest), values)


def file_of(version: Digest, size: int, contents: Iterable[Content], objects: Iterable[bytes] = ()) -> Planted:
    """A file with this manifest, whatever it claims."""
    stored = encode_manifest(Manifest(version, False, size, Table((), tuple(contents))))
    values = {manifest_key(version, digest_of(stored)): stored}
    return Planted(version, size, None, values | {object_key(digest_of(o)): o for o in objects})


def document(version: Digest, stored: bytes, *, size: int = 4, files: int | None = None) -> Planted:
    """A manifest of these stored bytes."""
    return Planted(version, size, files, {manifest_key(version, digest_of(stored)): stored})


def bomb(raw: int, chunk: int = 16 << 20) -> Planted:
    """A file of ``raw`` zeros in one small compressed object: honest in all but its proportions."""
    frame = zstandard.ZstdCompressor(level=19).compress(bytes(chunk))
    hasher = blake3()
    count = raw // chunk
    data = frame * count
    place = StoredObject(digest_of(data), len(data), ZSTD)
    for _ in range(count):
        hasher.update(bytes(chunk))
    version = Digest(hasher.digest())
    piece = digest_of(bytes(chunk))
    table = Content(
        version, raw, 22, [chunk] * count, [piece] * count, [len(frame)] * count, (Extent(place, 0, count),)
    )
    return file_of(version, raw, [table], [data])


def documents() -> dict[str, Planted]:
    """Manifests that lie or burst, most of them for the version that is ``EVIL``."""
    return _frames() | _headers() | _tables() | _segments()


VERSION, PLACE = digest_of(EVIL), StoredObject(digest_of(EVIL), len(EVIL))
NOTHING = listing_digest(b"lobsterdv listing 1\n")
FACTS: dict[str, object] = {"version": str(VERSION), "shape": "file", "size": 4}
FOLDER_FACTS = {"version": str(NOTHING), "shape": "directory", "size": 0}


def _frames() -> dict[str, Planted]:
    zeros = zstandard.ZstdCompressor(level=19)
    unsized = zstandard.ZstdCompressor(write_content_size=False).compress(EVIL)
    frames = {
        "not zstd": b"plainly not",
        "empty": b"",
        "a frame without size": unsized,
        "a frame that claims an exbibyte": b"\x28\xb5\x2f\xfd\xc0" + b"\0\0\0\0\0\0\0\x10" + bytes(20),
        "a bomb of 64 MiB": zeros.compress(bytes(64 << 20)),
        "a bomb of 4 GiB": zeros.compress(bytes(256 << 20)) * 16,
    }
    return {name: document(VERSION, stored) for name, stored in frames.items()}


def _headers() -> dict[str, Planted]:
    lines = {
        "nested JSON": b"[" * 60_000,
        "a long header": b'{"a":"' + b"x" * (1 << 20) + b'"}\n',
        "another type": encode_columns("segment", FACTS, encode_table(Table((), (content(EVIL, PLACE),)))),
        "an unknown feature": b'{"columns":[],"features":["wings"],"lobsterdv":1,"type":"manifest"}\n',
        "an unknown format": b'{"columns":[],"features":[],"lobsterdv":9,"type":"manifest"}\n',
        "duplicate keys": b'{"lobsterdv":1,"lobsterdv":1}\n',
        "columns of another size": b'{"columns":[["a",99]],"features":[],"lobsterdv":1,"type":"manifest"}\n',
    }
    return {name: document(VERSION, compress(body)) for name, body in lines.items()}


def _tables() -> dict[str, Planted]:
    honest = encode_table(Table((), (content(EVIL, PLACE),)))
    changes: dict[str, dict[str, bytes]] = {
        "millions of chunks": {"chunk_lengths": bytes(24 << 20), "chunk_counts": b"\0\0\x60\0"},
        "four billion chunks": {"chunk_counts": b"\xff\xff\xff\xff"},
        "four billion extents": {"extent_counts": b"\xff\xff\xff\xff"},
        "an extent outside its object": {"extent_offsets": b"\x01" + bytes(7)},
        "an extent at the end of the world": {"extent_offsets": b"\xff" * 8},
        "an object that is not there": {"objects": bytes(32)},
        "an unknown codec": {"object_codecs": b"\x07"},
        "a codec that is not the object's": {"object_codecs": b"\x01", "stored_lengths": b"\x04\0\0\0"},
    }
    cases = {
        name: document(VERSION, compress(encode_columns("manifest", FACTS, {**honest, **change})))
        for name, change in changes.items()
    }
    lines = 30 << 20
    wide = {**honest, "paths": b"\n" * lines, "types": bytes(lines)}
    cases["thirty million paths"] = document(
        NOTHING, compress(encode_columns("manifest", FOLDER_FACTS, wide)), size=0, files=0
    )
    good = digest_of(b"good")
    wrong = Content(good, 4, 14, [4], [good], [4], (Extent(PLACE, 0, 1),))
    endless = Content(VERSION, 1 << 62, 14, [4], [VERSION], [4], (Extent(PLACE, 0, 1),))
    return cases | {
        "four exbibytes": file_of(VERSION, 1 << 62, [endless], [EVIL]),
        "another version's table": file_of(VERSION, 4, [content(b"good", PLACE)], [EVIL]),
        "bytes of another file": file_of(good, 4, [wrong], [EVIL]),
        "a file that poses as a directory": Planted(
            VERSION, 4, 1, file_of(VERSION, 4, [content(EVIL, PLACE)], [EVIL]).values
        ),
        "a directory that poses as a file": Planted(NOTHING, 0, None, directory([]).values),
    }


def _segments() -> dict[str, Planted]:
    columns = {"segments": bytes(32), "segment_entries": b"\xff\xff\xff\xff", "segment_first_paths": b"a\n"}
    of_file = document(VERSION, compress(encode_columns("manifest", FACTS, columns)))
    of_file.values[segment_key(Digest(bytes(32)))] = EVIL
    gone = document(NOTHING, compress(encode_columns("manifest", FOLDER_FACTS, columns)), size=0, files=0)
    broken = Planted(NOTHING, 0, 0, {**gone.values, segment_key(Digest(bytes(32))): EVIL})
    return {"a segment of a file": of_file, "a segment that is not there": gone, "a segment that is none": broken}


def listings() -> dict[str, Planted]:
    """Directories whose entries would leave their folder, or cannot exist."""
    cases: dict[str, Sequence[Entry]] = {
        "climbs": [entry("../escaped")],
        "climbs later": [entry("a/../../escaped")],
        "absolute": [entry("/tmp/lobsterdv-escaped")],
        "git hooks": [entry(".git/hooks/post-checkout", executable=True)],
        "git hooks below": [entry("sub/.git/hooks/post-checkout", executable=True)],
        "git in capitals": [entry(".GIT/config")],
        "git's short name": [entry("git~1/config")],
        "git with invisible letters": [entry(".g\u200cit/config")],
        "a backslash": [entry("..\\escaped")],
        "a control character": [entry("a\x1b[31m")],
        "a name of 300 bytes": [entry("n" * 300)],
        "a path of 5,000 bytes": [entry("/".join(["n" * 99] * 50))],
        "an empty part": [entry("a//b")],
        "a dot": [entry("./a")],
        "a drive": [entry("C:/a")],
        "a link to the root": [link("a", "/etc/passwd")],
        "a link that climbs": [link("a", "../../canary")],
        "a link that climbs from deep": [link("a/b", "../../../canary")],
        "a file below a link": [link("a", "b"), entry("a/x"), entry("b/y")],
        "a file below a file": [entry("a"), entry("a/x")],
        "twice the same": [entry("a"), entry("a")],
        "out of order": [entry("b"), entry("a")],
    }
    return {name: directory(entries) for name, entries in cases.items()}
