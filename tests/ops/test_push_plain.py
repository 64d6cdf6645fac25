"""Plain versions: every file an object that any tool can open. If these fail, a URL shows something else."""

from __future__ import annotations

from pathlib import Path

from blake3 import blake3

from lobsterdv.events import silent
from lobsterdv.formats.pointer import parse_pointer
from lobsterdv.ops.url import url
from tests.ops.lab import Lab

TEXT = b"gene,count\n" * 5000


def plain_object(lab: Lab, data: bytes) -> Path:
    name = blake3(data).hexdigest()
    return lab.project.state / "remote" / "objects" / name[:2] / name


def test_push_plain_stores_what_was_packed_once_more(lab: Lab) -> None:
    lab.write("d/a.csv", TEXT)
    lab.write("d/empty", b"")
    lab.add("d")
    lab.push()
    assert not plain_object(lab, TEXT).exists(), "small and compressible: in a pack, by zstd"
    (row,) = lab.push(plain=True).versions
    assert (row.outcome, row.new_bytes, row.reused_bytes) == ("pushed", len(TEXT), 0)
    assert plain_object(lab, TEXT).read_bytes() == TEXT
    for again in (lab.push(plain=True), lab.push()):
        assert [row.outcome for row in again.versions] == ["up to date"]
    assert url(lab.project, "d/a.csv", observer=silent).url.endswith(blake3(TEXT).hexdigest())


def test_a_pointer_that_asks_for_it_is_stored_plain_with_every_version(lab: Lab) -> None:
    lab.write("t.csv", TEXT)
    lab.add("t.csv")
    pointer = lab.path("t.csv.ldv.yaml")
    pointer.write_text(pointer.read_text() + "storage: plain\n")
    lab.push()
    assert plain_object(lab, TEXT).read_bytes() == TEXT
    changed = TEXT + b"one more\n"
    lab.write("t.csv", changed)
    lab.add("t.csv")
    assert parse_pointer(pointer.read_bytes(), what="p").storage == "plain"
    lab.push()
    assert plain_object(lab, changed).read_bytes() == changed


def test_old_versions_stay_as_they_are(lab: Lab) -> None:
    lab.write("t.csv", TEXT)
    lab.add("t.csv")
    lab.commit()
    lab.push()
    lab.write("t.csv", TEXT * 2)
    lab.add("t.csv")
    lab.commit()
    rows = lab.push(plain=True).versions
    assert [(row.current, row.outcome) for row in rows] == [(True, "pushed")]
    assert plain_object(lab, TEXT * 2).exists() and not plain_object(lab, TEXT).exists()


def test_add_writes_and_removes_the_request(lab: Lab) -> None:
    lab.write("t.csv", TEXT)

    def asked(**options: str) -> tuple[str, str | None]:
        report = lab.add("t.csv", **options)
        return report.added[0].outcome, parse_pointer(lab.path("t.csv.ldv.yaml").read_bytes(), what="p").storage

    assert asked(message="first") == ("added", None)
    assert asked(storage="plain")[1] == "plain"
    assert asked() == ("unchanged", "plain")
    lab.push()
    assert plain_object(lab, TEXT).read_bytes() == TEXT
    assert asked(storage="auto")[1] is None
    pointer = parse_pointer(lab.path("t.csv.ldv.yaml").read_bytes(), what="p")
    assert pointer.message == "first", "the rest of the pointer stays"
