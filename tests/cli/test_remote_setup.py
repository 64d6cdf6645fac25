"""remote create and doctor at AWS, which moto plays: a lab whose bucket is not protected learns it from a bill or a
leak."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.session import get_session
from moto import mock_aws

from lobsterdv.stores.bucket import probing
from tests.cli.conftest import Desk
from tests.server import Server

BLOCKED = dict.fromkeys(["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"], True)


@pytest.fixture
def aws(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A boto3 client of an account at AWS; nothing of it leaves this process."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATESTTESTTESTTEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-canary")
    monkeypatch.setattr(probing, "LARGE_BYTES", 1 << 10)
    monkeypatch.setattr(probing.socket, "getaddrinfo", lambda *args, **more: [(0, 0, 0, "", ("192.0.2.7", 443))])
    with mock_aws():
        client = get_session().create_client("s3", region_name="us-east-1")
        yield client
        client.close()


def outcomes(document: Any) -> dict[str, str]:
    return {step["name"]: step["outcome"] for step in document["report"]["steps"]}


def states(document: Any) -> dict[str, str]:
    return {finding["name"]: finding["state"] for finding in document["report"]["findings"]}


def test_a_new_bucket_has_every_protection(lab: Desk, aws: Any) -> None:
    url = "s3://kessler-lab-data/atlas"
    tried = lab.json("remote", "create", url, "--tag", "lab=kessler", "--dry-run")
    assert set(outcomes(tried).values()) == {"would do"}
    assert aws.list_buckets()["Buckets"] == []
    printed = lab.ldv("remote", "create", url, "lab", "--region", "eu-central-1", "--tag", "lab=kessler")
    assert "lab is a remote of this project" in printed.out
    bucket = {"Bucket": "kessler-lab-data"}
    assert aws.get_bucket_location(**bucket)["LocationConstraint"] == "eu-central-1"
    assert aws.get_public_access_block(**bucket)["PublicAccessBlockConfiguration"] == BLOCKED
    assert aws.get_bucket_versioning(**bucket)["Status"] == "Enabled"
    rule = aws.get_bucket_encryption(**bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    rules = aws.get_bucket_lifecycle_configuration(**bucket)["Rules"]
    assert [rule["Filter"] for rule in rules] == [{"Prefix": "atlas/"}] * 2
    assert rules[0]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    assert rules[1]["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
    (statement,) = json.loads(aws.get_bucket_policy(**bucket)["Policy"])["Statement"]
    assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    assert aws.get_bucket_tagging(**bucket)["TagSet"] == [{"Key": "lab", "Value": "kessler"}]
    again = lab.json("remote", "create", url, "lab", "--region", "eu-central-1", "--tag", "lab=kessler")
    assert set(outcomes(again).values()) == {"already"}


def test_us_east_1_has_no_constraint(desk: Desk, aws: Any) -> None:
    assert outcomes(desk.json("remote", "create", "s3://in-virginia", "--region", "us-east-1"))["bucket"] == "done"
    assert aws.get_bucket_location(Bucket="in-virginia")["LocationConstraint"] is None


def test_a_kms_key_with_a_bucket_key(desk: Desk, aws: Any) -> None:
    desk.ldv("remote", "create", "s3://patients", "--kms-key", "alias/lab")
    rule = aws.get_bucket_encryption(Bucket="patients")["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "alias/lab"}
    assert rule["BucketKeyEnabled"] is True
    assert "no KMS key" in desk.ldv("remote", "create", "s3://patients", "--kms-key", "my key", code=2).err
    assert outcomes(desk.json("remote", "create", "s3://patients"))["encryption"] == "already"


def test_what_others_set_stays(desk: Desk, aws: Any) -> None:
    bucket = {"Bucket": "shared-by-many"}
    aws.create_bucket(**bucket)
    statement = {"Sid": "Theirs", "Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject",
                 "Resource": "arn:aws:s3:::shared-by-many/*"}  # fmt: skip
    aws.put_bucket_policy(**bucket, Policy=json.dumps({"Version": "2012-10-17", "Id": "x", "Statement": statement}))
    rule = {"ID": "theirs", "Status": "Enabled", "Filter": {"Prefix": "raw/"}, "Expiration": {"Days": 90}}
    aws.put_bucket_lifecycle_configuration(**bucket, LifecycleConfiguration={"Rules": [rule]})
    aws.put_bucket_tagging(**bucket, Tagging={"TagSet": [{"Key": "cost", "Value": "12"}, {"Key": "lab", "Value": "a"}]})
    found = desk.json("remote", "create", "s3://shared-by-many/atlas", "--tag", "lab=b")
    assert outcomes(found)["bucket"] == "already"
    policy = json.loads(aws.get_bucket_policy(**bucket)["Policy"])
    assert policy["Id"] == "x" and policy["Statement"][0] == statement and len(policy["Statement"]) == 2
    rules = aws.get_bucket_lifecycle_configuration(**bucket)["Rules"]
    assert rules[0]["ID"] == "theirs" and len(rules) == 3
    tags = {tag["Key"]: tag["Value"] for tag in aws.get_bucket_tagging(**bucket)["TagSet"]}
    assert tags == {"cost": "12", "lab": "b"}


def test_a_bucket_of_another_account_is_left_alone(desk: Desk, aws: Any) -> None:
    sts = get_session().create_client("sts", region_name="us-east-1")
    key = sts.assume_role(RoleArn="arn:aws:iam::222222222222:role/other", RoleSessionName="other")["Credentials"]
    other = get_session().create_client(
        "s3", region_name="us-east-1", aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"], aws_session_token=key["SessionToken"],
    )  # fmt: skip
    other.create_bucket(Bucket="theirs")
    document = desk.json("remote", "create", "s3://theirs", code=1)
    assert document["errors"][0]["facts"]["code"] == "foreign-bucket"
    assert "Status" not in other.get_bucket_versioning(Bucket="theirs")
    sts.close()
    other.close()


def test_a_name_that_is_taken_in_the_project_stops_before_anything_is_made(lab: Desk, aws: Any) -> None:
    lab.ldv("remote", "add", "lab", "s3://one-bucket")
    lab.ldv("remote", "create", "s3://two-buckets", "lab", code=1)
    assert aws.list_buckets()["Buckets"] == []
    lab.ldv("remote", "create", str(lab.here / "folder"), code=2)


def test_doctor_finds_what_lacks_and_fixes_it(lab: Desk, aws: Any) -> None:
    aws.create_bucket(Bucket="bare")
    lab.ldv("remote", "add", "lab", "s3://bare/atlas", "--region", "us-east-1")
    before = lab.json("remote", "doctor", "lab")
    found = states(before)
    lacking = {"public access", "versioning", "lifecycle", "TLS only"}
    assert {name for name, state in found.items() if state == "warning"} >= lacking
    assert not {name for name, state in found.items() if state == "failed"}
    for name in ("DNS", "TLS", "clock", "credentials", "identity", "bucket", "region", "write", "read", "ranged reads",
                 "conditional writes", "multipart", "delete", "latency"):  # fmt: skip
        assert found[name] == "ok", (name, before)
    fixes = {f["fix"] for f in before["report"]["findings"] if f["name"] in lacking}
    assert fixes == {"lobsterdv remote doctor lab --fix"}
    assert "secret-canary" not in json.dumps(before)
    printed = lab.ldv("remote", "doctor", "lab", "--fix")
    assert printed.out.index("fixing versioning") < printed.out.index("done  ")
    after = states(lab.json("remote", "doctor", "lab", "--fix"))
    assert {after[name] for name in lacking} == {"ok"}
    assert aws.get_public_access_block(Bucket="bare")["PublicAccessBlockConfiguration"] == BLOCKED
    assert aws.list_objects_v2(Bucket="bare")["KeyCount"] == 0, "probes are removed"
    assert "Uploads" not in aws.list_multipart_uploads(Bucket="bare")


def test_doctor_without_a_bucket_or_credentials(lab: Desk, aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.ldv("remote", "add", "lab", "s3://not-there-yet", "--region", "us-east-1")
    document = lab.json("remote", "doctor", code=1)
    (bucket,) = [f for f in document["report"]["findings"] if f["name"] == "bucket"]
    assert (bucket["state"], bucket["fix"]) == ("failed", "lobsterdv remote create s3://not-there-yet")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    found = states(lab.json("remote", "doctor", code=1))
    assert found["credentials"] == "failed"


def test_a_region_that_is_another(lab: Desk, aws: Any) -> None:
    lab.ldv("remote", "create", "s3://far-away", "--region", "eu-west-1")
    lab.ldv("remote", "add", "lab", "s3://far-away", "--region", "us-east-1")
    (region,) = [f for f in lab.json("remote", "doctor")["report"]["findings"] if f["name"] == "region"]
    assert (region["state"], region["fix"]) == ("warning", "lobsterdv remote configure lab --set region=eu-west-1")


def test_a_bucket_that_is_there_in_another_region_says_so_and_is_used_there(lab: Desk, aws: Any) -> None:
    lab.ldv("remote", "create", "s3://far-away", "--region", "eu-west-1")
    assert not lab.json("remote", "create", "s3://far-away", "--region", "eu-west-1")["report"]["elsewhere"]
    found = lab.json("remote", "create", "s3://far-away", "lab", "--region", "us-east-1")["report"]
    assert (found["region"], found["elsewhere"]) == ("eu-west-1", True)
    (bucket,) = [step for step in found["steps"] if step["name"] == "bucket"]
    assert bucket["outcome"] == "already" and "is in eu-west-1, not in us-east-1" in bucket["detail"]
    assert "region: eu-west-1" in (lab.here / ".lobsterdv.yaml").read_text()


def test_at_a_server_without_tls_the_bucket_stays_usable(
    lab: Desk, moto: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in moto.environment.items():
        if name.startswith("AWS_") and name != "AWS_ENDPOINT_URL":
            monkeypatch.setenv(name, value)
    url = f"s3://{moto.new_bucket()}/x"
    found = outcomes(lab.json("remote", "create", url, "lab", "--endpoint-url", moto.endpoint_url))
    assert found["TLS only"] == "not possible" and found["versioning"] == "done"
    assert states(lab.json("remote", "doctor", "lab"))["TLS"] == "ok"
    assert "is a folder" in lab.ldv("remote", "doctor", "embedded", code=2).err
