"""Questions about a bucket that its server may not know: the answer, nothing set, or why it cannot be told."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

from lobsterdv.errors import Denied, LobsterError, NotARemote, RemoteError, Unreachable
from lobsterdv.stores.base import Store
from lobsterdv.stores.s3 import S3Store
from lobsterdv.stores.s3_calls import S3Calls
from lobsterdv.stores.s3_errors import code_of, foreign_errors, status_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

T = TypeVar("T")
_NOT_SET: Final = frozenset(
    {
        "NoSuchPublicAccessBlockConfiguration",
        "ServerSideEncryptionConfigurationNotFoundError",
        "NoSuchLifecycleConfiguration",
        "NoSuchBucketPolicy",
        "NoSuchTagSet",
        "NoSuchTagSetError",
    }
)


class Unsupported(RemoteError):
    """The server does not know the question, or refuses it in words of its own: ``str()`` says so. Never leaves the
    bucket's modules."""


def calls_of(store: Store) -> S3Calls | None:
    """The connection of a store in S3; None for any other."""
    return store.calls if isinstance(store, S3Store) else None


def ask(calls: S3Calls, action: str, call: Callable[[S3Client], T], *, key: str = "") -> T:
    """``calls.ask``, but raises Unsupported for what the server answers and does not do."""
    try:
        return calls.attempt(call)
    except foreign_errors() as error:
        found = calls.translated(error, action, key)
        if status_of(error) and type(found) in (NotARemote, Unreachable):
            raise Unsupported(f"the server answers {code_of(error) or status_of(error)}") from error
        raise found from error


def ask_set(calls: S3Calls, action: str, call: Callable[[S3Client], T]) -> T | None:
    """``ask`` for something that may not be set: None then."""
    try:
        return ask(calls, action, call)
    except LobsterError as error:
        cause = error.__cause__
        if isinstance(cause, Exception) and code_of(cause) in _NOT_SET:
            return None
        raise


def reason(error: LobsterError) -> str:
    """Why something about a bucket cannot be told, in few words."""
    return f"{error.action} is denied" if isinstance(error, Denied) else str(error)
