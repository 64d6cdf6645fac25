"""remote replicate, on moto: which keeps the configuration, and copies nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lobsterdv.errors import Refused
from lobsterdv.events import silent
from lobsterdv.ops.replicate import replicate, verify_replica
from lobsterdv.ops.sync import sync
from lobsterdv.stores.bucket import replication
from lobsterdv.stores.s3 import S3Store
from tests.ops.lab import Lab
from tests.server import Server

ROLE = "arn:aws:iam::123456789012:role/copies"


@pytest.fixture
def pair(lab: Lab, moto: Server) -> tuple[Lab, str, str]:
    one, other = moto.new_bucket(), moto.new_bucket()
    lab.configure(remotes={n: {"url": f"s3://{b}/lab"} for n, b in (("a", one), ("b", other))}, remote="a")
    lab.use({"a": moto.store(one, "lab"), "b": moto.store(other, "lab")})
    lab.write("f", b"some bytes")
    lab.add("f")
    lab.push()
    return lab, one, other


def test_the_rule_stands_among_those_of_others(pair: tuple[Lab, str, str], moto: Server) -> None:
    lab, one, other = pair
    dry = replicate(lab.project, "a", to=f"s3://{other}", role=ROLE, dry_run=True)
    assert len(dry.changes) == 3 and "Status" not in moto.client.get_bucket_versioning(Bucket=one)
    for bucket in (one, other):
        moto.client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    theirs = {
        "ID": "theirs", "Priority": 4, "Status": "Enabled", "Filter": {"Prefix": "x/"},
        "DeleteMarkerReplication": {"Status": "Enabled"}, "Destination": {"Bucket": f"arn:aws:s3:::{other}"},
    }  # fmt: skip
    moto.client.put_bucket_replication(Bucket=one, ReplicationConfiguration={"Role": ROLE, "Rules": [theirs]})
    report = replicate(lab.project, "a", to=f"s3://{other}", role=ROLE)
    assert len(report.changes) == 1
    found = moto.client.get_bucket_replication(Bucket=one)["ReplicationConfiguration"]
    assert [(r["ID"], r["Priority"]) for r in found["Rules"]] == [("theirs", 4), (f"lobsterdv-lab-to-{other}", 5)]
    assert found["Rules"][1]["DeleteMarkerReplication"] == {"Status": "Disabled"}


def test_a_rule_that_stands_there_is_not_written_again() -> None:
    """Of the values that are sent: moto forgets a rule's prefix."""
    first = replication.merged(None, ROLE, "lab/", "copy")
    assert first is not None and first["Rules"][0]["Filter"] == {"Prefix": "lab/"}
    assert replication.merged(first, ROLE, "lab/", "copy") is None
    second = replication.merged(first, ROLE, "", "copy")
    assert second is not None and [rule["Priority"] for rule in second["Rules"]] == [1, 2]
    assert replication.merged(first, ROLE + "-2", "lab/", "copy") == {**first, "Role": ROLE + "-2"}


def test_versioning_is_switched_on_at_both(pair: tuple[Lab, str, str], moto: Server) -> None:
    lab, one, other = pair
    replicate(lab.project, "a", to=f"s3://{other}", role=ROLE)
    for bucket in (one, other):
        assert moto.client.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"


def test_without_a_role_nothing_is_written_and_the_policies_are_told(pair: tuple[Lab, str, str], moto: Server) -> None:
    lab, one, other = pair
    report = replicate(lab.project, "a", to=f"s3://{other}", role="")
    assert report.dry_run and "Status" not in moto.client.get_bucket_versioning(Bucket=one)
    resources = [s["Resource"] for s in json.loads(report.role_policy)["Statement"]]
    assert resources == [f"arn:aws:s3:::{one}", f"arn:aws:s3:::{one}/lab/*", f"arn:aws:s3:::{other}/lab/*"]
    assert "s3.amazonaws.com" in report.trust_policy


def test_verify_tells_what_the_replica_lacks(pair: tuple[Lab, str, str], moto: Server) -> None:
    lab, _, other = pair
    before = verify_replica(lab.project, "a", to=f"s3://{other}")
    assert before.lack == before.compared > 3 and {row.why for row in before.lacking} == {"missing"}
    sync(lab.project, "a", "b", observer=silent)
    after = verify_replica(lab.project, "a", to=f"s3://{other}")
    assert after.lack == 0, "each remote has a marker of its own, and that is no difference"
    there = lab.project.store(lab.project.remote("b"))
    assert isinstance(there, S3Store)
    victim = next(stat for stat in there.list("objects/"))
    there.put(victim.key, b"\0" * victim.size)
    worse = verify_replica(lab.project, "a", to=f"s3://{other}")
    assert [(row.key, row.why) for row in worse.lacking] == [(victim.key, "different etag")]
    there.delete("lobsterdv.json")
    worst = verify_replica(lab.project, "a", to=f"s3://{other}")
    assert {row.key for row in worst.lacking} == {victim.key, "lobsterdv.json"}


def test_what_cannot_be_a_target_is_refused(pair: tuple[Lab, str, str]) -> None:
    lab, one, _ = pair
    for to in (f"s3://{one}", "s3://other/prefix", "/folder"):
        with pytest.raises(Refused):
            replicate(lab.project, "a", to=to, role=ROLE)


def test_a_bucket_with_a_kms_key_is_refused_for_S3_would_copy_nothing(pair: tuple[Lab, str, str], moto: Server) -> None:
    lab, one, other = pair
    rule: Any = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
    moto.client.put_bucket_encryption(Bucket=one, ServerSideEncryptionConfiguration={"Rules": [rule]})
    with pytest.raises(Refused) as caught:
        replicate(lab.project, "a", to=f"s3://{other}", role=ROLE)
    assert caught.value.code == "kms-replica"
    assert "Status" not in moto.client.get_bucket_versioning(Bucket=one)
