"""What storage costs, what is moved to an archive, and how it comes back: on moto, in this process. If these fail, a
lab pays for what it does not know of, or an archive swallows data that somebody needs."""

from __future__ import annotations

import json
import random
import re
import shlex
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

from lobsterdv.chunker import cut_lengths
from lobsterdv.ops.cost import put_requests
from lobsterdv.stores.base import Stat
from tests.cli.conftest import Desk, desk
from tests.server import Server

__all__ = ["desk"]
DOCUMENT = (Path(__file__).parents[2] / "docs/s3.md").read_text()


def noise(size: int, seed: str) -> bytes:
    """Bytes that nothing compresses: the same in every run, for where they are cut decides what is stored and paid."""
    return random.Random(seed).randbytes(size)


class Bucket:
    """A bucket of moto's, and what its owner, time and AWS do to it."""

    def __init__(self, server: Server, name: str) -> None:
        from moto.core import DEFAULT_ACCOUNT_ID
        from moto.s3.models import s3_backends

        self.server = server
        self.client = server.client
        self.name = name
        self._buckets = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets

    @property
    def _keys(self) -> Any:
        return self._buckets[self.name].keys

    def values(self) -> dict[str, bytes]:
        return {key: value.value for key, value in self._keys.items()}

    def begin_again(self, values: dict[str, bytes]) -> None:
        """Nothing but these, no rules, no versions."""
        self._keys.clear()
        self.client.delete_bucket_lifecycle(Bucket=self.name)
        self._buckets[self.name].versioning_status = None
        for key, value in values.items():
            self.client.put_object(Bucket=self.name, Key=key, Body=value)

    def objects(self) -> dict[str, Any]:
        listed = self.client.list_objects_v2(Bucket=self.name, Prefix="lab/objects/")
        return {row["Key"]: row for row in listed.get("Contents", [])}

    def classes(self, prefix: str = "lab/") -> dict[str, str]:
        listed = self.client.list_objects_v2(Bucket=self.name, Prefix=prefix)
        return {row["Key"]: row["StorageClass"] for row in listed["Contents"]}

    def pass_days(self, days: float) -> None:
        """Everything there becomes older."""
        for key in self._keys.values():
            key.last_modified -= timedelta(days=days)

    def tagged(self) -> dict[str, str]:
        found = {}
        for key, row in self.objects().items():
            if row["StorageClass"] == "GLACIER":
                continue  # moto tells no tags of these
            for tag in self.client.get_object_tagging(Bucket=self.name, Key=key)["TagSet"]:
                found[key] = tag["Value"]
        return found

    def follow_rules(self) -> int:
        """What AWS does once a day: move what is tagged for it to the class of the rule."""
        rules = self.client.get_bucket_lifecycle_configuration(Bucket=self.name)["Rules"]
        moved = 0
        for rule in rules:
            both = rule.get("Filter", {}).get("And", {})
            for key, value in self.tagged().items():
                if key.startswith(both.get("Prefix", "-")) and both["Tags"][0]["Value"] == value:
                    self._keys[key]._storage_class = rule["Transitions"][0]["StorageClass"]
                    moved += 1
        return moved

    def archive(self, key: str) -> None:
        self._keys[key]._storage_class = "GLACIER"


@dataclass
class Template:
    """A project and its bucket, made once, copied for each test."""

    folder: Path
    bucket: str
    values: dict[str, bytes]


@pytest.fixture(scope="module")
def templates() -> list[Template]:
    return []


@pytest.fixture
def lab(desk: Desk) -> Desk:
    return desk


@pytest.fixture
def bucket(
    moto: Server, lab: Desk, templates: list[Template], tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Bucket:  # fmt: skip
    """A remote ``lab`` in a fresh bucket, with two versions of a file of a megabyte, which have nothing in common."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", moto.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", moto.secret_key)
    if not templates:
        made = Bucket(moto, moto.new_bucket())
        lab.ldv("init", "--yes")
        place = ["--endpoint-url", moto.endpoint_url, "--region", "us-east-1", "--default"]
        lab.ldv("remote", "add", "lab", f"s3://{made.name}/lab", *place)
        for message in ("first", "second"):
            lab.write("counts.bin", noise(1_000_000, message))
            lab.ldv("add", "counts.bin", "-m", message)
            lab.commit(message)
            lab.ldv("push")
            time.sleep(1)  # servers tell whole seconds: a push of the current one seems to come from the future
        folder = tmp_path_factory.mktemp("template") / "lab"
        shutil.copytree(lab.here, folder, symlinks=True)
        templates.append(Template(folder, made.name, made.values()))
        return made
    (template,) = templates
    shutil.copytree(template.folder, lab.here, symlinks=True, dirs_exist_ok=True)
    made = Bucket(moto, template.bucket)
    made.begin_again(template.values)
    return made


def report(desk: Desk, *args: str, code: int = 0) -> Any:
    return desk.json(*args, code=code)["report"]


def forget_locally(desk: Desk) -> None:
    """What a fresh machine has."""
    shutil.rmtree(desk.here / ".git/lobsterdv/cache")
    for path in (desk.here / ".git/lobsterdv").glob("index.db*"):
        path.unlink()
    (desk.here / "counts.bin").unlink(missing_ok=True)


def first(desk: Desk) -> str:
    """The commit of the older version."""
    return desk.git("rev-parse", "HEAD~1")


def test_the_life_of_an_old_version(lab: Desk, bucket: Bucket) -> None:
    """Planned, tagged, archived, missed, restored, pulled."""
    young = report(lab, "remote", "tier", "plan", "--keep-days", "0")
    assert (young["objects"], young["young"]) == (0, 1), "a push on its way may rely on what is young"
    bucket.pass_days(12)
    assert report(lab, "remote", "tier", "plan")["objects"] == 0, "pushed within the last 90 days"

    options = ["--keep-days", "0", "--class", "GLACIER"]
    plan = report(lab, "remote", "tier", "plan", *options)
    assert [(row["path"], row["objects"]) for row in plan["versions"]] == [("counts.bin", 1)]
    assert 0 < plan["month"] < 0.01 and plan["prices"]["region"] == "us-east-1"
    assert bucket.tagged() == {}, "a plan changes nothing"
    shown = lab.ldv("remote", "tier", "apply", *options)
    assert "Would go to GLACIER" in shown.out and "list prices of us-east-1 on 2025-01-01, built in" in shown.out
    assert "lobsterdv remote cost --show-prices > prices.json" in shown.out
    assert bucket.tagged() == {}

    bucket.client.put_bucket_lifecycle_configuration(
        Bucket=bucket.name,
        LifecycleConfiguration={"Rules": [{"ID": "theirs", "Status": "Enabled", "Filter": {"Prefix": "tmp/"},
                                           "Expiration": {"Days": 3}}]},
    )  # fmt: skip
    done = report(lab, "remote", "tier", "apply", *options, "--yes")
    assert (done["objects"], done["rule_installed"]) == (1, True)
    rules = bucket.client.get_bucket_lifecycle_configuration(Bucket=bucket.name)["Rules"]
    assert rules[0]["ID"] == "theirs" and rules[0]["Expiration"]["Days"] == 3 and len(rules) == 3
    again = report(lab, "remote", "tier", "apply", *options, "--yes")
    assert (again["objects"], again["waiting"], again["rule_installed"]) == (0, 1, False)

    assert bucket.follow_rules() == 1
    assert report(lab, "remote", "tier", "plan", *options)["moved"] == 1
    lab.ldv("push")
    lab.ldv("verify", "--remote", "--all")
    assert report(lab, "verify", "--remote", "--all", "--read-data")["archived"] == 1
    assert (
        "(1 object archived: there, and not to be read before a restore)" in lab.ldv("verify", "--remote", "--all").out
    )
    lab.ldv("push", "--check")  # what is current can be read

    forget_locally(lab)
    lab.ldv("pull")
    old = first(lab)
    missed = lab.ldv("pull", f"counts.bin@{old}", code=6)
    assert "counts.bin is archived at" in missed.err
    command = re.search(r"fix: (lobsterdv restore .*?)   \(", missed.err)
    assert command is not None
    asked = lab.ldv(*shlex.split(command[1])[1:])
    assert "1 object asked for (Standard, 7 days): about $" in asked.out and "list prices" in asked.out
    before = bucket.classes()
    lab.ldv("pull", f"counts.bin@{old}")
    assert len((lab.here / "counts.bin").read_bytes()) == 1_000_000
    assert bucket.classes() == before, "a restore makes a copy; the class stays"


def test_a_restore_takes_its_time(lab: Desk, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    from moto.s3.models import FakeKey

    for key in bucket.objects():
        bucket.archive(key)
    forget_locally(lab)
    progress = ["IN_PROGRESS"]
    monkeypatch.setattr(FakeKey, "status", property(lambda key: progress[0]))
    assert lab.json("pull", code=6)["errors"][0]["type"] == "Archived"
    status = lab.ldv("status")
    assert "Archived at lab" in status.out and "lobsterdv restore PATH" in status.out
    asked = report(lab, "restore", "counts.bin", "--tier", "Bulk", "--days", "3")
    assert [(row["asked"], row["waiting"]) for row in asked["versions"]] == [(1, 1)]
    assert asked["time"] == "5 to 12 hours"
    twice = report(lab, "restore", "counts.bin")
    assert twice["versions"][0]["asked"] == 0, "what is on its way is not asked for again"
    (row,) = report(lab, "status")["datasets"]
    assert row["storage"] == "being restored"
    waiting = lab.ldv("pull", code=6)
    assert "it is being restored" in waiting.err and "fix: lobsterdv pull" in waiting.err
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        progress[0] = "RESTORED"

    monkeypatch.setattr("time.sleep", nap)
    ready = report(lab, "restore", "counts.bin", "--wait")
    assert naps and ready["versions"][0]["ready"] == 1
    assert report(lab, "list")["datasets"][0]["storage"].startswith("restored until 2")
    (there,) = report(lab, "list", "--remote", "lab")["catalog"]
    assert (there["classes"], there["storage"][:14]) == (["GLACIER"], "restored until")
    lab.ldv("pull")
    assert len((lab.here / "counts.bin").read_bytes()) == 1_000_000


def test_what_is_not_archived_comes_and_the_rest_later(lab: Desk, bucket: Bucket) -> None:
    for name in ("a.bin", "b.bin", "folder/c.bin", "folder/d.bin"):
        lab.write(name, noise(9_000_000 if name.startswith("folder") else 200_000, name))
    lab.ldv("add", "a.bin", "b.bin", "folder")
    known = set(bucket.objects())
    lab.ldv("push", "a.bin")
    a = set(bucket.objects()) - known
    lab.ldv("push", "folder")
    folder = sorted(set(bucket.objects()) - known - a)
    lab.ldv("push")
    for key in [*a, folder[0]]:
        bucket.archive(key)
    forget_locally(lab)
    for name in ("a.bin", "b.bin", "folder/c.bin", "folder/d.bin"):
        (lab.here / name).unlink()
    got = lab.json("pull", code=6)
    assert {error["path"] for error in got["errors"]} == {"a.bin", "folder"}
    assert (lab.here / "b.bin").exists() and not (lab.here / "folder/c.bin").exists()
    fetched = sum(path.stat().st_size for path in (lab.here / ".git/lobsterdv/cache").rglob("*") if path.is_file())
    assert fetched > 9_000_000, "one of the folder's two files is here already, or most of it"
    asked = report(lab, "restore", "a.bin", "folder")
    assert [row["asked"] for row in asked["versions"]] == [1, 1]
    after = report(lab, "pull")
    assert sum(row["new_bytes"] for row in after["fetch"]["fetched"] if row["path"] == "folder") < 18_000_000
    assert (lab.here / "folder/d.bin").stat().st_size == 9_000_000


def test_push_takes_what_is_archived_for_absent(lab: Desk, bucket: Bucket) -> None:
    for key in bucket.objects():
        bucket.archive(key)
    assert lab.json("push", "--check", code=3)["report"]["lacking"]
    pushed = report(lab, "push")["versions"]
    assert {row["outcome"] for row in pushed} == {"repaired"}
    assert "STANDARD" in bucket.classes("lab/objects/").values()
    lab.ldv("push", "--check")


def test_a_version_that_is_in_use_again_is_untagged(lab: Desk, bucket: Bucket) -> None:
    bucket.pass_days(12)
    options = ["--keep-days", "0", "--class", "GLACIER"]
    report(lab, "remote", "tier", "apply", *options, "--yes")
    assert len(bucket.tagged()) == 1
    lab.git("branch", "again", first(lab))
    plan = report(lab, "remote", "tier", "plan", *options)
    assert (plan["untagged"], plan["versions"]) == (1, [])
    assert len(bucket.tagged()) == 1
    report(lab, "remote", "tier", "apply", *options, "--yes")
    assert bucket.tagged() == {}


def test_a_push_that_needs_a_tagged_object_takes_the_tag_off(lab: Desk, bucket: Bucket) -> None:
    bucket.pass_days(12)
    report(lab, "remote", "tier", "apply", "--keep-days", "0", "--class", "GLACIER", "--yes")
    (key,) = bucket.tagged()
    data = lab.json("path", f"counts.bin@{first(lab)}")["report"]["path"]
    lab.write("copy.bin", Path(data).read_bytes())
    lab.ldv("add", "copy.bin")
    lab.ldv("push", "copy.bin")
    assert bucket.tagged() == {} and key in bucket.objects()


def object_key(stored: bytes) -> str:
    name = blake3(stored).hexdigest()
    return f"lab/objects/{name[:2]}/{name}"


def dollars(size: int, *, gigabyte: float) -> float:
    return size / (1024 * 1024 * 1024) * gigabyte


def test_what_it_costs(lab: Desk, bucket: Bucket) -> None:
    """Three versions; the newest is half of the second's bytes and half new ones. What each use takes is known from the
    content's own name and cut points, and its price from the table."""
    before, second = noise(1_000_000, "first"), noise(1_000_000, "second")
    newest = second[:500_000] + noise(500_000, "newest")
    lab.write("counts.bin", newest)
    lab.ldv("add", "counts.bin")
    lab.ldv("push")
    known = set(chunks(second))
    new = b"".join(chunk for chunk in chunks(newest) if chunk not in known)
    assert 500_000 < len(new) < 564 << 10
    stored = {key: row["Size"] for key, row in bucket.objects().items()}
    assert stored == {object_key(data): len(data) for data in (before, second, new)}
    documents = [len(value) for key, value in bucket.values().items() if not key.startswith("lab/objects/")]

    found = report(lab, "remote", "cost", "--what-if", "DEEP_ARCHIVE", "--what-if", "STANDARD_IA")
    current, history = 1_000_000 + len(new), 1_000_000
    expected = {"current": (2, current), "history": (1, history), "documents": (len(documents), sum(documents))}
    assert {share["use"]: (share["items"], share["bytes"]) for share in found["shares"]} == expected
    table = json.loads(lab.ldv("remote", "cost", "--show-prices").out)
    standard = table["classes"]["STANDARD"]["storage"]
    assert standard == 0.023, "AWS's list price in us-east-1"
    for share in found["shares"]:
        assert share["month"] == pytest.approx(dollars(share["bytes"], gigabyte=standard))
    assert found["bytes"] == current + history + sum(documents)
    assert found["month"] == pytest.approx(dollars(found["bytes"], gigabyte=standard))
    assert found["saved"]["dedupe"] == 1_000_000 - len(new)
    assert found["pulling"]["bytes"] == current
    assert found["pulling"]["egress"] == pytest.approx(dollars(current, gigabyte=table["egress"]))
    deep = found["what_if"][0]
    assert (deep["storage_class"], deep["what"], deep["minimum_days"]) == ("DEEP_ARCHIVE", "all objects", 180)
    assert deep["padded_bytes"] == 3 * 40 * 1024 and deep["time"] == "up to 12 hours"
    price = table["classes"]["DEEP_ARCHIVE"]["storage"]
    month = dollars(current + history + 3 * 32 * 1024, gigabyte=price) + dollars(3 * 8 * 1024, gigabyte=standard)
    assert deep["month"] == pytest.approx(month)
    assert deep["change"] == pytest.approx(month - dollars(current + history, gigabyte=standard))

    bucket.client.put_object(Bucket=bucket.name, Key=f"lab/objects/ab/ab{'0' * 62}", Body=b"x" * 1000)
    table["date"], table["region"], table["classes"]["STANDARD"]["storage"] = "2030-02-03", "our-cellar", 1024.0
    ours = lab.write("prices.json", json.dumps(table))
    dear = report(lab, "remote", "cost", "lab", "--prices", str(ours))
    expected["waste"] = (1, 1000)
    assert {share["use"]: (share["items"], share["bytes"]) for share in dear["shares"]} == expected
    assert dear["month"] == pytest.approx(sum(dollars(size, gigabyte=1024) for _, size in expected.values()))
    shown = lab.ldv("remote", "cost", "lab", "--prices", str(ours)).out
    assert f"list prices of our-cellar on 2030-02-03, from {ours}." in shown
    rows = dict(re.findall(r"^  (.+?)  .* [MkB]+ +\$([\d.]+) a month$", shown, re.MULTILINE))
    assert rows == {
        "current versions": f"{dollars(current, gigabyte=1024):.2f}",
        "older versions": f"{dollars(history, gigabyte=1024):.2f}",
        "named by nothing": f"{dollars(1000, gigabyte=1024):.1g}",
        "manifests, records": f"{dollars(sum(documents), gigabyte=1024):.1g}",
        "total": f"{dollars(dear['bytes'], gigabyte=1024):.2f}",
    }
    ours.write_text("{}")
    assert lab.json("remote", "cost", "--prices", str(ours), code=1)["errors"][0]["type"] == "FormatError"
    assert "no class COLD" in lab.ldv("remote", "cost", "--what-if", "COLD", code=2).err


def chunks(data: bytes) -> list[bytes]:
    """As files of up to 64 MiB are cut."""
    ends = [*accumulate(cut_lengths(data, average_bits=14))]
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def test_parts_of_an_upload_are_counted(moto: Server) -> None:
    store = moto.store(moto.new_bucket(), part_size=5 << 20)
    upload = store.upload("objects/ab/x", 11 << 20)
    for number in range(3):
        upload.send(number, bytes(5 << 20 if number < 2 else 1 << 20))
    upload.complete()
    store.put("objects/ab/y", b"y")
    assert [put_requests(stat) for stat in store.list("")] == [3 + 2, 1]
    assert put_requests(Stat("k", 200 * 1000**2, 0.0, "9b2cf5-20")) == 22, "the guide's example, at 10 MB a part"


def test_old_copies_of_a_bucket_that_keeps_versions(lab: Desk, bucket: Bucket) -> None:
    bucket.client.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration={"Status": "Enabled"})
    (key, *_) = bucket.objects()
    bucket.client.put_object(Bucket=bucket.name, Key=key, Body=b"x" * 5000)
    bucket.client.put_object(Bucket=bucket.name, Key=key, Body=b"x" * 500)
    found = report(lab, "remote", "cost")
    copies = [share for share in found["shares"] if share["use"] == "old copies"]
    assert found["old_copies_listed"] and sum(share["bytes"] for share in copies) >= 5000


def test_a_class_is_of_objects_alone(lab: Desk, bucket: Bucket) -> None:
    before = set(bucket.objects())
    lab.write("cold.bin", noise(100_000, "cold"))
    lab.ldv("add", "cold.bin")
    lab.ldv("push", "--storage-class", "STANDARD_IA", "cold.bin")
    kept = bucket.classes()
    (new,) = set(bucket.objects()) - before
    assert {key: kept[key] for key in kept if kept[key] != "STANDARD"} == {new: "STANDARD_IA"}
    rows = {row["path"]: row["classes"] for row in report(lab, "list", "--remote", "lab")["catalog"]}
    assert rows == {"cold.bin": ["STANDARD_IA"], "counts.bin": ["STANDARD"]}
    refused = lab.ldv("push", "--storage-class", "GLACIER", code=1)
    assert "would make every reader wait" in refused.err
    lab.ldv("remote", "add", "deep", "s3://b/c", "--storage-class", "DEEP_ARCHIVE", code=1)
    lab.ldv("remote", "add", "cool", f"s3://{bucket.name}/cool", "--endpoint-url", bucket.server.endpoint_url,
            "--region", "us-east-1", "--storage-class", "GLACIER_IR")  # fmt: skip
    lab.ldv("push", "--remote", "cool")
    classes = bucket.classes("cool/")
    assert {v for k, v in classes.items() if "/objects/" in k} == {"GLACIER_IR"}
    assert {v for k, v in classes.items() if "/objects/" not in k} == {"STANDARD"}


def test_a_folder_has_bytes_and_no_classes(lab: Desk, bucket: Bucket, tmp_path: Path) -> None:
    lab.ldv("remote", "add", "disk", str(tmp_path / "store"))
    lab.ldv("push", "--remote", "disk")
    found = report(lab, "remote", "cost", "disk")
    assert found["month"] is None and found["prices"] is None and found["bytes"] > 1_400_000
    assert "$" not in lab.ldv("remote", "cost", "disk").out
    for command in (["remote", "tier", "plan", "disk"], ["restore", "counts.bin", "--remote", "disk"],
                    ["push", "--remote", "disk", "--storage-class", "STANDARD_IA"]):  # fmt: skip
        assert "no storage classes" in lab.ldv(*command, code=2).err


TITLES = ("Cost", "Storage classes and tiers", "Archived data")


def commands() -> Iterator[str]:
    """Every command in the sections of docs/s3.md that are about this."""
    for title in TITLES:
        section = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", DOCUMENT, re.MULTILINE | re.DOTALL)
        assert section is not None, title
        for block in re.findall(r"^```sh\n(.*?)^```", section[1], re.MULTILINE | re.DOTALL):
            yield from (re.split(r" +# ", line)[0] for line in block.splitlines() if line.startswith("lobsterdv "))


def test_every_command_of_the_document_works(lab: Desk, bucket: Bucket) -> None:
    bucket.pass_days(12)
    done = list(commands())
    place = ["--endpoint-url", bucket.server.endpoint_url, "--region", "us-east-1"]
    for line in done:
        command, _, target = line.partition(" > ")
        words = [word.replace("s3://kessler-lab-data", f"s3://{bucket.name}") for word in shlex.split(command)[1:]]
        printed = lab.ldv(*words, *(place if words[:2] == ["remote", "add"] else []))
        if target:
            lab.write(target, printed.out)
    assert len(done) == 16
