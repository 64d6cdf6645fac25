"""A bucket's lifecycle rules, policy and tags, with ours put beside those of others. Pure: documents in, documents out.

What is somebody else's stays as it is; a rule or statement of ours is known by its name, and replaced.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from lobsterdv.errors import FormatError
from lobsterdv.stores.bucket.policies import VERSION

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import LifecycleRuleOutputTypeDef, LifecycleRuleUnionTypeDef, TagTypeDef

ABORT_DAYS: Final = 7
NONCURRENT_DAYS: Final = 30
ABORT_ID: Final = "lobsterdv-abort-incomplete-uploads"
EXPIRE_ID: Final = "lobsterdv-expire-noncurrent-versions"
TLS_SID: Final = "LobsterdvTlsOnly"


def abort_days(rules: Sequence[LifecycleRuleOutputTypeDef], prefix: str) -> int | None:
    """After how many days unfinished uploads below ``prefix`` are removed; None when they are kept for ever."""
    days = [r.get("AbortIncompleteMultipartUpload", {}).get("DaysAfterInitiation") for r in _active(rules, prefix)]
    return min((day for day in days if day), default=None)


def noncurrent_days(rules: Sequence[LifecycleRuleOutputTypeDef], prefix: str) -> int | None:
    """After how many days overwritten and deleted versions go; None when they are kept, and paid for, for ever."""
    found = [r.get("NoncurrentVersionExpiration", {}) for r in _active(rules, prefix)]
    return min((e["NoncurrentDays"] for e in found if e.get("NoncurrentDays")), default=None)


def with_rules(rules: Sequence[LifecycleRuleOutputTypeDef], prefix: str) -> list[LifecycleRuleUnionTypeDef]:
    """``rules`` and those of ours that they lack."""
    below = f"{prefix}/" if prefix else ""
    ours: list[LifecycleRuleUnionTypeDef] = []
    if abort_days(rules, prefix) is None:
        ours.append(
            {
                "ID": ABORT_ID,
                "Status": "Enabled",
                "Filter": {"Prefix": below},
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": ABORT_DAYS},
            }
        )
    if noncurrent_days(rules, prefix) is None:
        ours.append(
            {
                "ID": EXPIRE_ID,
                "Status": "Enabled",
                "Filter": {"Prefix": below},
                "NoncurrentVersionExpiration": {"NoncurrentDays": NONCURRENT_DAYS},
                "Expiration": {"ExpiredObjectDeleteMarker": True},
            }
        )
    replaced = {rule["ID"] for rule in ours if "ID" in rule}
    return [*(_filtered(rule) for rule in rules if rule.get("ID") not in replaced), *ours]


def requires_tls(policy: str | None, bucket: str) -> bool:
    """Whether a bucket's policy denies everybody everything that is not sent through TLS. Raises FormatError."""
    return any(_denies_plain(statement, bucket) for statement in _statements(policy, bucket))


def with_tls(policy: str | None, bucket: str, *, partition: str = "aws") -> str:
    """The policy with a statement that does so. Raises FormatError for one that cannot be read."""
    arn = f"arn:{partition}:s3:::{bucket}"
    ours = {
        "Sid": TLS_SID,
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    others = [statement for statement in _statements(policy, bucket) if statement.get("Sid") != TLS_SID]
    document = json.loads(policy) if policy else {"Version": VERSION}
    return json.dumps(document | {"Statement": [*others, ours]})


def with_tags(tags: Sequence[TagTypeDef], wanted: Mapping[str, str]) -> list[TagTypeDef]:
    """``tags`` with those that are wanted; others keep their place and value."""
    merged = {tag["Key"]: tag["Value"] for tag in tags} | dict(wanted)
    return [{"Key": key, "Value": value} for key, value in merged.items()]


def _active(rules: Sequence[LifecycleRuleOutputTypeDef], prefix: str) -> list[LifecycleRuleOutputTypeDef]:
    """The rules in force for everything below ``prefix``."""
    below = f"{prefix}/" if prefix else ""
    return [rule for rule in rules if rule["Status"] == "Enabled" and _covers(rule, below)]


def _covers(rule: LifecycleRuleOutputTypeDef, below: str) -> bool:
    """False too for a rule that chooses by tag or size: it may pass over some of them."""
    chosen = rule.get("Filter", {})
    if any(name != "Prefix" for name in chosen):
        return False
    return below.startswith(chosen.get("Prefix", rule.get("Prefix", "")))


def _filtered(rule: LifecycleRuleOutputTypeDef) -> LifecycleRuleUnionTypeDef:
    """The rule as it is, but for the old way to write a prefix: S3 takes no mixture of that and ``Filter``."""
    if "Filter" in rule or "Prefix" not in rule:
        return rule
    rest: Any = {name: value for name, value in rule.items() if name != "Prefix"}
    moved: LifecycleRuleUnionTypeDef = rest | {"Filter": {"Prefix": rule["Prefix"]}}
    return moved


def _statements(policy: str | None, bucket: str) -> list[dict[str, Any]]:
    if not policy:
        return []
    try:
        found = json.loads(policy)["Statement"]
        found = found if isinstance(found, list) else [found]
        if not all(isinstance(statement, dict) for statement in found):
            raise TypeError
    except (ValueError, KeyError, TypeError) as error:
        raise FormatError(f"the policy of {bucket}", "it cannot be read") from error
    return list(found)


def _denies_plain(statement: Mapping[str, Any], bucket: str) -> bool:
    resources, condition = _listed(statement.get("Resource")), statement.get("Condition")
    if statement.get("Effect") != "Deny" or statement.get("Principal") not in ("*", {"AWS": "*"}, {"AWS": ["*"]}):
        return False
    if not {"s3:*", "*"} & set(_listed(statement.get("Action"))) or not isinstance(condition, dict):
        return False
    if "*" not in resources and not any(r.endswith(f":s3:::{bucket}/*") for r in resources):
        return False
    (operator, keys), *more = condition.items() or [("", {})]
    said = [str(value).lower() for value in _listed(keys.get("aws:SecureTransport"))] if isinstance(keys, dict) else []
    return not more and operator in ("Bool", "BoolIfExists") and len(keys) == 1 and said == ["false"]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
