"""Who the credentials belong to, by asking the token service. Best effort: servers other than AWS may have none."""

from __future__ import annotations

from typing import Any

from lobsterdv.stores.s3_errors import foreign_errors
from lobsterdv.stores.s3_options import S3Credentials, S3Options

_PATIENCE_S = 5


def arn_of_caller(options: S3Options, credentials: S3Credentials | None = None) -> str | None:
    """The ARN that requests are made as; None where nobody tells it."""
    from botocore.config import Config  # noqa: PLC0415  start-up time
    from botocore.session import Session  # noqa: PLC0415  start-up time

    try:
        session = Session(profile=options.profile or None)
        if credentials:
            session.set_credentials(credentials.access_key, credentials.secret_key, credentials.token or None)
        region = options.region or session.get_config_variable("region") or "us-east-1"
        config = Config(
            connect_timeout=_PATIENCE_S, read_timeout=_PATIENCE_S, retries={"total_max_attempts": 1, "mode": "standard"}
        )
        client: Any = session.create_client(
            "sts", region_name=region, endpoint_url=options.endpoint_url or None, config=config
        )
        try:
            return str(client.get_caller_identity()["Arn"]) or None
        finally:
            client.close()
    except (KeyError, ValueError):
        return None
    except foreign_errors():
        return None
