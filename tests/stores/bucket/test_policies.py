"""A policy that allows more than needed is a leak to come; one that allows less, a push that fails at night."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from lobsterdv.errors import UsageError
from lobsterdv.ops.remote_policy import SOMEBODY, remote_policy
from lobsterdv.stores.bucket.permissions import ROLES, Role

URL = "s3://lab-data/atlas"


def document(role: Role, **more: Any) -> Any:
    return json.loads(remote_policy(more.pop("url", URL), role, form=more.pop("form", "iam"), **more).text)


def allowed(policy: Any) -> set[str]:
    return {action for s in policy["Statement"] if s["Effect"] == "Allow" for action in s["Action"]}


def test_each_role_has_what_the_one_before_has() -> None:
    reader, writer, admin = (allowed(document(role)) for role in ROLES)
    assert reader == {"s3:ListBucket", "s3:GetObject"}
    assert reader < writer < admin
    assert not any(
        "Delete" in action or "Bucket" in action for action in writer - reader - {"s3:ListBucketMultipartUploads"}
    )
    assert not any("*" in action for action in admin)


def test_nothing_beyond_the_prefix() -> None:
    for role in ("reader", "writer"):
        for statement in document(role)["Statement"]:
            for action in statement["Action"]:
                if action == "s3:ListBucket":
                    assert statement["Condition"] == {"StringLike": {"s3:prefix": ["atlas/*"]}}
                elif action == "s3:ListBucketMultipartUploads":  # AWS has no condition for it
                    assert statement["Resource"] == ["arn:aws:s3:::lab-data"]
                else:
                    assert statement["Resource"] == ["arn:aws:s3:::lab-data/atlas/*"]
    assert document("reader", url="s3://lab-data")["Statement"][1]["Resource"] == ["arn:aws:s3:::lab-data/*"]
    assert document("reader", region="cn-north-1")["Statement"][1]["Resource"] == ["arn:aws-cn:s3:::lab-data/atlas/*"]


@pytest.mark.parametrize(
    ("key", "resource", "alias"),
    [
        (
            "12345678-1234-1234-1234-123456789012",
            "arn:aws:kms:eu-west-1:*:key/12345678-1234-1234-1234-123456789012",
            "",
        ),
        ("arn:aws:kms:eu-west-1:1:key/mrk-" + "a" * 32, "arn:aws:kms:eu-west-1:1:key/mrk-" + "a" * 32, ""),
        ("alias/lab", "arn:aws:kms:eu-west-1:*:key/*", "alias/lab"),
        ("arn:aws:kms:eu-west-1:1:alias/lab", "arn:aws:kms:eu-west-1:1:key/*", "alias/lab"),
    ],
)
def test_a_key_is_only_used_through_s3(key: str, resource: str, alias: str) -> None:
    for role in ROLES:
        policy = document(role, kms_key=key, region="eu-west-1")
        (statement,) = [s for s in policy["Statement"] if s["Sid"] == "LobsterdvKey"]
        assert statement["Resource"] == [resource]
        assert statement["Condition"]["StringLike"] == {"kms:ViaService": ["s3.eu-west-1.amazonaws.com"]}
        assert statement["Condition"].get("ForAnyValue:StringEquals", {}) == (
            {"kms:ResourceAliases": [alias]} if alias else {}
        )
        assert ("kms:GenerateDataKey" in statement["Action"]) == (role != "reader")
    assert not any(action.startswith("kms:") for action in allowed(document("writer")))


def test_networks_bar_everything_but_the_way_back() -> None:
    report = remote_policy(URL, "admin", form="bucket", networks=["198.18.0.0/15", "8.8.8.0/24"], principals=["arn:x"])
    policy = json.loads(report.text)
    deny = policy["Statement"][-1]
    assert (deny["Effect"], deny["Principal"]) == ("Deny", "*")
    assert deny["Condition"]["NotIpAddress"] == {"aws:SourceIp": ["198.18.0.0/15", "8.8.8.0/24"]}
    barred, rest = set(deny["Action"]), allowed(policy) - set(deny["Action"])
    assert rest == {"s3:GetBucketPolicy", "s3:PutBucketPolicy"} and "s3:GetObject" in barred
    told = "\n".join(report.warnings)
    assert "aws s3api delete-bucket-policy --bucket lab-data" in told
    assert "198.18.0.0/15 is not an address of the internet" in told and "8.8.8.0/24 is not" not in told
    assert "limits nothing" in "".join(remote_policy(URL, "reader", form="iam", networks=["0.0.0.0/0"]).warnings)
    for wrong in ("10.0.0.1/8", "lab", "300.1.1.1"):
        with pytest.raises(UsageError):
            remote_policy(URL, "reader", form="iam", networks=[wrong])


def test_a_buckets_policy_names_whom_and_says_what_it_cannot_hold() -> None:
    report = remote_policy(URL, "admin", form="bucket", kms_key="alias/lab")
    policy = json.loads(report.text)
    assert all(s["Principal"] == {"AWS": [SOMEBODY]} for s in policy["Statement"])
    assert not allowed(policy) & {"s3:CreateBucket", "s3:ListAllMyBuckets", "kms:Decrypt"}
    told = "\n".join(report.warnings)
    assert SOMEBODY in told and "alias/lab" in told and "s3:CreateBucket" in told and "replaces" in told


def test_terraform_says_the_same() -> None:
    for role in ROLES:
        text = remote_policy(URL, role, form="terraform", kms_key="alias/lab", networks=["8.8.8.0/24"]).text
        same = document(role, kms_key="alias/lab", networks=["8.8.8.0/24"])
        actions = re.findall(r'"((?:s3|kms):[A-Za-z]+)"', re.sub(r"variable .*", "", text))
        assert actions == [action for statement in same["Statement"] for action in statement["Action"]]
        assert text.count("{") == text.count("}") and text.count("condition {") == sum(
            len(s.get("Condition", {})) for s in same["Statement"]
        )
        assert f'resource "aws_iam_policy" "lobsterdv_{role}"' in text


def test_a_folder_has_no_policy() -> None:
    with pytest.raises(UsageError):
        remote_policy("/data", "reader", form="iam")


def test_an_acl_and_tags_take_permissions_of_their_own() -> None:
    for role in ROLES:
        more = allowed(document(role, has_acl=True, has_tags=True)) - allowed(document(role))
        new = {"s3:PutObjectAcl"} if role == "admin" else {"s3:PutObjectAcl", "s3:PutObjectTagging"}  # which it has
        assert more == (set() if role == "reader" else new)
        (listed,) = [s["Action"] for s in document(role, has_tags=True)["Statement"] if s["Sid"] == "LobsterdvObjects"]
        assert len(listed) == len(set(listed))
