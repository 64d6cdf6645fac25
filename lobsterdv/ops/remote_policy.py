"""remote policy: what to allow somebody at a remote, and no more. It asks nobody and changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Final, Literal

from lobsterdv.errors import UsageError
from lobsterdv.ops.context import Failure
from lobsterdv.stores.bucket.permissions import Role
from lobsterdv.stores.bucket.policies import Network, as_json, check_key, check_network, for_bucket, statements
from lobsterdv.stores.bucket.terraform import as_terraform
from lobsterdv.stores.open import S3Place, parse_url

Format = Literal["iam", "bucket", "terraform"]
SOMEBODY: Final = "arn:aws:iam::ACCOUNT:role/NAME"
"""Stands in a bucket's policy for whoever is meant."""


@dataclass
class PolicyReport:
    """``text`` is the policy, ready to be used; ``warnings`` what to think of before that."""

    url: str
    role: Role
    format: Format
    actions: list[str]
    text: str
    warnings: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


def remote_policy(
    url: str,
    role: Role,
    *,
    form: Format,
    region: str = "",
    kms_key: str = "",
    networks: Sequence[str] = (),
    principals: Sequence[str] = (),
    has_acl: bool = False,
    has_tags: bool = False,
) -> PolicyReport:
    """The least that ``role`` needs at ``url``; ``has_acl`` and ``has_tags`` when the remote's settings give what is
    written an ACL or tags, which takes permissions of their own. Raises UsageError for what is no S3 place, network or
    key."""
    place = parse_url(url)
    if not isinstance(place, S3Place):
        raise UsageError(f"{url} is a folder: its permissions are those of its files")
    key = check_key(kms_key) if kms_key else ""
    allowed = [check_network(text) for text in networks]
    more = (*(("s3:PutObjectAcl",) if has_acl else ()), *(("s3:PutObjectTagging",) if has_tags else ()))
    found = statements(role, place.bucket, place.prefix, region=region, kms_key=key, networks=allowed, writing=more)
    if form == "bucket":
        found = for_bucket(found)
    actions = list(dict.fromkeys(a for s in found if s.effect == "Allow" for a in s.actions))
    text = (
        as_terraform(found, f"lobsterdv-{role}")
        if form == "terraform"
        else as_json(found, principals=(principals or [SOMEBODY]) if form == "bucket" else ())
    )
    report = PolicyReport(str(place), role, form, actions, text)
    report.warnings += _about_networks(place.bucket, allowed, form) if allowed else []
    if form == "bucket":
        report.warnings += _about_buckets(role, key, principals)
    return report


def _about_networks(bucket: str, networks: Sequence[Network], form: Format) -> list[str]:
    everybody, text = form == "bucket", ", ".join(map(str, networks))
    who = "everybody, you and the bucket's owner included," if everybody else "whoever holds it, you included,"
    back = (
        f"aws s3api delete-bucket-policy --bucket {bucket} (never denied by it; the account's root may always)"
        if everybody
        else "detach it, as an administrator of the account who does not hold it"
    )
    told = [
        f"this denies {who} every request from elsewhere than {text}; "
        f"`curl https://checkip.amazonaws.com` tells where you come from. The way back: {back}"
    ]
    for network in networks:
        if network.prefixlen == 0:
            told.append(f"{network} is everywhere: it limits nothing")
        elif not network.is_global and not network.overlaps(ip_network("100.64.0.0/10")):
            told.append(
                f"{network} is not an address of the internet: AWS sees the public address of your gateway "
                "(or aws:VpcSourceIp, through an endpoint of a VPC), so this may lock everybody out"
            )
    return told


def _about_buckets(role: Role, key: str, principals: Sequence[str]) -> list[str]:
    told = []
    if not principals:
        told.append(f"put whom you mean in the place of {SOMEBODY}, or say --principal ARN")
    if key:
        told.append(
            f"a bucket's policy cannot speak of keys: allow {key} in the policy of the key, or use --format iam"
        )
    if role == "admin":
        told.append(
            "a bucket's policy cannot allow s3:CreateBucket and s3:ListAllMyBuckets: use --format iam for those"
        )
    told.append("put-bucket-policy replaces the policy that is there: join their statements first")
    return told
