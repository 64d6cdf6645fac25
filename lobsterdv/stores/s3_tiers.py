"""Storage classes of an S3 bucket: restore requests, object tags, old versions, lifecycle rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from re import search
from typing import TYPE_CHECKING, Any, Final, cast

from lobsterdv.errors import Busy
from lobsterdv.stores.base import RESTORING, Stat
from lobsterdv.stores.s3_calls import S3Calls
from lobsterdv.stores.s3_errors import code_of, foreign_errors, status_of
from lobsterdv.stores.s3_lifecycle import merged, tier_rules_in
from lobsterdv.stores.tiered import ARCHIVES, STANDARD, RestoreTier, TierRule

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import (
        GetBucketLifecycleConfigurationOutputTypeDef,
        ListObjectVersionsRequestTypeDef,
        RestoreRequestTypeDef,
    )

RESTORE: Final = "s3:RestoreObject"
READ_TAGS: Final = "s3:GetObjectTagging"
WRITE_TAGS: Final = "s3:PutObjectTagging"
DELETE_TAGS: Final = "s3:DeleteObjectTagging"
LIST_VERSIONS: Final = "s3:ListBucketVersions"
READ_LIFECYCLE: Final = "s3:GetLifecycleConfiguration"
WRITE_LIFECYCLE: Final = "s3:PutLifecycleConfiguration"


def class_of(found: Mapping[str, Any]) -> str:
    """The class that an answer names; HEAD leaves out the usual one."""
    return str(found.get("StorageClass") or STANDARD)


def restored_until(header: str) -> str:
    """From ``x-amz-restore`` to RESTORING, the day up to which the copy stays, or nothing."""
    if 'ongoing-request="true"' in header:
        return RESTORING
    match = search(r'expiry-date="([^"]+)"', header)
    if 'ongoing-request="false"' not in header:
        return ""
    try:
        return parsedate_to_datetime(match[1]).astimezone(UTC).date().isoformat() if match else "later"
    except ValueError:
        return "later"  # it is there; for how long, the server did not say in a way that anyone can read


class S3Tiers:
    """See ``tiered.TierCalls``. Made for a few calls by ``S3Store.tiers``."""

    def __init__(self, calls: S3Calls) -> None:
        self._calls = calls

    def restore(self, key: str, *, tier: RestoreTier, days: int) -> bool:
        calls = self._calls
        full = calls.key(key)
        request: RestoreRequestTypeDef = {"Days": days, "GlacierJobParameters": {"Tier": tier}}
        try:
            answer = calls.attempt(
                lambda client: client.restore_object(Bucket=calls.bucket, Key=full, RestoreRequest=request)
            )
        except foreign_errors() as error:
            # Asked for already (409), or nothing to be restored: a rule or a push was here meanwhile.
            if code_of(error) in ("RestoreAlreadyInProgress", "InvalidObjectState"):
                return False
            if code_of(error) == "GlacierExpeditedRetrievalNotAvailable":
                raise Busy(f"Expedited retrieval at {calls.url}", "others; Standard always has room") from error
            raise calls.translated(error, RESTORE, key) from error
        return answer["ResponseMetadata"]["HTTPStatusCode"] == HTTPStatus.ACCEPTED

    def tags(self, key: str) -> dict[str, str]:
        calls = self._calls
        full = calls.key(key)
        found = calls.ask(READ_TAGS, key, lambda client: client.get_object_tagging(Bucket=calls.bucket, Key=full))
        return {tag["Key"]: tag["Value"] for tag in found["TagSet"]}

    def set_tags(self, key: str, tags: Mapping[str, str]) -> None:
        calls = self._calls
        full = calls.key(key)
        if not tags:
            calls.ask(DELETE_TAGS, key, lambda client: client.delete_object_tagging(Bucket=calls.bucket, Key=full))
            return
        rows = [{"Key": name, "Value": value} for name, value in tags.items()]
        calls.ask(
            WRITE_TAGS,
            key,
            lambda client: client.put_object_tagging(
                Bucket=calls.bucket, Key=full, Tagging={"TagSet": cast("Any", rows)}
            ),
        )

    def noncurrent(self, prefix: str) -> Iterator[Stat]:
        calls = self._calls
        cut = len(calls.prefix)
        request: ListObjectVersionsRequestTypeDef = {"Bucket": calls.bucket, "Prefix": calls.prefix + prefix}
        while True:
            page = calls.ask(LIST_VERSIONS, "", lambda client: client.list_object_versions(**request))
            for row in page.get("Versions", []):
                if not row["IsLatest"]:
                    kind, modified = class_of(row), row["LastModified"].timestamp()
                    version, away = row.get("VersionId", ""), kind in ARCHIVES
                    yield Stat(row["Key"][cut:], row["Size"], modified, row["ETag"], away, version, kind)
            key, version = page.get("NextKeyMarker", ""), page.get("NextVersionIdMarker", "")
            if not page.get("IsTruncated") or not key or (key, version) == _markers(request):
                return
            request["KeyMarker"] = key
            if version:
                request["VersionIdMarker"] = version

    def tier_rules(self) -> list[TierRule]:
        return tier_rules_in(self._lifecycle().get("Rules", []), prefix=self._calls.prefix)

    def install(self, rules: Sequence[TierRule], *, abort_days: int) -> bool:
        calls = self._calls
        found = self._lifecycle()
        old = found.get("Rules", [])
        new = merged(old, rules, prefix=calls.prefix, abort_days=abort_days)
        if new == old:
            return False
        request: dict[str, Any] = {"Bucket": calls.bucket, "LifecycleConfiguration": {"Rules": new}}
        if "TransitionDefaultMinimumObjectSize" in found:
            request["TransitionDefaultMinimumObjectSize"] = found["TransitionDefaultMinimumObjectSize"]
        calls.ask(WRITE_LIFECYCLE, "", lambda client: client.put_bucket_lifecycle_configuration(**request))
        return True

    def _lifecycle(self) -> GetBucketLifecycleConfigurationOutputTypeDef:
        calls = self._calls
        try:
            return calls.attempt(lambda client: client.get_bucket_lifecycle_configuration(Bucket=calls.bucket))
        except foreign_errors() as error:
            if code_of(error) == "NoSuchLifecycleConfiguration" or (
                status_of(error) == HTTPStatus.NOT_FOUND and code_of(error) != "NoSuchBucket"
            ):
                return cast("GetBucketLifecycleConfigurationOutputTypeDef", {"Rules": []})
            raise calls.translated(error, READ_LIFECYCLE, "") from error


def _markers(request: ListObjectVersionsRequestTypeDef) -> tuple[str, str]:
    return request.get("KeyMarker", ""), request.get("VersionIdMarker", "")
