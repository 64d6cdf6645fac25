"""What a remote's settings add to requests: who pays, whose key encrypts, ACL and tags. Every request takes what its
operation knows, so that no call needs to think of it."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from lobsterdv.errors import ConfigError
from lobsterdv.stores.s3_options import S3Options

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_WRITES: Final = frozenset({"PutObject", "CreateMultipartUpload", "CopyObject"})
_KEY_BYTES: Final = 32
_LONGEST: Final = 4096


def add_to_requests(client: S3Client, options: S3Options) -> None:
    """From now on the client's requests carry what ``options`` say. Raises ConfigError for a key file that is none."""
    always, writes = additions(options)
    if always or writes:
        handler: Any = partial(_add, always, writes)  # what it returns counts, whatever the stubs say
        client.meta.events.register("provide-client-params.s3", handler)


def additions(options: S3Options) -> tuple[dict[str, str], dict[str, str]]:
    """Members for every operation that has them, and for those that write an object."""
    always: dict[str, str] = {}
    writes: dict[str, str] = {}
    if options.requester_pays:
        always["RequestPayer"] = "requester"
    if options.sse_c_key_file:
        key = read_key(options.sse_c_key_file)
        md5 = base64.b64encode(hashlib.md5(key, usedforsecurity=False).digest()).decode("ascii")
        for prefix in ("SSECustomer", "CopySourceSSECustomer"):
            always[f"{prefix}Algorithm"] = "AES256"
            always[f"{prefix}Key"] = base64.b64encode(key).decode("ascii")
            always[f"{prefix}KeyMD5"] = md5  # botocore then takes the key as it is: encoded
    if options.acl:
        writes["ACL"] = options.acl
    if options.tags:
        writes["Tagging"] = urlencode(options.tags)
    return always, writes


def read_key(path: str) -> bytes:
    """The 256 bits in a file: as they are, in base64 or in hex. Raises ConfigError, which shows nothing of them."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(_LONGEST)
    except OSError as error:
        raise ConfigError("sse_c_key_file", f"{path}: {error.strerror}") from error
    if len(data) == _KEY_BYTES:
        return data
    for decode in (_from_base64, bytes.fromhex):
        try:
            key = decode(data.decode("ascii").strip())
        except ValueError:
            continue
        if len(key) == _KEY_BYTES:
            return key
    raise ConfigError("sse_c_key_file", f"{path} does not hold 256 bits (32 bytes; or those in base64 or hex)")


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("no base64") from error


def _add(
    always: Mapping[str, str], writes: Mapping[str, str], params: dict[str, Any], model: Any, **_: object
) -> dict[str, Any]:  # botocore hands its handlers more than they ask for
    shape = model.input_shape
    known = shape.members if shape is not None else {}
    added = {name: value for name, value in always.items() if name in known}
    if model.name in _WRITES:
        added |= writes
    return {**added, **params}
