"""Where a bucket writes who asked it for what. The target's policy must let ``logging.s3.amazonaws.com`` write there,
which is the step that guides leave out: without it S3 takes the setting and delivers nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from lobsterdv.errors import ConfigError
from lobsterdv.stores.s3 import S3Store
from lobsterdv.stores.s3_errors import code_of, foreign_errors

SERVICE = "logging.s3.amazonaws.com"


@dataclass(frozen=True, slots=True)
class LogTarget:
    """A bucket, and what the names of its log files begin with."""

    bucket: str
    prefix: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"


def log_target(store: S3Store) -> LogTarget | None:
    """Where the store's bucket logs to; None when it does not. Raises RemoteError."""
    calls = store.calls
    answer = calls.ask("s3:GetBucketLogging", "", lambda client: client.get_bucket_logging(Bucket=calls.bucket))
    enabled = answer.get("LoggingEnabled")
    return None if enabled is None else LogTarget(enabled["TargetBucket"], enabled.get("TargetPrefix", ""))


def log_statement(source_bucket: str, target: LogTarget) -> dict[str, Any]:
    """What lets S3 deliver the logs of a bucket, and of no other, below the target's prefix."""
    return {
        "Sid": f"LobsterdvLogsOf{''.join(c for c in source_bucket if c.isascii() and c.isalnum())}",
        "Effect": "Allow",
        "Principal": {"Service": SERVICE},
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{target.bucket}/{target.prefix}*",
        "Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{source_bucket}"}},
    }


def allow_delivery(target_store: S3Store, source_bucket: str, target: LogTarget) -> bool:
    """Add the statement to the target bucket's policy, all others kept; returns whether it was missing. May be
    repeated. Raises RemoteError, ConfigError for a policy that is not JSON."""
    calls = target_store.calls
    try:
        text = calls.attempt(lambda client: client.get_bucket_policy(Bucket=calls.bucket))["Policy"]
    except foreign_errors() as error:
        if code_of(error) != "NoSuchBucketPolicy":
            raise calls.translated(error, "s3:GetBucketPolicy", "") from error
        text = '{"Version": "2012-10-17", "Statement": []}'
    wanted = log_statement(source_bucket, target)
    merged = with_statement(text, wanted)
    if merged is None:
        return False
    calls.ask("s3:PutBucketPolicy", "", lambda client: client.put_bucket_policy(Bucket=calls.bucket, Policy=merged))
    return True


def with_statement(policy: str, wanted: dict[str, Any]) -> str | None:
    """A policy's text with a statement in the place of one of its Sid; None when it stands there already. Pure.

    Raises ConfigError for what is no policy.
    """
    try:
        document = json.loads(policy)
        statements = document["Statement"]
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError("the bucket's policy", "it is no policy in JSON") from error
    statements = statements if isinstance(statements, list) else [statements]
    if wanted in statements:
        return None
    others = [s for s in statements if not (isinstance(s, dict) and s.get("Sid") == wanted["Sid"])]
    return json.dumps({**document, "Statement": [*others, wanted]})


def enable(store: S3Store, target: LogTarget) -> None:
    """Have the bucket log to the target. Raises RemoteError."""
    calls = store.calls
    calls.ask(
        "s3:PutBucketLogging",
        "",
        lambda client: client.put_bucket_logging(
            Bucket=calls.bucket,
            BucketLoggingStatus={"LoggingEnabled": {"TargetBucket": target.bucket, "TargetPrefix": target.prefix}},
        ),
    )
