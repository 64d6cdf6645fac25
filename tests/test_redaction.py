"""If these fail, a secret is shown, or one long word of a hostile document stops a command for minutes."""

from __future__ import annotations

import time

import pytest

from lobsterdv.redaction import redacted

SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"


@pytest.mark.parametrize(
    "text",
    [
        f"https://lab.example/x?X-Amz-Signature={SECRET}&x=1",
        f"X-Amz-Credential: {SECRET}",
        f"x-amz-security-token={SECRET}",
        f"aws_session_token = '{SECRET}'",
        f'"SecretAccessKey": "{SECRET}"',
        f"aws_secret_access_key={SECRET}",
        f"Proxy-Authorization: Basic {SECRET}",
        f"s3://me:{SECRET}@host/x",
        f"password={SECRET}",
    ],
)
def test_what_a_name_announces_is_not_shown(text: str) -> None:
    shown = redacted(text)
    assert SECRET not in shown and "…" in shown


@pytest.mark.parametrize(
    "word", ["n", "secret", "x-amz-", "signature", "credential", "//", "AKIA", "authorization=aws-"]
)
def test_a_long_word_takes_no_longer_than_it_is_long(word: str) -> None:
    """It took 7 s for 13 kB."""
    begun = time.thread_time()
    redacted(word * (200_000 // len(word)))
    assert time.thread_time() - begun < 2
