"""If these fail, data that labs pushed with the first release cannot be read any more, or two people who record
the same version get different bytes. The samples are never regenerated: fix the code."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lobsterdv.blobs.cache import Cache
from lobsterdv.blobs.intake import Intake
from lobsterdv.digest import Digest, digest_of, listing_digest
from lobsterdv.errors import CorruptContent
from lobsterdv.events import silent
from lobsterdv.formats.columns import decompress
from lobsterdv.formats.config import dump_config, merge, parse_config
from lobsterdv.formats.layout import encode_marker, name_in_key, parse_marker
from lobsterdv.formats.listing import encode_listing, parse_listing
from lobsterdv.formats.manifest import encode_manifest, encode_segment, parse_manifest, parse_segment
from lobsterdv.formats.pack import encode_pack_index, parse_pack_index
from lobsterdv.formats.pointer import encode_pointer, parse_pointer
from lobsterdv.formats.record import encode_record, parse_record
from lobsterdv.formats.table import ZSTD
from lobsterdv.formats.yamlio import load_mapping
from lobsterdv.ops.checkout import checkout
from lobsterdv.ops.fetch import fetch
from lobsterdv.ops.push import push
from tests.blobs.places import Notebook
from tests.data.make_format_1 import describe_tree
from tests.data.samples import FORMAT_1, PROJECT_ID, STORE_ID, expected, frozen, open_frozen

POINTERS = frozen("pointers")
LISTINGS = [*frozen("listings"), *frozen("cache/listings")]
RECORDS = frozen("remote/catalog")
MANIFESTS = frozen("remote/manifests")


@pytest.mark.parametrize("path", POINTERS, ids=lambda p: p.name)
def test_pointers_are_read_and_written_alike(path: Path) -> None:
    data = path.read_bytes()
    assert encode_pointer(parse_pointer(data, what=path.name)) == data


@pytest.mark.parametrize("path", LISTINGS, ids=lambda p: p.name[:12])
def test_listings_are_read_and_written_alike(path: Path) -> None:
    data = path.read_bytes()
    assert encode_listing(parse_listing(data, what=path.name)) == data
    assert len(path.name) < 64 or listing_digest(data).hex() == path.name


@pytest.mark.parametrize("path", RECORDS, ids=lambda p: p.name[:12])
def test_records_are_read_and_written_alike_and_named_by_their_bytes(path: Path) -> None:
    data = path.read_bytes()
    record = parse_record(data, what=path.name)
    assert record is not None and record.host == "lab-1"
    assert encode_record(record) == data
    assert digest_of(data) == name_in_key(path.name, what=path.name)


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda p: p.name[:12])
def test_manifests_are_read_and_written_alike(path: Path) -> None:
    stored = path.read_bytes()
    manifest = parse_manifest(stored, what=path.name)
    assert manifest.version.hex() == path.parent.name
    assert decompress(encode_manifest(manifest), what="") == decompress(stored, what="")
    assert digest_of(stored).hex() == path.name


def test_segments_are_read_and_written_alike() -> None:
    manifest = parse_manifest((FORMAT_1 / "manifests/segmented").read_bytes(), what="segmented")
    assert manifest.table is None
    for number, ref in enumerate(manifest.segments, 1):
        stored = (FORMAT_1 / f"manifests/segment-{number}").read_bytes()
        table = parse_segment(stored, ref, what="segment")
        assert digest_of(stored) == ref.digest
        assert decompress(encode_segment(table), what="") == decompress(stored, what="")


def test_there_are_samples_of_every_shape() -> None:
    """So that the tests above cannot pass by having nothing to read."""
    manifests = [parse_manifest(path.read_bytes(), what="") for path in MANIFESTS]
    tables = [m.table for m in manifests if m.table is not None]
    assert any(m.segments for m in manifests) and any(m.is_directory for m in manifests)
    assert any(o.codec == ZSTD for t in tables for o in t.objects())
    assert any(len(c.lengths) > 1 for t in tables for c in t.contents)
    assert any(len(c.extents) > 1 for t in tables for c in t.contents)
    assert len(POINTERS) == 6 and len(LISTINGS) == 3 and len(RECORDS) == 8


def test_the_marker_is_read_and_written_alike() -> None:
    data = (FORMAT_1 / "remote/lobsterdv.json").read_bytes()
    marker = parse_marker(data, url="frozen")
    assert marker.store_id == STORE_ID and encode_marker(marker) == data


def test_configuration_is_read_and_written_alike() -> None:
    layers = []
    for scope in ("user", "tracked", "private"):
        data = (FORMAT_1 / f"config/{scope}.yaml").read_bytes()
        assert dump_config(load_mapping(data, what=scope)) == data
        layers.append(parse_config(data, scope, source=scope))  # type: ignore[arg-type]
    config = merge(layers)
    assert (config.text("project"), config.number("jobs")) == (PROJECT_ID, 4)
    assert config.remotes["lab"].text("profile") == "ada"
    assert config.links == ("reflink", "hardlink", "copy")


def test_a_cache_of_the_first_release_still_gives_its_files(tmp_path: Path) -> None:
    (index_path,) = FORMAT_1.glob("cache/packs/*.idx")
    data = index_path.read_bytes()
    index = parse_pack_index(data, what="index")
    assert encode_pack_index(index.pack, index.pack_size, index) == data
    shutil.copytree(FORMAT_1 / "cache", tmp_path / "cache")
    cache = Cache(tmp_path / "cache", ledger=Notebook(), now=lambda: 0.0)
    for number in range(5):
        wanted = f"small file {number}\n".encode() * number
        assert cache.read_small(digest_of(wanted), name="small") == wanted
    (listing_path,) = frozen("cache/listings")
    listing = cache.listing(parse_digest_name(listing_path), name="listing")
    (entry,) = listing.entries
    assert entry.digest is not None
    assert cache.verified_path(entry.digest, name="plain").read_bytes() == b"plain\n"
    with Intake(cache) as intake:
        intake.keep_verified([(digest_of(b"small file 1\n"), b"small file 1\n")])
    assert len(list((tmp_path / "cache/packs").iterdir())) == 2, "what an old pack holds is not kept again"


def parse_digest_name(path: Path) -> Digest:
    return name_in_key(path.name, what=path.name)


@pytest.mark.parametrize("tag", ["v1", "v2"])
def test_a_project_of_the_first_release_is_cloned_fetched_and_checked_out(tmp_path: Path, tag: str) -> None:
    project = open_frozen(tmp_path, tag)
    fetched = fetch(project, observer=silent)
    assert fetched.failures == []
    done = checkout(project, observer=silent)
    assert done.failures == []
    for dataset, facts in expected()[tag].items():
        assert describe_tree(project.root / dataset) == facts, dataset
    project.close()


def test_an_old_version_is_fetched_by_its_tag_and_part_of_a_directory_alone(tmp_path: Path) -> None:
    project = open_frozen(tmp_path, "v2")
    assert fetch(project, ["counts.csv"], rev="v1", observer=silent).failures == []
    assert checkout(project, ["counts.csv"], rev="v1", observer=silent).failures == []
    assert describe_tree(project.root / "counts.csv") == expected()["v1"]["counts.csv"]
    report = fetch(project, ["images/t1"], observer=silent)
    assert report.failures == [] and report.fetched[0].new_files == 4
    project.close()


def test_pushing_to_an_old_remote_sends_nothing_again(tmp_path: Path) -> None:
    project = open_frozen(tmp_path, "v2")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "remote").rglob("*")}
    report = push(project, observer=silent)
    assert report.failures == [] and {v.outcome for v in report.versions} == {"up to date"}
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "remote").rglob("*")} == before
    project.close()


@pytest.mark.parametrize("damage", ["flip", "cut", "extend"])
def test_a_damaged_object_of_an_old_remote_is_noticed(tmp_path: Path, damage: str) -> None:
    project = open_frozen(tmp_path, "v1")
    for path in (tmp_path / "remote/objects").rglob("*"):
        if path.is_file():
            data = bytearray(path.read_bytes())
            data[len(data) // 2] ^= 1
            path.chmod(0o644)
            path.write_bytes({"flip": data, "cut": data[:-1], "extend": b"x" + data}[damage])
    report = fetch(project, observer=silent)
    kinds = {type(f.error) for f in report.failures}
    assert kinds == {CorruptContent} and len(report.failures) == 5, "all but the empty file"
    project.close()
