"""What storage costs, what is moved to an archive, and how it comes back: on moto, in this process. If these fail, a
lab pays for what it does not know of, or an archive swallows data that somebody needs."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lobsterdv.ops.cost import put_requests
from lobsterdv.stores.base import Stat
from tests.cli.conftest import Desk, desk
from tests.server import Server

__all__ = ["desk"]
DOCUMENT = (Path(__file__).parents[2] / "docs/s3.md").read_text()


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
            lab.write("counts.bin", os.urandom(1_000_000))
            lab.ldv("add", "counts.bin", "-m", message)
            lab.commit(message)
            lab.ldv("push")
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
    assert "Would go to GLACIER" in shown.out and "list prices of us-east-1 on 2025-01-01" in shown.out
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
        lab.write(name, os.urandom(9_000_000 if name.startswith("folder") else 200_000))
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


def test_what_it_costs(lab: Desk, bucket: Bucket, tmp_path: Path) -> None:
    old = (lab.here / "counts.bin").read_bytes()
    lab.write("counts.bin", old[:500_000] + os.urandom(500_000))
    lab.ldv("add", "counts.bin")
    lab.ldv("push")
    found = report(lab, "remote", "cost", "--what-if", "DEEP_ARCHIVE", "--what-if", "STANDARD_IA")
    sizes = {share["use"]: share["bytes"] for share in found["shares"]}
    stored = sum(row["Size"] for row in bucket.objects().values())
    assert sizes["current"] + sizes["history"] == stored and "waste" not in sizes
    assert found["month"] == pytest.approx(found["bytes"] / 2**30 * 0.023)
    assert found["saved"]["dedupe"] > 400_000
    assert found["pulling"]["bytes"] == sizes["current"] and found["pulling"]["egress"] > 0
    deep = found["what_if"][0]
    assert (deep["storage_class"], deep["what"], deep["minimum_days"]) == ("DEEP_ARCHIVE", "all objects", 180)
    assert deep["padded_bytes"] == 3 * 40 * 1024 and deep["time"] == "up to 12 hours"
    assert deep["month"] < found["month"] and deep["change"] < 0

    bucket.client.put_object(Bucket=bucket.name, Key=f"lab/objects/ab/ab{'0' * 62}", Body=b"x" * 1000)
    mine = json.loads(lab.ldv("remote", "cost", "--show-prices").out)
    mine["date"], mine["region"], mine["classes"]["STANDARD"]["storage"] = "2030-02-03", "our-cellar", 1024.0
    table = lab.write("prices.json", json.dumps(mine))
    shown = lab.ldv("remote", "cost", "lab", "--prices", str(table))
    assert "list prices of our-cellar on 2030-02-03" in shown.out and "named by nothing" in shown.out
    rows = re.findall(r"([\d.]+) MB +\$([\d.]+) a month", shown.out)
    assert rows and all(abs(float(mb) * 1e6 / 2**20 - float(cost)) < 0.06 for mb, cost in rows), "1,024 a GB"
    table.write_text("{}")
    assert lab.json("remote", "cost", "--prices", str(table), code=1)["errors"][0]["type"] == "FormatError"
    assert "no class COLD" in lab.ldv("remote", "cost", "--what-if", "COLD", code=2).err


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
    lab.write("cold.bin", os.urandom(100_000))
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
    lab.write("prices.json", lab.ldv("remote", "cost", "--show-prices").out)
    place = ["--endpoint-url", bucket.server.endpoint_url, "--region", "us-east-1"]
    for command in done:
        words = [word.replace("s3://kessler-lab-data", f"s3://{bucket.name}") for word in shlex.split(command)[1:]]
        lab.ldv(*words, *(place if words[:2] == ["remote", "add"] else []))
    assert len(done) >= 10
