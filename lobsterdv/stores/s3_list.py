"""A bucket's list below a prefix, page by page. It holds one page at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lobsterdv.errors import Unreachable
from lobsterdv.stores.base import Stat
from lobsterdv.stores.s3_calls import LIST, S3Calls
from lobsterdv.stores.s3_tiers import class_of
from lobsterdv.stores.tiered import ARCHIVES

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ListObjectsV2OutputTypeDef, ListObjectsV2RequestTypeDef


def listed(calls: S3Calls, prefix: str, *, after: str) -> Iterator[Stat]:
    """The values whose keys begin with ``prefix`` and come after ``after``, by key. What a server gives although it
    was not asked for is left out. Raises as S3Calls.ask, Unreachable for a list that ends half-way."""
    cut = len(calls.prefix)
    for page in _pages(calls, prefix, after):
        for entry in page.get("Contents", []):
            key = entry["Key"][cut:]
            # Consoles make "folders": empty values whose key ends in a slash.
            if not key.startswith(prefix) or key <= after or key.endswith("/"):
                continue
            kind, modified = class_of(entry), entry["LastModified"].timestamp()
            etag, away = entry.get("ETag", "").strip('"'), kind in ARCHIVES
            yield Stat(key, entry["Size"], modified, etag, away, storage_class=kind)


def _pages(calls: S3Calls, prefix: str, after: str) -> Iterator[ListObjectsV2OutputTypeDef]:
    request: ListObjectsV2RequestTypeDef = {"Bucket": calls.bucket, "Prefix": calls.prefix + prefix}
    if after:
        request["StartAfter"] = calls.prefix + after
    while True:
        page = calls.ask(LIST, prefix, lambda client: client.list_objects_v2(**request))
        if "IsTruncated" not in page:
            raise calls.not_s3(LIST)
        yield page
        if not page["IsTruncated"]:
            return
        token = page.get("NextContinuationToken", "")
        if not token or token == request.get("ContinuationToken"):
            raise Unreachable(calls.url, LIST, "the server broke a list off and does not say how to go on")
        request["ContinuationToken"] = token
