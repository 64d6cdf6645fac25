"""If these fail, `remote create` takes away what others have set in a bucket, or believes it protected."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lobsterdv.errors import FormatError
from lobsterdv.stores.bucket import documents
from lobsterdv.stores.bucket.crc64 import crc64nvme

ABORT = {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 3}}
EXPIRE = {"NoncurrentVersionExpiration": {"NoncurrentDays": 90}}


def rule(name: str, **more: Any) -> Any:
    return {"ID": name, "Status": "Enabled", **more}


def test_a_rule_for_everything_or_for_more_counts() -> None:
    for place in ({"Filter": {"Prefix": ""}}, {"Filter": {}}, {"Prefix": "at"}, {"Filter": {"Prefix": "atlas/"}}):
        assert documents.abort_days([rule("x", **ABORT, **place)], "atlas") == 3
        assert documents.noncurrent_days([rule("x", **EXPIRE, **place)], "atlas") == 90


@pytest.mark.parametrize(
    "place",
    [
        {"Filter": {"Prefix": "raw/"}},
        {"Filter": {"Tag": {"Key": "a", "Value": "b"}}},
        {"Filter": {"And": {"Prefix": "", "Tags": []}}},
        {"Filter": {"ObjectSizeGreaterThan": 5}},
        {"Filter": {}, "Status": "Disabled"},
        {"Filter": {"Prefix": "atlas/objects/"}},
    ],
)
def test_a_rule_that_leaves_some_out_does_not(place: Any) -> None:
    rules = [rule("theirs", **ABORT) | place]
    assert documents.abort_days(rules, "atlas") is None
    changed = documents.with_rules(rules, "atlas")
    assert changed[0] == rules[0] and [r.get("ID") for r in changed[1:]] == [documents.ABORT_ID, documents.EXPIRE_ID]
    assert documents.with_rules(changed, "atlas") == changed, "a second time adds nothing"  # type: ignore[arg-type]


def test_a_disabled_rule_of_ours_is_replaced_and_old_prefixes_are_written_anew() -> None:
    rules = [rule(documents.ABORT_ID, Prefix="", Status="Disabled"), rule("old", Prefix="raw/", Expiration={"Days": 1})]
    rules[0]["Status"] = "Disabled"
    changed = documents.with_rules(rules, "")
    assert [r.get("ID") for r in changed] == ["old", documents.ABORT_ID, documents.EXPIRE_ID]
    assert changed[0]["Filter"] == {"Prefix": "raw/"} and "Prefix" not in changed[0]


def test_the_statement_of_others_that_says_the_same_is_enough() -> None:
    theirs = {"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": ["s3:*"], "Resource": "arn:aws:s3:::lab/*",
              "Condition": {"Bool": {"aws:SecureTransport": False}}}  # fmt: skip
    assert documents.requires_tls(json.dumps({"Statement": theirs}), "lab")
    for change in (
        {"Effect": "Allow"},
        {"Principal": {"AWS": "arn:aws:iam::1:root"}},
        {"Action": "s3:GetObject"},
        {"Resource": "arn:aws:s3:::other/*"},
        {"Condition": {"Bool": {"aws:SecureTransport": "true"}}},
        {"Condition": {"Bool": {"aws:SecureTransport": "false"}, "StringEquals": {"a": "b"}}},
        {"Condition": {}},
    ):
        weaker = json.dumps({"Statement": [theirs | change]})
        assert not documents.requires_tls(weaker, "lab"), change
        changed = documents.with_tls(weaker, "lab")
        assert documents.requires_tls(changed, "lab")
        assert json.loads(changed)["Statement"][0] == json.loads(weaker)["Statement"][0]
        assert documents.with_tls(changed, "lab") == changed


def test_a_policy_that_cannot_be_read_is_not_replaced() -> None:
    for text in ("{", "[]", '{"Statement": "x"}', "{}"):
        with pytest.raises(FormatError):
            documents.with_tls(text, "lab")


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(st.text(max_size=3), st.text(max_size=3)), st.dictionaries(st.text(max_size=3), st.text(max_size=3))
)
def test_tags_of_others_stay(there: dict[str, str], wanted: dict[str, str]) -> None:
    merged = documents.with_tags([{"Key": key, "Value": value} for key, value in there.items()], wanted)
    assert {tag["Key"]: tag["Value"] for tag in merged} == there | wanted
    assert len(merged) == len(there | wanted)


def test_the_check_value_of_crc64nvme() -> None:
    assert crc64nvme(b"123456789") == 0xAE8B14860A799888
