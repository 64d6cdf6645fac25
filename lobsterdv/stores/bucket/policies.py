"""Policies of least privilege for a remote, as values and as JSON. Pure: it sends nothing and asks nobody.

Keys are limited to the remote's prefix, lists to keys below it. ``Statement`` is what IAM, bucket policies and
Terraform have in common.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final, NamedTuple

from lobsterdv.errors import UsageError
from lobsterdv.stores.bucket.permissions import KMS_ACTIONS, Level, Role, permissions

Network = IPv4Network | IPv6Network
VERSION: Final = "2012-10-17"  # of the policy language
_KEY_ID: Final = re.compile(r"(mrk-[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})", re.ASCII)
_KEY_ARN: Final = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]*:[0-9]*:(key|alias)/[A-Za-z0-9/_-]+", re.ASCII)
_ALIAS: Final = re.compile(r"alias/[A-Za-z0-9/_-]{1,250}", re.ASCII)
_WAY_BACK: Final = frozenset({"s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:ListAllMyBuckets", "s3:CreateBucket"})
"""What no network is ever barred from: it is how a policy that locks its owner out is taken back."""


class Condition(NamedTuple):
    operator: str
    key: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: tuple[Condition, ...] = ()
    effect: str = "Allow"


def check_key(key: str) -> str:
    """A KMS key as AWS takes it: an id, an ARN, or ``alias/NAME``. Raises UsageError."""
    if _KEY_ID.fullmatch(key) or _KEY_ARN.fullmatch(key) or _ALIAS.fullmatch(key):
        return key
    raise UsageError(f"{key[:80]!r} is no KMS key: give its id, its ARN, or alias/NAME")


def check_network(text: str) -> Network:
    """``192.0.2.0/24`` or an address. Raises UsageError."""
    try:
        return ip_network(text.strip())
    except ValueError as error:
        raise UsageError(f"{text[:60]!r} is no network: {error}; say 192.0.2.0/24 or 2001:db8::/32") from None


def statements(
    role: Role,
    bucket: str,
    prefix: str,
    *,
    region: str = "",
    kms_key: str = "",
    networks: Sequence[Network] = (),
    writing: Sequence[str] = (),
) -> list[Statement]:
    """What ``role`` may do with ``s3://bucket/prefix``, and from where (everywhere without ``networks``). ``writing``
    are actions besides, for those who write."""
    partition = partition_of(region)
    whole = f"arn:{partition}:s3:::{bucket}"
    objects = f"{whole}/{prefix}/*" if prefix else f"{whole}/*"
    actions: dict[Level, tuple[str, ...]] = {}
    for permission in permissions(role):
        actions[permission.level] = (*actions.get(permission.level, ()), permission.action)
    if role != "reader":
        actions["objects"] += tuple(action for action in writing if action not in actions["objects"])
    below = Condition("StringLike", "s3:prefix", (f"{prefix}/*",))
    # HeadBucket has no prefix, and `remote create` sends it.
    narrowed = (below,) if prefix and role != "admin" else ()
    found = [
        Statement("LobsterdvList", actions["listing"], (whole,), narrowed),
        Statement("LobsterdvObjects", actions["objects"], (objects,)),
    ]
    if "bucket" in actions:
        found.append(Statement("LobsterdvBucket", actions["bucket"], (whole,)))
    if "account" in actions:
        found.append(Statement("LobsterdvAccount", actions["account"], ("*",)))
    if kms_key:
        found.append(_key_statement(role, kms_key, partition, region))
    if networks:
        barred = tuple(p.action for p in permissions(role) if p.action not in _WAY_BACK)
        elsewhere = (
            Condition("NotIpAddress", "aws:SourceIp", tuple(map(str, networks))),
            Condition("Bool", "aws:ViaAWSService", ("false",)),
        )
        found.append(Statement("LobsterdvOnlyFrom", barred, (whole, objects), elsewhere, effect="Deny"))
    return found


def for_bucket(found: Sequence[Statement]) -> list[Statement]:
    """Those that a bucket's own policy can hold: nothing of the account, of keys, or from before the bucket is."""
    kept = []
    for statement in found:
        actions = tuple(action for action in statement.actions if action != "s3:CreateBucket")
        if statement.sid not in ("LobsterdvAccount", "LobsterdvKey") and actions:
            kept.append(Statement(statement.sid, actions, statement.resources, statement.conditions, statement.effect))
    return kept


def as_json(found: Sequence[Statement], *, principals: Sequence[str] = ()) -> str:
    """A policy document. With ``principals`` that of a bucket: they are allowed, and nobody is spared a Deny."""
    rows = []
    for statement in found:
        row: dict[str, object] = {"Sid": statement.sid, "Effect": statement.effect}
        if principals:
            row["Principal"] = {"AWS": list(principals)} if statement.effect == "Allow" else "*"
        row |= {"Action": list(statement.actions), "Resource": list(statement.resources)}
        if statement.conditions:
            row["Condition"] = {c.operator: {c.key: list(c.values)} for c in statement.conditions}
        rows.append(row)
    return json.dumps({"Version": VERSION, "Statement": rows}, indent=2)


def _key_statement(role: Role, key: str, partition: str, region: str) -> Statement:
    conditions = [Condition("StringLike", "kms:ViaService", (f"s3.{region or '*'}.amazonaws.com",))]
    resource = f"arn:{partition}:kms:{region or '*'}:*:key/"
    alias = key if key.startswith("alias/") else ""
    if key.startswith("arn:"):
        start, _, name = key.partition(":alias/")
        resource, alias = (f"{start}:key/*", f"alias/{name}") if name else (key, "")
    else:
        resource += "*" if alias else key
    if alias:
        conditions.append(Condition("ForAnyValue:StringEquals", "kms:ResourceAliases", (alias,)))
    return Statement("LobsterdvKey", KMS_ACTIONS[role], (resource,), tuple(conditions))


def partition_of(region: str) -> str:
    """AWS keeps China and the US government apart: aws-cn, aws-us-gov."""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"
