"""Who the credentials belong to, by asking the token service. Best effort: servers other than AWS may have none."""

from __future__ import annotations

from lobsterdv.stores.s3_errors import foreign_errors
from lobsterdv.stores.s3_options import S3Credentials, S3Options
from lobsterdv.stores.s3_role import assume_role, sts_client

_PATIENCE_S = 5


def arn_of_caller(options: S3Options, credentials: S3Credentials | None = None) -> str | None:
    """The ARN that requests are made as; None where nobody tells it."""
    from botocore.config import Config  # noqa: PLC0415  start-up time
    from botocore.session import Session  # noqa: PLC0415  start-up time

    try:
        session = Session(profile=options.profile or None)
        if credentials:
            session.set_credentials(credentials.access_key, credentials.secret_key, credentials.token or None)
        config = Config(
            connect_timeout=_PATIENCE_S, read_timeout=_PATIENCE_S, retries={"total_max_attempts": 1, "mode": "standard"}
        )
        if options.role_arn:
            assume_role(session, options, config)
        client = sts_client(session, options, config)
        try:
            return str(client.get_caller_identity()["Arn"]) or None
        finally:
            client.close()
    except (KeyError, ValueError):
        return None
    except foreign_errors():
        return None
