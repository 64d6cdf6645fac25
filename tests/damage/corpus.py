"""Hostile documents, by the parser they are for. Every one must be refused with a typed error; every bug adds one.

``HARMLESS`` holds what only looks hostile on the systems that we run on, and must be read.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

import zstandard

from lobsterdv.digest import digest_of, listing_digest
from lobsterdv.formats.columns import compress, encode_columns, pack_integers
from lobsterdv.formats.config import parse_config
from lobsterdv.formats.layout import Marker, encode_marker, name_in_key, parse_marker
from lobsterdv.formats.listing import Entry, EntryType, Listing, encode_listing, parse_listing
from lobsterdv.formats.manifest import (
    Manifest,
    SegmentRef,
    encode_manifest,
    encode_segment,
    objects_in,
    parse_manifest,
    parse_segment,
    segments_in,
)
from lobsterdv.formats.mark import Mark, encode_mark, parse_mark
from lobsterdv.formats.pack import Packed, encode_pack_index, parse_pack_index
from lobsterdv.formats.pointer import Input, Pointer, encode_pointer, parse_pointer
from lobsterdv.formats.record import Record, encode_record, parse_record
from lobsterdv.formats.remote_settings import REMOTE_KEYS
from lobsterdv.formats.retirement import Retirement, encode_retirement, parse_retirement
from lobsterdv.formats.runs import RunRecord, encode_run, parse_run
from lobsterdv.formats.table import Content, Extent, StoredObject, Table, encode_table
from lobsterdv.formats.tombstone import Tombstone, encode_tombstone, parse_tombstone
from lobsterdv.paths import SafeRelPath, safe_link, safe_path
from lobsterdv.stores.open import parse_url

Cases = dict[str, bytes]
DATA: Final = b"data"
DIGEST: Final = digest_of(DATA)
HEX: Final = DIGEST.hex()
OBJECT: Final = StoredObject(DIGEST, len(DATA))
CONTENT: Final = Content(DIGEST, 4, 14, [4], [DIGEST], [4], (Extent(OBJECT, 0, 1),))
ENTRIES: Final = (
    Entry(SafeRelPath("a"), EntryType.FILE, 4, DIGEST),
    Entry(SafeRelPath("b/c"), EntryType.EXECUTABLE, 4, DIGEST),
    Entry(SafeRelPath("b/d"), EntryType.LINK, target="../a"),
    Entry(SafeRelPath("e"), EntryType.FOLDER),
)
TABLE: Final = Table(ENTRIES, (CONTENT,))
LISTING: Final = encode_listing(Listing(ENTRIES))
REF: Final = SegmentRef(DIGEST, len(ENTRIES), SafeRelPath("a"))
POINTER: Final = Pointer(DIGEST, 4, "file")
RECORD: Final = encode_record(Record(SafeRelPath("d"), POINTER, DIGEST, "2026-01-01T00:00:00Z", "ada", "lab-1"))
RUN: Final = RunRecord(
    "qc", (Input(SafeRelPath("i"), DIGEST),), (Input(SafeRelPath("o"), DIGEST),), "2026-01-01T00:00:00Z",
    "2026-01-01T00:01:00Z", "ada", "lab-1", command="make o", params={"k": 3}, environment={"python": "3.11"},
)  # fmt: skip
HONEST: Final[dict[str, bytes]] = {
    "pointer": encode_pointer(POINTER),
    "config": b"lobsterdv: 1\nproject: " + b"0" * 32 + b"\nremote: r\nremotes:\n  r:\n    url: s3://bucket/x\n",
    "record": RECORD,
    "listing": LISTING,
    "manifest": encode_manifest(Manifest(listing_digest(LISTING), True, 8, TABLE)),
    "segment": encode_segment(TABLE),
    "pack index": encode_pack_index(DIGEST, 4, [Packed(DIGEST, 0, 4)]),
    "marker": encode_marker(Marker("0" * 32)),
    "path": b"a/b",
    "link": b"../b",
    "url": b"s3://bucket/prefix",
    "key": b"catalog/" + b"0" * 32 + b"/" + HEX.encode() + b".yaml",
    "mark": encode_mark(Mark(1_700_000_000_000, ["manifests/a", "objects/b"], [4, 5], [DIGEST])),
    "retirement": encode_retirement(Retirement(RECORD, "2026-01-01T00:00:00Z", "ada", "lab-1")),
    "tombstone": encode_tombstone(Tombstone(DIGEST, "d", "withdrawn", "2026-01-01T00:00:00Z", "ada", "lab-1")),
    "run record": encode_run(RUN),
}


def _manifest(data: bytes) -> object:
    """As the two quick looks into a manifest see it, and the full one."""
    segments_in(data, what="it")
    objects_in(data, "manifest", what="it")
    return parse_manifest(data, what="it")


PARSERS: Final[dict[str, Callable[[bytes], object]]] = {
    "pointer": lambda data: parse_pointer(data, what="it"),
    "config": lambda data: parse_config(data, "tracked", source="it"),
    "record": lambda data: parse_record(data, what="it"),
    "listing": lambda data: parse_listing(data, what="it"),
    "manifest": _manifest,
    "segment": lambda data: parse_segment(data, REF, what="it"),
    "pack index": lambda data: parse_pack_index(data, what="it"),
    "marker": lambda data: parse_marker(data, url="it"),
    "path": lambda data: safe_path(data.decode(errors="surrogateescape")),
    "link": lambda data: safe_link(SafeRelPath("a/l"), data.decode(errors="surrogateescape")),
    "url": lambda data: parse_url(data.decode(errors="surrogateescape")),
    "key": lambda data: name_in_key(data.decode(errors="surrogateescape"), what="it"),
    "mark": lambda data: parse_mark(data, what="it"),
    "retirement": lambda data: parse_retirement(data, what="it").push(),
    "tombstone": lambda data: parse_tombstone(data, what="it"),
    "run record": lambda data: parse_run(data, what="it"),
}

BAD_PATHS: Final[Cases] = {
    name: path.encode(errors="surrogateescape")
    for name, path in {
        "empty": "", "dot": ".", "two dots": "..", "climbs": "../x", "climbs twice": "../../x",
        "climbs later": "a/../x",
        "climbs at the end": "a/..", "dot inside": "a/./b", "dot first": "./a", "dot last": "a/.", "root": "/",
        "absolute": "/etc/passwd", "two slashes first": "//host/share", "empty part": "a//b", "slash last": "a/",
        "NUL": "a\0b", "NUL last": "a\0", "newline": "a\nb", "return": "a\rb", "tab": "a\tb", "escape": "a\x1b[2Jb",
        "bell": "a\x07", "delete": "a\x7f", "C1 control": "a\x9bm", "next line": "a\x85b", "backslash": "..\\x",
        "backslash inside": "a\\b", "drive": "C:/x", "drive without slash": "C:x", "UNC": "\\\\host\\share",
        "device path": "\\\\.\\C:", "git": ".git", "git folder": ".git/config", "git below": "a/.git/hooks/pre-push",
        "git capitals": ".GIT/config", "git mixed": ".gIt/config", "git dot": ".git./x", "git space": ".git /x",
        "git dots and spaces": ".git. . /x", "git stream": ".git::$INDEX_ALLOCATION/x", "git stream 2": ".git:x",
        "git short": "git~1/config", "git short 2": "GIT~2/config", "git last": "a/.git",
        "git with a joiner": ".g\u200cit/x", "git with a mark": ".git\u200e/x", "git with a BOM": "\ufeff.git/x",
        "git with an override": ".gi\u202et/x", "long name": "n" * 256, "long UTF-8 name": "\u00e9" * 128,
        "long path": "/".join(["n" * 100] * 60), "not UTF-8": "a\udcffb", "half a surrogate": "\udcc3",
    }.items()
}  # fmt: skip
BAD_TARGETS: Final[Cases] = {
    name: target.encode(errors="surrogateescape")
    for name, target in {
        "empty": "", "absolute": "/etc/passwd", "root": "/", "climbs out": "../../x", "climbs far": "../" * 40 + "x",
        "climbs out to nothing": "../..", "climbs after a name": "b/../../x", "back after a name": "b/../c",
        "hidden by dots": "./../../x", "hidden by slashes": "..//..//x", "NUL": "a\0", "newline": "a\nb",
        "escape": "\x1b]0;x\x07", "backslash": "..\\..\\x", "long": "a/" * 3000, "not UTF-8": "a\udcff",
    }.items()
}  # fmt: skip
BAD_DIGESTS: Final = {
    "empty": "", "no algorithm": HEX, "another algorithm": f"md5:{HEX}", "sha256": f"sha256:{HEX}",
    "capital algorithm": f"BLAKE3:{HEX}", "short": f"blake3:{HEX[:-1]}", "long": f"blake3:{HEX}0",
    "capitals": f"blake3:{HEX.upper()}", "not hex": f"blake3:{'g' * 64}", "climbs": f"blake3:{'../' * 21}0",
    "Unicode digits": f"blake3:{'٠' * 64}", "space": f" blake3:{HEX}", "newline": f"blake3:{HEX}\n",
    "two": f"blake3:blake3:{HEX}", "NUL": f"blake3:{HEX[:-1]}\0", "full width": f"blake3:{'０' * 64}",
}  # fmt: skip
BAD_COUNTS: Final = {
    "negative": b"-1", "2^63": b"9223372036854775808", "2^64": b"18446744073709551616", "a thousand digits": b"9" * 999,
    "fraction": b"1.5", "exponent": b"1e3", "not a number": b".nan", "infinite": b".inf", "hex": b"0x10",
    "octal": b"010", "underscores": b"1_000", "text": b'"4"', "true": b"true", "null": b"null", "list": b"[4]",
    "mapping": b"{a: 1}", "sexagesimal": b"12:30", "minus zero point": b"-0.0", "plus": b"+4",
}  # fmt: skip


def _yaml(good: bytes) -> Cases:
    """What no document of the YAML subset may be, built on one that is good."""
    laughs = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
        b"%c: &%c [%s]\n" % (98 + n, 98 + n, b",".join([b"*%c" % (97 + n)] * 9)) for n in range(9)
    )
    return {
        "binary": bytes(range(256)), "random": bytes(x * 7919 % 256 for x in range(4000)),
        "not UTF-8": good + b"x: \xff\n", "UTF-16": good.decode().encode("utf-16"), "overlong": good + b"x: \xc0\x80\n",
        "surrogates in UTF-8": good + b"x: \xed\xa0\x80\n", "NUL": good + b"x: a\0b\n",
        "escape": good + b"x: \x1b[2J\n",
        "half a surrogate pair": good + b'x: "\\ud800"\n', "beyond Unicode": good + b'x: "\\UFFFFFFFF"\n',
        "list": b"- 1\n", "text": b"hello\n", "number": b"7\n", "null": b"null\n",
        "two documents": good + b"---\n" + good,
        "alias bomb": good + laughs, "alias": good + b"x: &a 1\ny: *a\n", "anchor": good + b"x: &a 1\n",
        "self alias": good + b"x: &a [*a]\n", "unknown alias": good + b"x: *nowhere\n",
        "merge key": good + b"<<: {a: 1}\n", "merge list": good + b"<<: [{a: 1}]\n",
        "python object": good + b"x: !!python/object/apply:os.system ['touch canary']\n",
        "python name": good + b"x: !!python/name:os.system\n",
        "python new": good + b"x: !!python/object/new:set [[]]\n",
        "tag binary": good + b"x: !!binary aGk=\n", "tag set": good + b"x: !!set {a}\n",
        "local tag": good + b"x: !a 1\n",
        "tag directive": b"%TAG ! tag:x,2000:\n---\n" + good + b"x: !a 1\n", "str tag": good + b"x: !!str 1\n",
        "duplicate key": good + b"lobsterdv: 1\n", "duplicate inner key": good + b"x: {a: 1, a: 2}\n",
        "list as key": good + b"[a]: 1\n", "mapping as key": good + b"{a: 1}: 1\n",
        "complex key": good + b"? [a]\n: 1\n",
        "nested lists": good + b"x: " + b"[" * 30_000, "nested mappings": good + b"x: " + b"{a: " * 12_000,
        "nine levels": good + b"x: " + b"[" * 12 + b"]" * 12 + b"\n",
        "nested block": good + b"x:\n" + b"".join(b" " * n + b"a:\n" for n in range(1, 300)),
        "nested dashes": good + b"x:\n" + b"- " * 20_000 + b"1\n", "too large": good + b"#" * 300_000,
        "large value": good + b"x: " + b"y" * (150 << 10) + b"\n", "open quote": good + b'x: "\n',
        "open bracket": good + b"x: [\n", "tab": good + b"x:\n\t- 1\n", "colon": good + b"a: b: c\n",
        "percent": good + b"%YAML 9.9\n", "long key": good + b"k" * 5000 + b": 1\n", "at": good + b"x: @a\n",
        "format 2": good.replace(b"lobsterdv: 1", b"lobsterdv: 2", 1),
        "format 0": good.replace(b"lobsterdv: 1", b"lobsterdv: 0", 1),
        "format text": good.replace(b"lobsterdv: 1", b'lobsterdv: "1"', 1),
        "format true": good.replace(b"lobsterdv: 1", b"lobsterdv: true", 1),
        "format list": good.replace(b"lobsterdv: 1", b"lobsterdv: [1]", 1),
        "format float": good.replace(b"lobsterdv: 1", b"lobsterdv: 1.0", 1),
        "no format": good.replace(b"lobsterdv: 1\n", b"", 1),
        "unknown feature": good + b"features:\n- wings\n", "features text": good + b"features: wings\n",
        "features mapping": good + b"features: {a: 1}\n", "feature of lists": good + b"features: [[[]]]\n",
    }  # fmt: skip


def _pointers() -> Cases:
    good = HONEST["pointer"]
    cases = _yaml(good) | {"empty": b"", "comments": b"# nothing\n"}
    for name, digest in BAD_DIGESTS.items():
        cases[f"digest: {name}"] = good.replace(f'"blake3:{HEX}"'.encode(), json.dumps(digest).encode())
    for name, number in BAD_COUNTS.items():
        cases[f"size: {name}"] = good.replace(b"size: 4", b"size: " + number)
        if name != "null":
            cases[f"files: {name}"] = good.replace(b"kind: file", b"kind: directory\nfiles: " + number)
    for name, path in BAD_PATHS.items():
        shown = json.dumps(path.decode(errors="surrogateescape")).encode()
        cases[f"input: {name}"] = good + b'inputs:\n- path: %s\n  digest: "blake3:%s"\n' % (shown, HEX.encode())
    digest_line = b'digest: "blake3:' + HEX.encode() + b'"\n'
    return cases | {
        "no digest": good.replace(digest_line, b""), "digest list": good.replace(digest_line, b"digest: []\n"),
        "digest null": good.replace(digest_line, b"digest: null\n"), "digest 7": good.replace(digest_line,
        b"digest: 7\n"),
        "no size": good.replace(b"size: 4\n", b""), "unknown kind": good.replace(b"kind: file", b"kind: spaceship"),
        "kind list": good.replace(b"kind: file", b"kind: [file]"), "kind null": good.replace(b"kind: file",
        b"kind: null"),
        "kind mapping": good.replace(b"kind: file", b"kind: {file: 1}"),
        "a directory without files": good.replace(b"kind: file", b"kind: directory"),
        "files of a file": good + b"files: 3\n", "executable directory":
            good.replace(b"kind: file", b"kind: directory\nfiles: 1\nexecutable: true"),
        "executable text": good + b'executable: "true"\n', "executable 1": good + b"executable: 1\n",
        "storage": good + b"storage: elsewhere\n", "storage list": good + b"storage: []\n",
        "message number": good + b"message: 7\n", "message list": good + b"message: [a]\n",
        "summary text": good + b"summary: x\n", "summary list": good + b"summary: [1]\n",
        "run text": good + b"run: x\n",
        "run list": good + b"run: [1]\n", "inputs number": good + b"inputs: 7\n",
        "inputs mapping": good + b"inputs: {a: 1}\n",
        "input text": good + b"inputs: [a]\n", "input with more": good +
            b'inputs:\n- path: a\n  digest: "blake3:%s"\n  exec: rm\n' % HEX.encode(),
        "input without digest": good + b"inputs:\n- path: a\n", "input path number":
            good + b'inputs:\n- path: 7\n  digest: "blake3:%s"\n' % HEX.encode(),
        "merge markers": b"<<<<<<< HEAD\n" + good + b"=======\n" + good + b">>>>>>> other\n",
        "half a merge marker": b"<<<<<<< ", "many merge markers": b"<<<<<<< a\n=======\n" * 5000,
    }  # fmt: skip


def _configs() -> Cases:
    good = HONEST["config"]
    secrets = (
        "secret_access_key", "aws_secret_access_key", "access_key_id", "aws_session_token", "token", "password",
        "passwd",
        "credentials", "sse_customer_key", "sse_c_key", "private_key", "SECRET", "api_token", "client_secret",
    )  # fmt: skip
    cases = {name: data for name, data in _yaml(good).items() if name not in ("null",)}
    for key in secrets:
        cases[f"secret {key}"] = good + f"{key}: abc\n".encode()
        cases[f"secret {key} of a remote"] = good + f"    {key}: abc\n".encode()
    for key in ("cache.dir", "cache.link", "jobs", "trusted", "hooks.path", "proxy", "ca_bundle", "editor", "alias.st"):
        cases[f"not safelisted: {key}"] = good + f"{key}: /tmp/x\n".encode()
        outer, _, inner = key.partition(".")
        if inner:
            cases[f"not safelisted, nested: {key}"] = good + f"{outer}:\n  {inner}: /tmp/x\n".encode()
    for key in REMOTE_KEYS:
        cases[f"remote {key}: list"] = good + f"  q:\n    {key}: [1]\n".encode()
        cases[f"remote {key}: mapping"] = good + f"  q:\n    {key}: {{a: 1}}\n".encode()
    for name in ("../x", "a/b", "", "-rf", "a b", "a\\nb", "x" * 65, "\u00e9", "$(x)", ".", "a.b"):
        cases[f"remote named {name!r}"] = good + f'  "{name}":\n    url: s3://bucket/x\n'.encode()
    for key in ("concurrency", "attempts", "part_size", "read_timeout"):
        for bad in ("-1", "0", "99999999999999999999", "1.5", "true", "lots", '"1e9"'):
            cases[f"remote {key} {bad}"] = good + f"    {key}: {bad}\n".encode()
    return cases | {
        "remotes text": b"lobsterdv: 1\nremotes: here\n", "remotes list": b"lobsterdv: 1\nremotes: [a]\n",
        "remote text": b"lobsterdv: 1\nremotes:\n  r: here\n", "remote list": b"lobsterdv: 1\nremotes:\n  r: [a]\n",
        "project climbs": b"lobsterdv: 1\nproject: ../../x\n", "project short": b"lobsterdv: 1\nproject: 00\n",
        "project list": b"lobsterdv: 1\nproject: [a]\n", "project Unicode": b'lobsterdv: 1\nproject: "%s"\n'
            % ("٠" * 32).encode(),
        "url with newline": good + b'  q:\n    url: "s3://a\\nb"\n',
        "url with escape": good + b'  q:\n    url: "\\e[2J"\n',
        "unknown key": good + b"unknown: 1\n", "unknown remote key": good + b"    unknown: 1\n",
        "describe maybe": good + b"describe: maybe\n", "big file huge": good + b"big_file: 99999999999999999999TB\n",
    }  # fmt: skip


def _records() -> Cases:
    good = HONEST["record"]
    cases = {name: data for name, data in _yaml(good).items() if name != "nine levels"} | {"empty": b""}
    for name, path in BAD_PATHS.items():
        shown = json.dumps(path.decode(errors="surrogateescape")).encode()
        cases[f"path: {name}"] = good.replace(b"\npath: d\n", b"\npath: " + shown + b"\n")
    for name, digest in BAD_DIGESTS.items():
        shown = json.dumps(digest).encode()
        cases[f"manifest: {name}"] = good.replace(b'manifest: "blake3:' + HEX.encode() + b'"', b"manifest: " + shown)
    return cases | {
        "pointer text": good[: good.index(b"pointer:")] + b"pointer: x\n",
        "no pointer": good[: good.index(b"pointer:")],
        "pointer list": good[: good.index(b"pointer:")] + b"pointer: [a]\n",
        "by list": good.replace(b"by: ada", b"by: [ada]"), "host number": good.replace(b'host: lab-1', b"host: 7"),
        "commit list": good + b"commit: [a]\n",
    }  # fmt: skip


def _listings() -> Cases:
    head, line = b"lobsterdv listing 1\n", b"file\ta\t4\t%s\n" % HEX.encode()
    cases = {f"path: {name}": head + line.replace(b"\ta\t", b"\t" + p + b"\t") for name, p in BAD_PATHS.items()}
    cases |= {f"target: {name}": head + b"link\ta/l\t" + target + b"\n" for name, target in BAD_TARGETS.items()}
    for name, number in BAD_COUNTS.items():
        cases[f"size: {name}"] = head + line.replace(b"\t4\t", b"\t" + number + b"\t")
    return cases | {
        "empty": b"", "no header": line, "another header": b"lobsterdv manifest 1\n" + line, "CRLF header":
            b"lobsterdv listing 1\r\n" + line, "format 2": b"lobsterdv listing 2\n" + line,
        "format of a million digits": b"lobsterdv listing " + b"9" * 1_000_000 + b"\n", "cut": (head + line)[:-1],
        "CRLF": head + line.replace(b"\n", b"\r\n"), "blank line": head + b"\n" + line,
        "unknown type": head + b"pipe\ta\n",
        "device": head + b"char\ta\t1\t3\n", "capitals": head + line.replace(HEX.encode(), HEX.upper().encode()),
        "short digest": head + line[:-2] + b"\n", "no digest": head + b"file\ta\t4\n", "twice": head + line * 2,
        "more fields": head + line[:-1] + b"\tx\n", "below a file": head + line + line.replace(b"\ta\t", b"\ta/b\t"),
        "below a link": head + b"link\ta\tb\n" + line.replace(b"\ta\t", b"\ta/b\t"),
        "below an empty folder": head + b"dir\ta\n" + line.replace(b"\ta\t", b"\ta/b\t"),
        "out of order": head + line.replace(b"\ta\t", b"\tb\t") + line, "dir with size": head + b"dir\ta\t4\n",
        "binary": head + bytes(range(256)), "a line of 4 MB": head + b"x" * (4 << 20) + b"\n",
        "leading zero": head + line.replace(b"\t4\t", b"\t04\t"), "BOM": b"\xef\xbb\xbf" + head + line,
    }  # fmt: skip


def columned(kind: str, header: bytes) -> bytes:
    """A document of this header line and no columns, in the form in which the parser takes it."""
    if kind == "pack index":
        return header + digest_of(header)
    return compress(header)


def _containers(kind: str, type_name: str) -> Cases:
    """What the header line of a columned document may not be."""
    lines = {
        "empty header": b"\n", "no header": b"x" * 100, "a long header": b'{"a":"' + b"x" * (70 << 10) + b'"}\n',
        "not JSON": b"{]\n", "list": b"[]\n", "number": b"7\n", "null": b"null\n", "NaN": b'{"a":NaN}\n',
        "infinite": b'{"a":Infinity}\n', "nested": b"[" * 60_000 + b"\n", "nested mappings": b'{"a":' * 12_000 + b"\n",
        "a number of 60,000 digits": b'{"a":' + b"9" * 60_000 + b"}\n", "duplicate": b'{"lobsterdv":1,"lobsterdv":1}\n',
        "half a surrogate": b'{"a":"\\ud800","columns":[],"features":[],"lobsterdv":1,"type":"%s"}\n',
        "no format": b'{"columns":[],"features":[],"type":"%s"}\n', "format 2":
            b'{"columns":[],"features":[],"lobsterdv":2,"type":"%s"}\n',
        "format true": b'{"columns":[],"features":[],"lobsterdv":true,"type":"%s"}\n',
        "format text": b'{"columns":[],"features":[],"lobsterdv":"1","type":"%s"}\n',
        "another type": b'{"columns":[],"features":[],"lobsterdv":1,"type":"cake"}\n',
        "type list": b'{"columns":[],"features":[],"lobsterdv":1,"type":["%s"]}\n',
        "feature": b'{"columns":[],"features":["wings"],"lobsterdv":1,"type":"%s"}\n',
        "features text": b'{"columns":[],"features":"wings","lobsterdv":1,"type":"%s"}\n',
        "no columns": b'{"columns":[],"features":[],"lobsterdv":1,"type":"%s"}\n',
        "columns mapping": b'{"columns":{},"features":[],"lobsterdv":1,"type":"%s"}\n',
        "columns number": b'{"columns":7,"features":[],"lobsterdv":1,"type":"%s"}\n',
        "column text": b'{"columns":["ab"],"features":[],"lobsterdv":1,"type":"%s"}\n',
        "column without size": b'{"columns":[["a"]],"features":[],"lobsterdv":1,"type":"%s"}\n',
        "negative size": b'{"columns":[["a",-1]],"features":[],"lobsterdv":1,"type":"%s"}\n',
        "huge size": b'{"columns":[["a",99999999999999999999]],"features":[],"lobsterdv":1,"type":"%s"}\n',
        "float size": b'{"columns":[["a",0.0]],"features":[],"lobsterdv":1,"type":"%s"}\n',
        "true size": b'{"columns":[["a",true]],"features":[],"lobsterdv":1,"type":"%s"}\n',
        "column twice": b'{"columns":[["a",0],["a",0]],"features":[],"lobsterdv":1,"type":"%s"}\n',
        "bytes after": b'{"columns":[],"features":[],"lobsterdv":1,"type":"%s"}\nmore',
        "spaces": b'{"columns": [],"features":[],"lobsterdv":1,"type":"%s"}\n',
        "unsorted": b'{"features":[],"columns":[],"lobsterdv":1,"type":"%s"}\n', "not UTF-8": b'{"a":"\xff"}\n',
    }  # fmt: skip
    return {name: columned(kind, line.replace(b"%s", type_name.encode())) for name, line in lines.items()}


def _frames() -> Cases:
    """What is no whole zstd frame of a modest, stated size."""
    zeros, good = zstandard.ZstdCompressor(level=19), HONEST["manifest"]
    return {
        "empty": b"", "not zstd": b"plainly not", "magic only": good[:4], "cut": good[:-1],
        "half": good[: len(good) // 2],
        "two frames": good * 2, "junk after": good + b"x", "flipped": good[:-9] + bytes([good[-9] ^ 1]) + good[-8:],
        "a frame without size": zstandard.ZstdCompressor(write_content_size=False).compress(b"x" * 100),
        "claims an exbibyte": b"\x28\xb5\x2f\xfd\xc0" + b"\0\0\0\0\0\0\0\x10" + bytes(20),
        "claims 2^64-1": b"\x28\xb5\x2f\xfd\xc0" + b"\xff" * 8 + bytes(20), "claims zero": zeros.compress(b""),
        "a skippable frame": b"\x50\x2a\x4d\x18\xff\xff\xff\xff", "a bomb of 256 MiB": zeros.compress(bytes(256 << 20)),
        "65 MiB": zeros.compress(bytes(65 << 20)), "a dictionary": b"\x37\xa4\x30\xec" + bytes(100),
        "gzip": b"\x1f\x8b\x08" + bytes(100), "a window of 2 GiB": b"\x28\xb5\x2f\xfd\x00\xa8" + bytes(50),
    }  # fmt: skip


def _tables(kind: str) -> Cases:
    """Columns of a table that do not fit each other, point outside, or claim more than there is."""
    facts: dict[str, object] = {}
    if kind == "manifest":
        facts = {"version": str(listing_digest(LISTING)), "shape": "directory", "size": 8}
    good = encode_table(TABLE)
    cases: Cases = {}
    for name, data in good.items():
        changed = {"missing": None, "cut": data[:-1], "longer": data + b"\x01", "filled": b"\xff" * len(data)}
        changed |= {"a million": b"\xff" * (1 << 20), "doubled": data * 2}
        for how, value in changed.items():
            if value == data or (how == "filled" and name in ("contents", "objects", "object_sizes")):
                continue  # an empty column cannot be cut or filled; other digests and larger objects may be
            columns = {**good, name: value} if value is not None else {k: v for k, v in good.items() if k != name}
            cases[f"{name}: {how}"] = compress(encode_columns(kind, facts, columns))
    for name, path in BAD_PATHS.items():
        columns = {**good, "paths": path + b"\nb/c\nb/d\ne\n"}
        cases[f"path: {name}"] = compress(encode_columns(kind, facts, columns))
    for name, target in BAD_TARGETS.items():
        cases[f"target: {name}"] = compress(encode_columns(kind, facts, {**good, "targets": target + b"\n"}))
    return cases


def _manifests() -> Cases:
    facts = {"version": str(DIGEST), "shape": "directory", "size": 8}
    good = encode_table(TABLE)
    cases = _containers("manifest", "manifest") | _frames() | _tables("manifest")
    lies: dict[str, dict[str, object]] = {
        "shape": {"shape": "cube"}, "shape list": {"shape": ["file"]}, "size text": {"size": "8"},
        "size -1": {"size": -1},
        "size 2^63": {"size": 1 << 63}, "size true": {"size": True}, "version list": {"version": []},
        "version 7": {"version": 7}, "posing as a file": {"shape": "file"}, "size float": {"size": 8.0},
    }  # fmt: skip
    for name, digest in BAD_DIGESTS.items():
        lies[f"version: {name}"] = {"version": digest}
    for name, lie in lies.items():
        cases[f"fact: {name}"] = compress(encode_columns("manifest", facts | lie, good))
    segments = {"segments": bytes(64), "segment_entries": pack_integers([1, 1], 4), "segment_first_paths": b"a\nb\n"}
    for name, change in {
        "cut": {"segments": bytes(63)}, "none": {"segments": b"", "segment_entries": b"", "segment_first_paths": b""},
        "empty segment": {"segment_entries": bytes(8)}, "fewer counts": {"segment_entries": bytes(4)},
        "out of order": {"segment_first_paths": b"b\na\n"}, "equal": {"segment_first_paths": b"a\na\n"},
        "climbs": {"segment_first_paths": b"../a\nb\n"}, "cut path": {"segment_first_paths": b"a\nb"},
        "not UTF-8": {"segment_first_paths": b"a\n\xff\n"},
    }.items():  # fmt: skip
        cases[f"segments: {name}"] = compress(encode_columns("manifest", facts, segments | change))
    both = compress(encode_columns("manifest", facts, {**good, **segments}))
    of_file = compress(encode_columns("manifest", facts | {"shape": "file"}, segments))
    return cases | {"segments and a table": both, "segments of a file": of_file, "a segment": HONEST["segment"]}


def _segments() -> Cases:
    other = Table(ENTRIES[:1], (CONTENT,))
    later = Table(ENTRIES[1:], (CONTENT,))
    return (
        _containers("segment", "segment")
        | _frames()
        | _tables("segment")
        | {"fewer entries": encode_segment(other), "another first path": encode_segment(later)}
        | {"a manifest": HONEST["manifest"], "empty table": encode_segment(Table((), ()))}
    )


def _pack_indexes() -> Cases:
    good = HONEST["pack index"]
    cases = _containers("pack index", "pack")
    facts: dict[str, object] = {"pack": str(DIGEST), "pack_size": 4}
    columns = {"digests": bytes(DIGEST), "offsets": pack_integers([0], 8), "sizes": pack_integers([4], 4)}
    changes: dict[str, tuple[dict[str, object], dict[str, bytes]]] = {
        "outside": ({}, {"offsets": pack_integers([1], 8)}), "far outside": ({}, {"offsets": b"\xff" * 8}),
        "large": ({}, {"sizes": b"\xff" * 4}), "pack_size -1": ({"pack_size": -1}, {}),
        "size text": ({"pack_size": "4"}, {}),
        "pack_size true": ({"pack_size": True}, {}), "two digests": ({}, {"digests": bytes(64)}),
        "no rows": ({}, {"digests": b""}), "cut": ({}, {"offsets": bytes(7)}), "pack 7": ({"pack": 7}, {}),
        "pack list": ({"pack": []}, {}),
    }  # fmt: skip
    for name, digest in BAD_DIGESTS.items():
        changes[f"pack: {name}"] = ({"pack": digest}, {})
    for name, (fact, change) in changes.items():
        body = encode_columns("pack", facts | fact, columns | change)
        cases[name] = body + digest_of(body)
    for name in columns:
        body = encode_columns("pack", facts, {k: v for k, v in columns.items() if k != name})
        cases[f"without {name}"] = body + digest_of(body)
    return cases | {
        "empty": b"", "only a checksum": good[-32:], "cut": good[:-1], "flipped": good[:40] + b"\0" + good[41:],
        "no checksum": good[:-32], "zeros": bytes(4096), "16 MB of zeros": bytes(16 << 20),
    }  # fmt: skip


def _markers() -> Cases:
    def marker(**fields: object) -> bytes:
        return json.dumps({"lobsterdv": 1, "store": "0" * 32, "features": []} | fields).encode()

    return {
        "empty": b"", "binary": b"\xff\xfe", "list": b"[]", "null": b"null", "number": b"1", "text": b'"x"',
        "nested": b"[" * 60_000, "nested mappings": b'{"a":' * 12_000, "digits": b"9" * 60_000,
        "format of digits": b'{"lobsterdv":' + b"9" * 4000 + b"}", "NaN": b'{"lobsterdv":NaN}',
        "UTF-16": marker().decode().encode("utf-16"), "UTF-32": marker().decode().encode("utf-32"),
        "duplicate": marker()[:-1] + b',"store":"%s"}' % (b"1" * 32), "BOM": b"\xef\xbb\xbf" + marker(),
        "format 2": marker(lobsterdv=2), "format -1": marker(lobsterdv=-1), "format true": marker(lobsterdv=True),
        "format text": marker(lobsterdv="1"), "format float": marker(lobsterdv=1.0),
        "format null": marker(lobsterdv=None),
        "store climbs": marker(store="../" * 10 + "xx"), "store short": marker(store="0"),
        "store list": marker(store=[]),
        "store capitals": marker(store="A" * 32), "store newline": marker(store="0" * 32 + "\n"),
        "store NUL": marker(store="0" * 31 + "\0"), "store digits": marker(store="٠" * 32),
        "no store": marker(store=None),
        "store mapping": marker(store={"a": 1}), "feature": marker(features=["wings"]),
        "features": marker(features="x"),
        "features mapping": marker(features={"a": 1}), "feature of escapes": marker(features=["\x1b[2J\n"]),
        "feature of lists": marker(features=[[[]]]), "features null": marker(features=None),
    }  # fmt: skip


def _urls() -> Cases:
    return {
        text: text.encode(errors="surrogateescape")
        for text in (
            "", " ", "s3:", "s3://", "s3:///x", "s3://ab", "s3://a..b/x", "s3://127.0.0.1/x", "s3://bucket/../x",
            "s3://bucket/a/./b", "s3://bucket/a\0b", "s3://bucket/a\nb", "s3://bucket?versionId=1", "s3://bucket/x#y",
            "s3://key:secret@bucket/x", "s3://@bucket/x", "s3://-bucket/x", "s3://buck et/x", "s3://\u0431ucket/x",
            "http://bucket/x", "https://key:secret@host/x", "ftp://host/x", "gopher://x", "file://host/x", "file:x",
            "javascript:alert(1)", "data:/x", "ssh://-oProxyCommand=x/y", "ext::sh -c x",
            "s3://bucket/x?X-Amz-Signature=1",
            "/a\0b", "a\0b", "s3://bucket/\x1b[2J",
        )
        if ":" in text or "\0" in text or not text.strip()
        if text != "file:x" and text != "javascript:alert(1)" and text != "ext::sh -c x"  # folders of those names
    }  # fmt: skip


def _marks() -> Cases:
    good = {"keys": b"a\nb\n", "sizes": pack_integers([4, 5], 8), "records": bytes(DIGEST)}
    cases = _containers("mark", "mark") | _frames() | {"a manifest": HONEST["manifest"]}
    for name, at in {
        "text": "1", "-1": -1, "2^63": 1 << 63, "true": True, "float": 1.0, "null": None, "list": [1],
    }.items():  # fmt: skip
        cases[f"at: {name}"] = compress(encode_columns("mark", {"at": at}, good))
    cases["no at"] = compress(encode_columns("mark", {}, good))
    for name, change in {
        "more keys": {"keys": b"a\nb\nc\n"}, "fewer keys": {"keys": b"a\n"}, "no keys": {"keys": b""},
        "out of order": {"keys": b"b\na\n"}, "twice": {"keys": b"a\na\n"}, "cut key": {"keys": b"a\nb"},
        "not UTF-8": {"keys": b"a\n\xff\n"}, "surrogates": {"keys": b"a\n\xed\xa0\x80\n"}, "cut": {"sizes": bytes(15)},
        "no sizes": {"sizes": b""}, "cut record": {"records": bytes(31)}, "a byte": {"records": b"x"},
        "a MiB of keys": {"keys": b"\n" * 1_000_000},
    }.items():  # fmt: skip
        cases[name] = compress(encode_columns("mark", {"at": 1}, good | change))
    for name in good:
        columns = {k: v for k, v in good.items() if k != name}
        cases[f"without {name}"] = compress(encode_columns("mark", {"at": 1}, columns))
    return cases


def _retirements() -> Cases:
    good, own = HONEST["retirement"], b'record: "' + str(digest_of(RECORD)).encode() + b'"'
    cases = _yaml(good) | {
        "empty": b"", "too large": good + b"#" * 1_100_000, "large value": good + b"x: " + b"y" * 1_100_000 + b"\n",
        "many values": good + b"x:\n" + b"- \n" * 340_000, "many in a flow": good + b"x: [" + b"1," * 500_000 + b"]\n",
        "many empty lists": good + b"x: [" + b"[]," * 340_000 + b"]\n",
        "a tombstone": HONEST["tombstone"], "a record": RECORD, "another event": good.replace(b"retire", b"forget", 1),
        "another record": good.replace(own, b'record: "blake3:' + HEX.encode() + b'"'),
        "was changed": good.replace(b"ada\\nhost", b"bob\\nhost"), "no was": good[: good.index(b"was:")],
        "was list": good[: good.index(b"was:")] + b"was: [a]\n", "by list": good.replace(b"by: ada", b"by: [ada]", 1),
        "host number": good.replace(b"host: lab-1", b"host: 7", 1), "no record": good.replace(own + b"\n", b""),
    }  # fmt: skip
    for name, digest in BAD_DIGESTS.items():
        cases[f"record: {name}"] = good.replace(own, b"record: " + json.dumps(digest).encode())
    small = {name: data for name, data in _records().items() if len(data) < 100_000}
    for name, data in small.items():
        try:
            was = data.decode()
        except UnicodeDecodeError:
            continue
        cases[f"was: {name}"] = encode_retirement(Retirement(was.encode(), "2026-01-01T00:00:00Z", "ada", "lab-1"))
    return cases


def _tombstones() -> Cases:
    good, own = HONEST["tombstone"], b'version: "blake3:' + HEX.encode() + b'"'
    cases = _yaml(good) | {
        "empty": b"", "a retirement": HONEST["retirement"], "another event": good.replace(b"forget", b"retire", 1),
        "a long reason": good.replace(b"withdrawn", b"x" * 2001), "reason list": good.replace(b"withdrawn", b"[a]"),
        "no reason": good.replace(b"reason: withdrawn\n", b""), "at number": good.replace(b"at: ", b"at: 7 #"),
        "by mapping": good.replace(b"by: ada", b"by: {a: 1}"), "host null": good.replace(b"host: lab-1", b"host: null"),
        "no version": good.replace(own + b"\n", b""), "version list": good.replace(own, b"version: []"),
    }  # fmt: skip
    for name, digest in BAD_DIGESTS.items():
        cases[f"version: {name}"] = good.replace(own, b"version: " + json.dumps(digest).encode())
    for name, path in BAD_PATHS.items():
        shown = json.dumps(path.decode(errors="surrogateescape")).encode()
        cases[f"path: {name}"] = good.replace(b"\npath: d\n", b"\npath: " + shown + b"\n")
    return cases


def _runs() -> Cases:
    good = HONEST["run record"]
    honest = json.loads(good)

    def run(**fields: object) -> bytes:
        return json.dumps(honest | fields).encode()

    def adding(text: bytes) -> bytes:
        return b"{" + text + b"," + good[1:]

    nested: object = 1
    for _ in range(9):
        nested = [nested]
    cases = {
        "empty": b"", "binary": b"\xff\xfe", "list": b"[]", "null": b"null", "number": b"1", "text": b'"x"',
        "cut": good[:-2],
        "two": good * 2, "nested": b"[" * 60_000, "nested mappings": b'{"a":' * 12_000,
        "nested params": adding(b'"x":' + b"[" * 900 + b"]" * 900), "nine levels": run(params={"a": nested}),
        "deep in the environment": run(environment={"a": nested}), "digits": adding(b'"x":' + b"9" * 5000),
        "too large": adding(b'"x":"' + b"y" * (300 << 10) + b'"'), "not UTF-8": adding(b'"x":"\xff"'),
        "surrogate": adding(b'"x":"\\ud800"'), "surrogate by": run(by="\ud800"),
        "surrogate key": adding(b'"\\udfff":1'),
        "surrogate param": run(params={"a": ["\udc80"]}), "NaN": adding(b'"x":NaN'),
        "infinite": adding(b'"x":-Infinity'),
        "overflow": adding(b'"x":1e999'), "duplicate": adding(b'"lobsterdv":1'),
        "inner duplicate": adding(b'"x":{"a":1,"a":2}'),
        "UTF-16": good.decode().encode("utf-16"), "UTF-32": good.decode().encode("utf-32"),
        "BOM": b"\xef\xbb\xbf" + good,
        "YAML": HONEST["record"], "feature": run(features=["wings"]), "features text": run(features="wings"),
        "params list": run(params=[1]), "params text": run(params="x"), "environment list": run(environment=["a"]),
        "environment of numbers": run(environment={"a": 1}), "environment of null": run(environment={"a": None}),
        "dirty 1": run(dirty=1), "dirty text": run(dirty="true"), "dirty null": run(dirty=None),
        "exit true": run(exit_code=True), "exit text": run(exit_code="0"), "exit float": run(exit_code=0.0),
        "exit null": run(exit_code=None), "exit 2^63": run(exit_code=1 << 63),
        "exit of digits": run(exit_code=10**4000),
    }  # fmt: skip
    for name, number in {"2": 2, "0": 0, "-1": -1, "true": True, "text": "1", "float": 1.0, "null": None}.items():
        cases[f"format {name}"] = run(lobsterdv=number)
    for key in ("activity", "started", "ended", "by", "host", "inputs", "outputs"):
        cases[f"no {key}"] = json.dumps({k: v for k, v in honest.items() if k != key}).encode()
        cases[f"{key} number"], cases[f"{key} mapping"] = run(**{key: 7}), run(**{key: {"a": 1}})
    for key in ("command", "script", "commit"):
        cases[f"{key} list"] = run(**{key: ["a"]})
    for key in ("inputs", "outputs"):
        for name, digest in BAD_DIGESTS.items():
            cases[f"{key} digest: {name}"] = run(**{key: [{"path": "a", "digest": digest}]})
        for name, path in BAD_PATHS.items():
            shown = path.decode(errors="surrogateescape")
            cases[f"{key} path: {name}"] = run(**{key: [{"path": shown, "digest": str(DIGEST)}]})
        for name, item in {"text": "a", "null": None, "list": [], "no path": {"digest": str(DIGEST)}}.items():
            cases[f"{key} item: {name}"] = run(**{key: [item]})
        cases[f"{key} item: no digest"] = run(**{key: [{"path": "a"}]})
    return cases


CORPUS: Final[dict[str, Cases]] = {
    "pointer": _pointers(),
    "config": _configs(),
    "record": _records(),
    "listing": _listings(),
    "manifest": _manifests(),
    "segment": _segments(),
    "pack index": _pack_indexes(),
    "marker": _markers(),
    "path": BAD_PATHS,
    "link": BAD_TARGETS,
    "url": _urls(),
    "mark": _marks(),
    "retirement": _retirements(),
    "tombstone": _tombstones(),
    "run record": _runs(),
    "key": {
        name: b"objects/00/" + value.encode().replace(b"blake3:", b"")
        for name, value in BAD_DIGESTS.items()
        if name not in ("no algorithm", "another algorithm", "sha256", "capital algorithm", "two")
    },
}

HARMLESS: Final[Cases] = {
    name: name.encode()
    for name in (
        "CON",
        "nul.txt",
        "aux/x",
        "COM1",
        "x.",
        "x ",
        "-rf",
        "~",
        "~root",
        "$HOME",
        "ab:c",
        "*",
        "%00",
        "con/prn",
    )
}
"""Device names, globs and options: plain names here, and never handed to a shell."""
