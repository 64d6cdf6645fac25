"""stats for people: columns that subtract, and what to type where there is nothing to count."""

from __future__ import annotations

from tests.cli.conftest import Desk


def test_a_line_a_version_and_what_it_comes_to(lab: Desk) -> None:
    for number in range(2):
        lab.write("data/x.bin", bytes(range(256)) * 40 + bytes([number]))
        lab.write("data/y.bin", b"y" * 2000)
        lab.ldv("add", "data/x.bin", "data/y.bin")
        lab.commit()
        lab.ldv("push")
    printed = lab.ldv("stats")
    head, *rows, summary = printed.lines
    assert head.split() == ["logical", "identical", "dedupe", "zstd", "stored"]
    assert [row.split()[0] for row in rows if not row.startswith("  ")] == ["data/x.bin", "data/y.bin", "total"]
    assert len([row for row in rows if row.startswith("  ")]) == 2, "x has two versions"
    assert summary.startswith("3 versions of 22.5 kB take ") and summary.endswith("%.")
    report = lab.json("stats")["report"]
    sizes = report["sizes"]
    assert sizes["logical"] == 2 * 10_241 + 2000
    assert sizes["logical"] - sizes["identical"] - sizes["dedupe"] - sizes["zstd"] == sizes["stored"]
    assert [len(d["versions"]) for d in report["datasets"]] == [2, 1]


def test_nothing_pushed_is_no_error(lab: Desk) -> None:
    printed = lab.ldv("stats")
    assert printed.lines[0].startswith("Nothing was pushed to embedded (")
    assert printed.lines[1:] == ["Next: lobsterdv remote add lab s3://BUCKET/PREFIX", "      lobsterdv push"]
    assert lab.json("stats")["report"]["datasets"] == []


def test_a_dataset_that_waits(shared: Desk) -> None:
    shared.ldv("push")
    shared.write("new file.bin", "n")
    shared.ldv("add", "new file.bin")
    printed = shared.ldv("stats", "new file.bin")
    assert printed.lines[-1] == "Next: lobsterdv push 'new file.bin'"
    assert "is not a tracked dataset" in shared.ldv("stats", "typo", code=1).err
