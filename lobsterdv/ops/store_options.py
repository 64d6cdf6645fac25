"""A remote's settings as the S3 store takes them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from lobsterdv.formats.layout import OBJECTS
from lobsterdv.formats.values import parse_tags

if TYPE_CHECKING:
    from lobsterdv.formats.config import Remote
    from lobsterdv.stores.open import S3Place
    from lobsterdv.stores.s3_options import S3Options


def s3_options(remote: Remote, place: S3Place, *, root: Path) -> S3Options:
    """Raises ConfigError for settings that exclude each other. Paths are relative to ``root``."""
    from lobsterdv.stores.s3_options import S3Options  # noqa: PLC0415 - start-up time

    def choice(key: str) -> Any:  # one of the setting's choices, which are the option's
        return cast(Any, remote.text(key))

    def text(key: str) -> str:
        return remote.text(key) or ""

    def path(key: str) -> str:
        return str(root / Path(text(key)).expanduser()) if text(key) else ""

    return S3Options(
        bucket=place.bucket,
        prefix=place.prefix,
        endpoint_url=text("endpoint_url"),
        region=text("region"),
        profile=text("profile"),
        role_arn=text("role_arn"),
        external_id=text("external_id"),
        role_session_name=text("role_session_name"),
        mfa_serial=text("mfa_serial"),
        anonymous=remote.switch("anonymous"),
        addressing=choice("addressing"),
        accelerate=remote.switch("accelerate"),
        dualstack=remote.switch("dualstack"),
        fips=remote.switch("fips"),
        proxies=text("proxies"),
        ca_bundle=path("ca_bundle"),
        requester_pays=remote.switch("requester_pays"),
        sse=text("sse"),
        kms_key_id=text("kms_key_id"),
        sse_c_key_file=path("sse_c_key_file"),
        acl=text("acl"),
        tags=tuple(parse_tags(text("tags")).items()) if text("tags") else (),
        concurrency=remote.number("concurrency"),
        max_bandwidth=remote.number("max_bandwidth"),
        part_size=remote.number("part_size"),
        multipart_threshold=remote.number("multipart_threshold"),
        connect_timeout=remote.number("connect_timeout"),
        read_timeout=remote.number("read_timeout"),
        attempts=remote.number("attempts"),
        retry_mode=choice("retry_mode"),
        payload_signing=remote.switch("payload_signing"),
        checksum=choice("checksum"),
        storage_class=text("storage_class"),
        class_prefix=OBJECTS,
    )
