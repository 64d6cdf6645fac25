"""How tests/data/format-1 was made, once. Tests never run this: the folder is frozen (see its README).

``python -m tests.data.make_format_1 FOLDER`` writes the same samples with today's code, for comparing by eye.
"""

from __future__ import annotations

import dataclasses
import json
import random
import subprocess
import sys
from pathlib import Path

import zstandard

from lobsterdv.blobs.cache import Cache
from lobsterdv.blobs.intake import Intake
from lobsterdv.blobs.remote import create_marker
from lobsterdv.chunker import cut_lengths
from lobsterdv.digest import Digest, digest_of, digest_of_file
from lobsterdv.formats import layout
from lobsterdv.formats.config import dump_config
from lobsterdv.formats.listing import Entry, EntryType, Listing, digest_of_listing, encode_listing, make_listing
from lobsterdv.formats.manifest import Manifest, SegmentRef, encode_manifest, encode_segment
from lobsterdv.formats.pointer import Input, Pointer, encode_pointer
from lobsterdv.formats.record import Record, encode_record
from lobsterdv.formats.table import ZSTD, Content, Extent, StoredObject, Table
from lobsterdv.git import Git
from lobsterdv.ops.add import add
from lobsterdv.ops.context import Project
from lobsterdv.ops.init import init
from lobsterdv.ops.push import push
from lobsterdv.paths import SafeRelPath, safe_path
from lobsterdv.project import CONFIG_NAME, open_project
from lobsterdv.signature import Signature
from lobsterdv.stores.base import Store
from lobsterdv.stores.directory import DirectoryStore

AT = 1_790_000_000.0  # 2026-09-21T14:13:20Z
PROJECT_ID = "0123456789abcdef0123456789abcdef"
STORE_ID = "fedcba9876543210fedcba9876543210"


class Forgetful:
    """A ledger that remembers nothing."""

    def look_up(self, name: str) -> tuple[Signature, bytes, float] | None:
        return None

    def note(self, rows: object) -> None:
        pass


def rows(count: int, seed: int) -> bytes:
    """A table that compresses about four to one."""
    dice = random.Random(seed)
    lines = ["cell,n_genes,total_counts,leiden"]
    lines += [f"AAAC{dice.getrandbits(40):010X}-1,{dice.randrange(5000)},{dice.randrange(90000)},{i % 7}"
              for i in range(count)]  # fmt: skip
    return ("\n".join(lines) + "\n").encode()


def write_tree(root: Path) -> None:
    """One file of each sort, and a directory with names that people really have."""
    (root / "counts.csv").write_bytes(rows(1400, seed=1))
    (root / "norm.sh").write_bytes(b"#!/bin/sh\nexec python norm.py\n")
    (root / "norm.sh").chmod(0o755)
    (root / "empty.bin").write_bytes(b"")
    plate = root / "plates" / "plate 1"
    (plate / "wells" / "Größe µm").mkdir(parents=True)
    (plate / "empty").mkdir()
    (plate / "wells" / "Größe µm" / "A1 (copy).tif").write_bytes(bytes(range(256)) * 40)
    (plate / "wells" / "same bytes").write_bytes(bytes(range(256)) * 40)
    (plate / "wells" / "-rf").write_bytes(b"a name that looks like an option\n")
    (plate / "wells" / "100%:done.").write_bytes(b"colon, percent, trailing dot\n")
    (plate / "wells" / "細胞 🦞 'quoted' \"twice\".txt").write_bytes("ロブスター\n".encode())
    (plate / "run").write_bytes(b"#!/bin/sh\n")
    (plate / "run").chmod(0o755)
    (plate / "zero").write_bytes(b"")
    (plate / "latest").symlink_to("wells/Größe µm")
    (plate / "wells" / "up").symlink_to("../run")
    images = root / "images"
    for number in range(12):
        (images / f"t{number % 3}").mkdir(parents=True, exist_ok=True)
        (images / f"t{number % 3}" / f"{number:03}.raw").write_bytes(random.Random(number).randbytes(700 + number))
    (root / "wide.tsv").write_bytes(rows(1200, seed=2).replace(b",", b"\t"))


def describe_tree(place: Path) -> dict[str, dict[str, object]]:
    """What a checkout must give back; paths below ``place``, '' for a dataset that is a file."""
    if place.is_file():
        found = [place]
    else:
        found = [p for p in place.rglob("*") if p.is_symlink() or not p.is_dir() or not any(p.iterdir())]
    facts: dict[str, dict[str, object]] = {}
    for path in sorted(found):
        name = path.relative_to(place).as_posix() if path != place else ""
        if path.is_symlink():
            facts[name] = {"type": "link", "target": str(path.readlink())}
        elif path.is_dir():
            facts[name] = {"type": "dir"}
        else:
            kind = "exec" if path.stat().st_mode & 0o100 else "file"
            facts[name] = {"type": kind, "size": path.stat().st_size, "blake3": digest_of_file(path).hex()}
    return facts


def content_of(data: bytes, target: StoredObject, offset: int) -> Content:
    """A content as one chunk."""
    digest = digest_of(data)
    return Content(digest, len(data), 14, [len(data)], [digest], [len(data)], (Extent(target, offset, 1),))


def put_record(store: Store, project: Project, path: str, pointer: Pointer, manifest: bytes) -> None:
    store.put(layout.manifest_key(pointer.digest, digest_of(manifest)), manifest)
    record = Record(
        safe_path(path), pointer, digest_of(manifest), "2026-09-21T14:13:20Z", "Ada <ada@example.org>", "lab-1",
        project.git.commit_of("HEAD"),
    )  # fmt: skip
    data = encode_record(record)
    store.put(layout.record_key(PROJECT_ID, digest_of(data)), data)


def push_segmented(project: Project, store: Store, samples: Path) -> None:
    """``images`` as three segments of four entries: what a push does with more than 32,768 rows."""
    entries = _entries(project.root / "images")
    data = {e.path: (project.root / "images" / e.path).read_bytes() for e in entries}
    body = b"".join(data[e.path] for e in entries)
    target = StoredObject(digest_of(body), len(body))
    store.put(layout.object_key(target.digest), body)
    refs = []
    offset = 0
    for start in range(0, len(entries), 4):
        part = entries[start : start + 4]
        contents = []
        for entry in part:
            contents.append(content_of(data[entry.path], target, offset))
            offset += entry.size
        stored = encode_segment(Table(tuple(part), tuple(contents)))
        refs.append(SegmentRef(digest_of(stored), len(part), part[0].path))
        store.put(layout.segment_key(refs[-1].digest), stored)
        (samples / f"segment-{len(refs)}").write_bytes(stored)
    listing = Listing(tuple(entries))
    manifest = encode_manifest(Manifest(digest_of_listing(listing), True, listing.size, None, tuple(refs)))
    (samples / "segmented").write_bytes(manifest)
    pointer = Pointer(digest_of_listing(listing), listing.size, "directory", files=listing.files)
    put_record(store, project, "images", pointer, manifest)


def push_compressed(project: Project, store: Store, samples: Path) -> None:
    """``wide.tsv`` as two zstd objects, a frame a chunk: what later writers will send."""
    data = (project.root / "wide.tsv").read_bytes()
    lengths = cut_lengths(data, average_bits=14)
    frames, digests, start = [], [], 0
    for length in lengths:
        digests.append(digest_of(data[start : start + length]))
        frames.append(zstandard.ZstdCompressor(level=5).compress(data[start : start + length]))
        start += length
    half = len(frames) // 2
    extents = []
    for part in (frames[:half], frames[half:]):
        body = b"".join(part)
        target = StoredObject(digest_of(body), len(body), ZSTD)
        store.put(layout.object_key(target.digest), body)
        extents.append(Extent(target, 0, len(part)))
    content = Content(
        digest_of(data), len(data), 14, lengths, digests, [len(frame) for frame in frames], tuple(extents)
    )
    manifest = encode_manifest(Manifest(content.digest, False, len(data), Table((), (content,))))
    (samples / "compressed").write_bytes(manifest)
    put_record(store, project, "wide.tsv", Pointer(content.digest, len(data), "table"), manifest)


def _entries(place: Path) -> list[Entry]:
    files = sorted(p for p in place.rglob("*") if p.is_file())
    entries = [
        Entry(safe_path(p.relative_to(place).as_posix()), EntryType.FILE, p.stat().st_size, digest_of_file(p))
        for p in files
    ]
    return list(make_listing(entries).entries)


def make_remote(folder: Path, work: Path) -> None:
    """The project's git bundle, the remote it was pushed to, and what a checkout of each tag must give."""
    environment = {
        "PATH": "/usr/bin:/bin", "HOME": str(work), "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.org", "GIT_AUTHOR_DATE": "1790000000 +0000",
        "GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.org",
        "GIT_COMMITTER_DATE": "1790000000 +0000",
    }  # fmt: skip
    root = work / "project"
    root.mkdir()
    remote = folder / "remote"
    remote.mkdir()
    samples = folder / "manifests"
    samples.mkdir()

    def git(*args: str) -> None:
        subprocess.run(["git", *args], cwd=root, env=environment, check=True, capture_output=True)

    git("init", "--quiet", "--initial-branch=main")
    settings = {"url": "../remote"}
    init(Git.find(root, environment=environment), CONFIG_NAME, project_id=PROJECT_ID, remote=("frozen", settings),
         observer=print)  # fmt: skip
    (work / "remote").symlink_to(remote)
    store = DirectoryStore(remote, create=True)
    create_marker(store, store_id=STORE_ID)
    project = open_project(root, environment=environment)
    project.now, project.host = (lambda: AT), "lab-1"
    write_tree(root)
    expected = {}
    datasets = ["counts.csv", "norm.sh", "empty.bin", "plates/plate 1", "images", "wide.tsv"]
    for tag in ("v1", "v2"):
        if tag == "v2":
            (root / "counts.csv").write_bytes(rows(1400, seed=1) + b"AAACLAST-1,1,2,3\n")
            (root / "plates/plate 1/run").chmod(0o644)
        report = add(project, datasets, message=f"as of {tag}", observer=print)
        assert not report.failures, report.failures
        git("commit", "--quiet", "--message", tag)
        git("tag", tag)
        expected[tag] = {name: describe_tree(root / name) for name in datasets}
        if tag == "v1":
            push_segmented(project, store, samples)
            push_compressed(project, store, samples)
        sent = push(project, ["counts.csv", "norm.sh", "empty.bin", "plates"], observer=print)
        assert not sent.failures, sent.failures
    git("bundle", "create", "--quiet", str(folder / "project.bundle"), "main", "v1", "v2")
    text = json.dumps(expected, indent=1, ensure_ascii=True) + "\n"
    (folder / "expected.json").write_text(text, encoding="ascii")


def make_pointers(folder: Path) -> None:
    digest = digest_of(b"x")
    base = Pointer(digest, 18_349_912, "file")
    summary = {
        "n_obs": 2700, "n_vars": 32738, "obs": ["leiden", "yes", "0123", "µ-genes"], "layers": [],
        "obsm": {"X_umap": [2700, 2], "X pca": [2700, 50]},
    }  # fmt: skip
    run = {
        "activity": "normalise", "command": "python norm.py --mode 'a b'", "script": "git:" + "1f" * 20,
        "params": {"target_sum": 10000, "alpha": 1e-05, "seed": "123456789012345678901", "log": True, "drop": None},
    }  # fmt: skip
    inputs = (Input(safe_path("data/raw counts.h5ad"), digest_of(b"raw")),)
    samples = {
        "file": base,
        "executable": dataclasses.replace(base, executable=True, message="the script itself"),
        "directory": dataclasses.replace(base, kind="directory", files=1234, message="all plates: final # 2"),
        "zarr": dataclasses.replace(base, kind="zarr", files=77),
        "full": dataclasses.replace(
            base,
            kind="anndata",
            message='two\nlines, a tab\t, "quotes" and \\',
            summary=summary,
            inputs=inputs,
            run=run,
        ),
        "unknown-keys": dataclasses.replace(base, extra={"later": {"deep": [1, [2, {"x": "y"}]]}, "also": ["a: b"]}),
    }
    for name, pointer in samples.items():
        (folder / f"{name}.ldv.yaml").write_bytes(encode_pointer(pointer))


def make_small_samples(folder: Path) -> None:
    (folder / "pointers").mkdir()
    make_pointers(folder / "pointers")
    (folder / "listings").mkdir()
    odd = make_listing(
        [
            Entry(SafeRelPath("-rf"), EntryType.FILE, 3, digest_of(b"rf\n")),
            Entry(SafeRelPath("a b/é 細胞 🦞"), EntryType.EXECUTABLE, 1 << 40, digest_of(b"big")),
            Entry(SafeRelPath("a b/link"), EntryType.LINK, target="../c/d\u2028e"),
            Entry(SafeRelPath("c/empty."), EntryType.FOLDER),
            Entry(SafeRelPath("c/x:y%20"), EntryType.FILE, 0, digest_of(b"")),
        ]
    )
    (folder / "listings" / "odd").write_bytes(encode_listing(odd))
    (folder / "listings" / "empty").write_bytes(encode_listing(make_listing([])))
    (folder / "config").mkdir()
    tracked = {"project": PROJECT_ID, "remote": "lab", "describe": False, "remotes": {"lab": {
        "url": "s3://lab-bucket/team", "region": "eu-central-1", "multipart_threshold": 200_000_000}}}  # fmt: skip
    private = {"jobs": 4, "cache": {"dir": "/scratch/cache", "link": ["reflink", "hardlink", "copy"]},
               "trusted": ["lab s3://lab-bucket/team https://s3.example.org"]}  # fmt: skip
    user = {"jobs": 2, "remotes": {"lab": {"profile": "ada", "addressing": "path"}}}
    for name, mapping in (("tracked", tracked), ("private", private), ("user", user)):
        (folder / "config" / f"{name}.yaml").write_bytes(dump_config(mapping))


def make_cache(folder: Path) -> None:
    """One pack of five small files, a plain file, a listing."""
    cache = Cache(folder, ledger=Forgetful(), now=lambda: AT)
    with Intake(cache) as intake:
        for number in range(5):
            data = f"small file {number}\n".encode() * number
            intake.keep_verified([(digest_of(data), data)])
        intake.keep_plain(digest_of(b"plain\n"), b"plain\n")
    entry = Entry(safe_path("plain"), EntryType.FILE, 6, digest_of(b"plain\n"))
    listing = make_listing([entry])
    cache.put_listing(Digest(digest_of_listing(listing)), encode_listing(listing))
    cache.temps.rmdir()


def main(folder: Path) -> None:
    folder.mkdir()
    make_small_samples(folder)
    make_cache(folder / "cache")
    work = folder / "work"
    work.mkdir()
    make_remote(folder, work)
    subprocess.run(["rm", "-rf", str(work)], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
