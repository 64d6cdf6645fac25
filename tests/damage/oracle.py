"""The oracle: reads caches and remotes by docs/format.md alone, and says what is wrong with them.

It imports nothing from lobsterdv, so that a mistake in our own code cannot hide itself: two readers of
one format agree, or one of them is wrong. A remote is a plain mapping of keys to bytes.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml
import zstandard
from blake3 import blake3

LISTING_CONTEXT = "lobsterdv 2026-11-23 directory listing v1"
_HEX = re.compile(r"[0-9a-f]{64}")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TYPES = ("file", "exec", "link", "dir")

Node = tuple[str, bytes]
"""What lies at a path: ``file`` or ``exec`` with the bytes, ``link`` with the target, ``dir`` with nothing."""
Tree = dict[str, Node]
"""A version: by path below the dataset; one that is a file has the one path ''."""


class Wrong(Exception):
    """Something does not follow the format, or does not hold what it claims."""


class Pointer(NamedTuple):
    """What the oracle needs of a pointer."""

    digest: str
    size: int
    is_directory: bool
    executable: bool


def _load_yaml(data: bytes | str) -> Any:
    """As yaml.safe_load, by libyaml, which takes a tenth of the time."""
    return yaml.load(data, Loader=_LOADER)  # noqa: S506  CSafeLoader is safe too


def read_pointer(data: bytes) -> Pointer:
    """A pointer's bytes; raises Wrong for what is none."""
    fields = _load_yaml(data)
    if not isinstance(fields, dict) or fields.get("lobsterdv") != 1:
        raise Wrong(f"not a pointer: {data[:80]!r}")
    digest = str(fields["digest"]).removeprefix("blake3:")
    if not _HEX.fullmatch(digest):
        raise Wrong(f"no digest: {fields['digest']!r}")
    return Pointer(digest, int(fields["size"]), fields.get("files") is not None, bool(fields.get("executable", False)))


def name_of(tree: Tree) -> str:
    """The digest that a version with these bytes must have."""
    if set(tree) == {""} and tree[""][0] in ("file", "exec"):
        return blake3(tree[""][1]).hexdigest()
    lines = []
    for path in sorted(tree):
        kind, data = tree[path]
        if kind == "link":
            lines.append(f"link\t{path}\t{data.decode()}\n")
        elif kind == "dir":
            lines.append(f"dir\t{path}\n")
        else:
            lines.append(f"{kind}\t{path}\t{len(data)}\t{blake3(data).hexdigest()}\n")
    return _listing_name(b"lobsterdv listing 1\n" + "".join(lines).encode())


def load(folder: Path) -> dict[str, bytes]:
    """A directory remote as a mapping; temps of interrupted writes are left out."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".tmp-")
    }


def check_remote(remote: Mapping[str, bytes], pointers: Mapping[str, bytes] | None = None) -> int:
    """Everything in a remote holds together, and every pointer (name to bytes) can be restored from it.

    Returns how many things were checked; raises Wrong with the first that is not right.
    """
    if not remote:
        return 0
    marker = json.loads(remote["lobsterdv.json"])
    if marker["lobsterdv"] != 1 or marker["features"] or not re.fullmatch("[0-9a-f]{32}", marker["store"]):
        raise Wrong(f"lobsterdv.json is {marker}")
    for key, data in remote.items():
        match key.split("/"):
            case ["lobsterdv.json"]:
                pass
            case ["objects" | "segments", fan, name]:
                _require(name[:2] == fan, f"{key} is in the wrong folder")
                _require(blake3(data).hexdigest() == name, f"{key} does not hash to its name")
            case ["manifests", version, name]:
                _require(blake3(data).hexdigest() == name, f"{key} does not hash to its name")
                _assemble(remote, version, data, key, strict=True)
            case ["catalog", _, name]:
                _require(f"{blake3(data).hexdigest()}.yaml" == name, f"{key} does not hash to its name")
                _check_record(remote, data, key)
            case ["catalog", _, "retired", record, name]:
                _require(f"{blake3(data).hexdigest()}.yaml" == name, f"{key} does not hash to its name")
                was = _load_yaml(data)["was"].encode()
                _require(blake3(was).hexdigest() == record, f"{key} holds another record than the one it retires")
            case ["runs", fan, name]:
                _require(name[:2] == fan, f"{key} is in the wrong folder")
                _require(blake3(data).hexdigest() == name, f"{key} does not hash to its name")
            case ["forgotten", version, name]:
                _require(f"{blake3(data).hexdigest()}.yaml" == name, f"{key} does not hash to its name")
                _require(_load_yaml(data)["version"] == f"blake3:{version}", f"{key} forgets another version")
            case ["marks", name]:
                _require(blake3(data).hexdigest() == name, f"{key} does not hash to its name")
            case _:
                raise Wrong(f"{key} has no business here")
    for name, data in (pointers or {}).items():
        try:
            restore(remote, data)
        except Wrong as error:
            raise Wrong(f"{name}: {error}") from error
    return len(remote) + len(pointers or {})


def restore(remote: Mapping[str, bytes], pointer: bytes) -> Tree:
    """The tree a pointer names, put together from the remote's bytes. Raises Wrong."""
    wanted = read_pointer(pointer)
    prefix = f"manifests/{wanted.digest}/"
    problem = Wrong(f"no manifest of {wanted.digest}")
    for key in sorted(k for k in remote if k.startswith(prefix)):
        try:
            _require(blake3(remote[key]).hexdigest() == key.removeprefix(prefix), f"{key} does not hash to its name")
            tree = _assemble(remote, wanted.digest, remote[key], key, strict=False)
        except Wrong as error:
            problem = error
            continue
        if not wanted.is_directory and wanted.executable:
            tree = {"": ("exec", tree[""][1])}
        _require(name_of(tree) == wanted.digest, f"{key} gives another version")
        size = sum(len(data) for kind, data in tree.values() if kind in ("file", "exec"))
        _require(size == wanted.size, f"{key} gives {size} bytes instead of {wanted.size}")
        return tree
    raise problem


def check_cache(cache: Path) -> dict[str, bytes]:
    """Everything in a cache folder is what its name says; returns every content by its digest. Raises Wrong.

    Quarantine, temps and views are no content.
    """
    found: dict[str, bytes] = {}
    for path in sorted((cache / "files").rglob("*")):
        if path.is_file() and not path.name.startswith(".tmp-"):
            data = path.read_bytes()
            _require(blake3(data).hexdigest() == path.name, f"cache file {path.name} does not hash to its name")
            _require(path.parent.name == path.name[:2], f"cache file {path.name} is in the wrong folder")
            found[path.name] = data
    for path in sorted((cache / "packs").glob("*.idx")):
        found.update(_read_pack(path))
    for path in sorted((cache / "listings").rglob("*")):
        if path.is_file() and not path.name.startswith(".tmp-"):
            _require(_listing_name(path.read_bytes()) == path.name, f"listing {path.name} does not hash to its name")
    for path in sorted((cache / "remotes").rglob("*")):
        if path.is_file() and not path.name.startswith(".tmp-"):
            _require(blake3(path.read_bytes()).hexdigest() == path.name, f"kept {path.name} does not hash to its name")
    return found


def restore_from_cache(cache: Path, pointer: bytes) -> Tree:
    """The tree a pointer names, from the cache alone. Raises Wrong."""
    wanted = read_pointer(pointer)
    contents = check_cache(cache)
    contents[blake3(b"").hexdigest()] = b""

    def content(digest: str) -> bytes:
        _require(digest in contents, f"the cache lacks {digest}")
        return contents[digest]

    if not wanted.is_directory:
        return {"": ("exec" if wanted.executable else "file", content(wanted.digest))}
    listing = cache / "listings" / wanted.digest[:2] / wanted.digest
    _require(listing.is_file(), f"the cache lacks the listing {wanted.digest}")
    tree: Tree = {}
    for line in listing.read_text(encoding="utf-8").split("\n")[1:-1]:
        kind, path, *rest = line.split("\t")
        if kind == "link":
            tree[path] = (kind, rest[0].encode())
        else:
            tree[path] = (kind, content(rest[1]) if rest else b"")
    _require(name_of(tree) == wanted.digest, f"the listing of {wanted.digest} gives another version")
    return tree


def _check_record(remote: Mapping[str, bytes], data: bytes, key: str) -> None:
    fields = _load_yaml(data)
    _require(fields["lobsterdv"] == 1 and fields["event"] == "push", f"{key} is no push")
    manifest = str(fields["manifest"]).removeprefix("blake3:")
    version = str(fields["pointer"]["digest"]).removeprefix("blake3:")
    _require(f"manifests/{version}/{manifest}" in remote, f"{key} names a manifest that is not there")


def _assemble(remote: Mapping[str, bytes], version: str, stored: bytes, key: str, *, strict: bool) -> Tree:
    """The tree of a manifest, every chunk, content and range checked; ``strict`` checks what no reader needs too."""
    header, columns = _columns(stored, "manifest", key)
    _require(header["version"] == f"blake3:{version}", f"{key} is filed under another version")
    if "segments" in columns:
        tree: Tree = {}
        for name in _split(columns["segments"], 32):
            part = remote.get(f"segments/{name.hex()[:2]}/{name.hex()}")
            _require(part is not None, f"{key} names a segment that is not there")
            assert part is not None
            _require(blake3(part).digest() == name, f"{key} names a segment that is damaged")
            tree |= _tree(remote, _columns(part, "segment", key)[1], key, strict)
    else:
        tree = _tree(remote, columns, key, strict)
    _require((list(tree) == [""]) == (header["shape"] == "file"), f"{key} has another shape")
    size = sum(len(data) for kind, data in tree.values() if kind in ("file", "exec"))
    _require(size == header["size"], f"{key} says {header['size']} bytes and gives {size}")
    _require(name_of(tree) == version, f"{key} does not give the version it names")
    return tree


def _tree(remote: Mapping[str, bytes], columns: Mapping[str, bytes], key: str, strict: bool) -> Tree:
    contents = list(_contents(remote, columns, key, strict))
    paths = columns["paths"].decode().split("\n")[:-1]
    if not paths:
        _require(len(contents) <= 1, f"{key} has contents without paths")
        return {"": ("file", contents[0])} if contents else {}
    targets = iter(columns["targets"].decode().split("\n"))
    used = iter(_numbers(columns["entry_contents"], "I"))
    tree: Tree = {}
    for path, code in zip(paths, columns["types"], strict=True):
        kind = _TYPES[code]
        if kind in ("file", "exec"):
            tree[path] = (kind, contents[next(used)])
        else:
            tree[path] = (kind, next(targets).encode() if kind == "link" else b"")
    return tree


def _contents(remote: Mapping[str, bytes], columns: Mapping[str, bytes], key: str, strict: bool) -> Iterator[bytes]:
    names = [name.hex() for name in _split(columns["objects"], 32)]
    sizes = _numbers(columns["object_sizes"], "Q")
    codecs = columns["object_codecs"]
    extents = zip(
        _numbers(columns["extent_objects"], "I"),
        _numbers(columns["extent_offsets"], "Q"),
        _numbers(columns["extent_chunks"], "I"),
        strict=True,
    )
    cut = zip(_numbers(columns["chunk_lengths"], "I"), _split(columns["chunk_digests"], 32), strict=True)
    coded = iter(_numbers(columns["stored_lengths"], "I"))
    rows = zip(
        _split(columns["contents"], 32),
        _numbers(columns["sizes"], "Q"),
        _numbers(columns["chunk_counts"], "I"),
        _numbers(columns["extent_counts"], "I"),
        strict=True,
    )
    for digest, size, chunks, extent_count in rows:
        table = [next(cut) for _ in range(chunks)] if chunks > 1 else [(size, digest)] * chunks
        parts = []
        left = iter(table)
        for number, offset, count in [next(extents) for _ in range(extent_count)]:
            place = remote.get(f"objects/{names[number][:2]}/{names[number]}")
            _require(place is not None, f"{key} names the object {names[number]}, which is not there")
            assert place is not None
            _require(not strict or len(place) == sizes[number], f"{key}: the object {names[number]} has another size")
            for length, chunk in [next(left) for _ in range(count)]:
                stored = length if codecs[number] == 0 else next(coded)
                part = place[offset : offset + stored]
                offset += stored
                raw = part if codecs[number] == 0 else zstandard.ZstdDecompressor().decompress(part)
                _require(len(raw) == length, f"{key}: a chunk of {digest.hex()} has another length")
                _require(blake3(raw).digest() == chunk, f"{key}: a chunk of {digest.hex()} is damaged")
                parts.append(raw)
        data = b"".join(parts)
        _require(len(data) == size, f"{key}: {digest.hex()} has another size")
        _require(blake3(data).digest() == digest, f"{key}: {digest.hex()} is damaged")
        yield data


def _read_pack(index: Path) -> dict[str, bytes]:
    stored = index.read_bytes()
    _require(blake3(stored[:-32]).digest() == stored[-32:], f"{index.name} is damaged")
    header, columns = _parse(stored[:-32], "pack", index.name)
    pack = index.with_suffix(".pack")
    data = pack.read_bytes()
    _require(blake3(data).hexdigest() == pack.stem, f"{pack.name} does not hash to its name")
    _require(header["pack"] == f"blake3:{pack.stem}" and header["pack_size"] == len(data), f"{index.name} lies")
    found = {}
    places = zip(_numbers(columns["offsets"], "Q"), _numbers(columns["sizes"], "I"), strict=True)
    for digest, (offset, size) in zip(_split(columns["digests"], 32), places, strict=True):
        part = data[offset : offset + size]
        _require(blake3(part).digest() == digest, f"{pack.name} holds {digest.hex()} damaged")
        found[digest.hex()] = part
    return found


def _columns(stored: bytes, kind: str, key: str) -> tuple[dict[str, Any], dict[str, bytes]]:
    try:
        return _parse(zstandard.ZstdDecompressor().decompress(stored), kind, key)
    except zstandard.ZstdError as error:
        raise Wrong(f"{key}: {error}") from error


def _parse(body: bytes, kind: str, key: str) -> tuple[dict[str, Any], dict[str, bytes]]:
    line, _, rest = body.partition(b"\n")
    header = json.loads(line)
    _require(header["lobsterdv"] == 1 and header["type"] == kind and not header["features"], f"{key} is no {kind}")
    columns = {}
    for name, size in header["columns"]:
        columns[name], rest = rest[:size], rest[size:]
    _require(not rest, f"{key} has bytes after its columns")
    return header, columns


def _listing_name(encoded: bytes) -> str:
    return blake3(encoded, derive_key_context=LISTING_CONTEXT).hexdigest()


def _numbers(column: bytes, letter: str) -> list[int]:
    return [number for (number,) in struct.iter_unpack("<" + letter, column)]


def _split(column: bytes, width: int) -> list[bytes]:
    return [column[i : i + width] for i in range(0, len(column), width)]


def _require(fact: bool, otherwise: str) -> None:
    if not fact:
        raise Wrong(otherwise)
