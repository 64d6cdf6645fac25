"""Make a bucket, or find out whose it is. One that is not surely this account's is never changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from lobsterdv.errors import Denied, NoBucket, NotARemote, Refused
from lobsterdv.stores.bucket.asking import Unsupported, ask
from lobsterdv.stores.s3_calls import LIST, S3Calls
from lobsterdv.stores.s3_errors import code_of, foreign_errors

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CreateBucketRequestTypeDef, ListBucketsRequestTypeDef

CREATE: Final = "s3:CreateBucket"
FIRST_REGION: Final = "us-east-1"  # S3 refuses its name as a LocationConstraint
_NO_SUCH_PLACE: Final = frozenset(
    {"InvalidLocationConstraint", "IllegalLocationConstraintException", "InvalidRegion", "NotImplemented"}
)


class Found(NamedTuple):
    """``region`` is where AWS says a bucket of ours is; empty where nobody says."""

    state: Literal["ours", "absent"]
    region: str = ""


def find(calls: S3Calls) -> Found:
    """Whether the bucket is there and this account's. Raises Refused for one that is not, or not surely."""
    try:
        answer = ask(calls, LIST, lambda client: client.head_bucket(Bucket=calls.bucket))
    except NoBucket:
        return Found("absent")
    except Denied as error:
        raise _foreign(calls, "it is there, and you may not look into it") from error
    except Unsupported as error:
        raise NotARemote(calls.url, str(error)) from error
    if not _is_listed(calls):
        raise _foreign(calls, "it is there, and not among the buckets of your account")
    # Other servers have one place, whatever they call it.
    return Found("ours", "" if calls.options.endpoint_url else answer.get("BucketRegion", ""))


def make(calls: S3Calls, region: str) -> None:
    """Make the bucket in a region. Raises Refused when somebody else has it, Denied."""
    request: CreateBucketRequestTypeDef = {"Bucket": calls.bucket}
    placed: Any = {"LocationConstraint": region}
    elsewhere = bool(region) and region != FIRST_REGION
    if elsewhere:
        request["CreateBucketConfiguration"] = placed

    def create(client: S3Client) -> object:
        return client.create_bucket(**request)

    try:
        calls.attempt(create)
    except foreign_errors() as error:
        code = code_of(error)
        if code == "BucketAlreadyOwnedByYou":
            return
        if code in ("BucketAlreadyExists", "BucketNotAvailable"):
            raise _foreign(calls, "the name is taken: the names of buckets are one list for everybody") from error
        if elsewhere and calls.options.endpoint_url and code in _NO_SUCH_PLACE:
            # Other servers have one place, whatever region requests are signed for.
            del request["CreateBucketConfiguration"]
            calls.ask(CREATE, "", create)
            return
        raise calls.translated(error, CREATE, "") from error


def _is_listed(calls: S3Calls) -> bool:
    """Whether the bucket is in the account's own list, which never holds what others only share."""

    request: ListBucketsRequestTypeDef = {"MaxBuckets": 1000, "Prefix": calls.bucket}
    while True:
        try:
            answer = ask(calls, "s3:ListAllMyBuckets", lambda client: client.list_buckets(**request))
        except (Denied, Unsupported) as error:
            raise _foreign(calls, "it is there, and whose it is cannot be told (s3:ListAllMyBuckets)") from error
        if any(found.get("Name") == calls.bucket for found in answer.get("Buckets", [])):
            return True
        if not answer.get("ContinuationToken"):
            return False
        request["ContinuationToken"] = answer["ContinuationToken"]


def _foreign(calls: S3Calls, why: str) -> Refused:
    return Refused(f"s3://{calls.bucket}", f"{why}; it was not touched", "foreign-bucket")
