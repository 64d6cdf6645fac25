"""Credentials of a role: those of the AWS chain assume it, and again before they expire."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from lobsterdv.stores.s3_options import S3Options

if TYPE_CHECKING:
    from botocore.config import Config
    from botocore.session import Session

METHOD = "assume-role"


def assume_role(session: Session, options: S3Options, config: Config) -> None:
    """From now on ``session`` acts as ``options.role_arn``. Nothing is sent before its first request.

    Raises botocore's NoCredentialsError when there is nobody to assume it.
    """
    from botocore.credentials import (  # noqa: PLC0415 - with botocore
        AssumeRoleCredentialFetcher,
        DeferredRefreshableCredentials,
    )
    from botocore.exceptions import NoCredentialsError  # noqa: PLC0415 - with botocore

    source = session.get_credentials()
    if source is None:
        raise NoCredentialsError
    extra: dict[str, Any] = {"RoleSessionName": options.role_session_name or "lobsterdv"}
    if options.external_id:
        extra["ExternalId"] = options.external_id
    if options.mfa_serial:
        extra["SerialNumber"] = options.mfa_serial
    fetcher = AssumeRoleCredentialFetcher(
        partial(sts_client, session, options, config),
        source,
        options.role_arn,
        extra_args=extra,
        mfa_prompter=_ask_for_code,
    )
    acting = DeferredRefreshableCredentials(fetcher.fetch_credentials, METHOD)
    session._credentials = acting  # type: ignore[attr-defined]  # botocore has no public way


def sts_client(session: Session, options: S3Options, config: Config, service: str = "sts", **keys: Any) -> Any:
    """A client for who one is. Servers other than AWS that know roles answer at the address of S3 itself.

    Not in a region of its own, it asks where the bucket is. ``keys`` are botocore's, of who asks.
    """
    region = options.region or session.get_config_variable("region") or "us-east-1"
    return session.create_client(
        service,
        region_name=region,
        endpoint_url=options.endpoint_url or None,
        config=config,
        verify=options.ca_bundle or None,
        **keys,
    )


def _ask_for_code(prompt: str) -> str:
    """The one question that this layer asks: nobody above knows when a role wants a new code."""
    from getpass import getpass  # noqa: PLC0415 - start-up time

    from botocore.exceptions import RefreshWithMFAUnsupportedError  # noqa: PLC0415 - with botocore

    if not sys.stdin.isatty():
        raise RefreshWithMFAUnsupportedError
    return getpass(prompt)
