"""What S3 does by itself and moto does not: it copies as a rule says, and tells in a log who asked for what.

moto keeps the settings for both. It forgets the prefix of a replication rule, and the logs that it writes itself name
no key and quote nothing, as no log of S3's does.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import botocore.client

from tests.server import Server

_VERBS = {"GetObject": "REST.GET.OBJECT", "HeadObject": "REST.HEAD.OBJECT", "PutObject": "REST.PUT.OBJECT",
          "ListObjectsV2": "REST.GET.BUCKET", "CopyObject": "REST.COPY.OBJECT"}  # fmt: skip


def copy_by_rule(server: Server, bucket: str, *, since: set[str]) -> set[str]:
    """Copy, as the bucket's replication rule says, what was written since ``since`` was the listing; returns the keys
    that were copied."""
    client = server.client
    (rule,) = client.get_bucket_replication(Bucket=bucket)["ReplicationConfiguration"]["Rules"]
    target = rule["Destination"]["Bucket"].removeprefix("arn:aws:s3:::")
    for name in (bucket, target):
        assert client.get_bucket_versioning(Bucket=name)["Status"] == "Enabled", "S3 takes no rule without"
    new = keys(server, bucket) - since
    for key in new:
        client.copy_object(Bucket=target, Key=key, CopySource={"Bucket": bucket, "Key": key})
    return new


def keys(server: Server, bucket: str) -> set[str]:
    """All keys of a bucket."""
    return {row["Key"] for row in server.client.list_objects_v2(Bucket=bucket).get("Contents", [])}


@dataclass
class Log:
    """The requests of this process to one bucket, as S3 would write them down; ``user`` is who sends them."""

    bucket: str
    user: str
    lines: list[str] = field(default_factory=list)

    def note(self, operation: str, given: Mapping[str, Any], status: int, error: str, sent: int) -> None:
        if given.get("Bucket") != self.bucket or operation not in _VERBS:
            return
        at = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime())
        kind, key = _VERBS[operation], given.get("Key", "-")
        self.lines.append(
            f"79a5 {self.bucket} [{at}] 192.0.2.3 {self.user} 3E57427F3EXAMPLE {kind} {key} "
            f'"{kind.split(".")[1]} /{key} HTTP/1.1" {status} {error or "-"} {sent or "-"} {sent or "-"} 7 4 "-" '
            f'"Boto3/1 md/"quoted" inside" - s9lzHYrFp76ZVxRcpX9 SigV4 ECDHE AuthHeader {self.bucket}.s3.amazonaws.com '
            "TLSv1.2 - -\n"
        )

    def deliver(self, server: Server) -> str:
        """Write what was noted where the bucket logs to, as one log file; returns the file's text."""
        enabled = server.client.get_bucket_logging(Bucket=self.bucket)["LoggingEnabled"]
        text, name = "".join(self.lines), time.strftime("%Y-%m-%d-%H-%M-%S", time.gmtime())
        key = f"{enabled['TargetPrefix']}{name}-ABCDEF0123456789"
        server.client.put_object(Bucket=enabled["TargetBucket"], Key=key, Body=text.encode())
        self.lines.clear()
        return text


@contextmanager
def logging(log: Log) -> Iterator[None]:
    """Note every request of every client in this process, with what came of it."""
    real = botocore.client.BaseClient._make_api_call

    def heard(self: Any, operation_name: str, api_params: Any) -> Any:
        try:
            answer = real(self, operation_name, api_params)
        except botocore.client.ClientError as error:
            told: Any = error.response
            code = told["Error"]["Code"]
            status = told["ResponseMetadata"]["HTTPStatusCode"]
            log.note(operation_name, api_params, status, "NoSuchKey" if code == "404" else code, 300)
            raise
        log.note(operation_name, api_params, 200, "", int(answer.get("ContentLength", 0)) if "Body" in answer else 0)
        return answer

    with patch.object(botocore.client.BaseClient, "_make_api_call", heard):
        yield
