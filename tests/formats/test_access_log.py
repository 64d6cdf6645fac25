"""Access logs: if these fail, a lab counts the wrong reads, or a hostile client breaks its reports."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from lobsterdv.formats.access_log import MAX_LINE, parse_access

OWNER = "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"
EXAMPLE = (
    f"{OWNER} amzn-s3-demo-bucket1 [06/Feb/2019:00:00:38 +0000] 192.0.2.3 arn:aws:iam::1:user/ada 3E57427F3EXAMPLE "
    'REST.GET.OBJECT lab/objects/ab/x%2520y "GET /lab/objects/ab/x%20y HTTP/1.1" 200 - 113 2662992 7 4 "-" '
    '"S3Console/0.4" - s9lzHYrFp76ZVxRcpX9+5cjAnEH2ROuNkd2BHfIa6UkFVdtjf5mKR3/eTPFvsiP/XV/VLi31234= SigV4 '
    "ECDHE-RSA-AES128-GCM-SHA256 AuthHeader amzn-s3-demo-bucket1.s3.us-west-1.amazonaws.com TLSV1.2 - -"
)


def test_the_documented_line() -> None:
    access = parse_access(EXAMPLE.encode())
    assert access is not None
    assert (access.user, access.operation, access.key) == (
        "arn:aws:iam::1:user/ada",
        "REST.GET.OBJECT",
        "lab/objects/ab/x y",
    )
    assert (access.status, access.error, access.sent_bytes) == (200, "", 113)
    assert access.at == 1549411238
    assert EXAMPLE.split(" ")[7] == access.operation, "the eighth token, not the sixth"


def test_quotes_of_the_client_and_new_fields_at_the_end() -> None:
    odd = EXAMPLE.replace('"S3Console/0.4"', '"a "quoted" client"') + ' one "two three" four'
    assert parse_access(odd.encode()) == parse_access(EXAMPLE.encode())


def test_absent_values() -> None:
    line = EXAMPLE.replace("arn:aws:iam::1:user/ada", "-").replace("200 - 113", "403 AccessDenied -")
    access = parse_access(line.encode())
    assert access is not None and (access.user, access.error, access.sent_bytes) == ("", "AccessDenied", 0)


def test_what_is_no_line_is_none() -> None:
    for line in (
        "",
        "a b c",
        EXAMPLE.replace("Feb", "Feb" * 3),
        EXAMPLE.replace("REST.GET.OBJECT", "rm"),
        EXAMPLE[:80],
    ):
        assert parse_access(line.encode()) is None
    assert parse_access(EXAMPLE.replace("06/Feb", "31/Feb").encode()) is None
    assert parse_access(b"x" * (MAX_LINE + 1)) is None


@given(st.one_of(st.binary(max_size=300), st.text(alphabet='[]"- \\0a%', max_size=300).map(str.encode)))
def test_no_line_breaks_the_reader(line: bytes) -> None:
    for whole in (line, EXAMPLE.encode()[:200] + line, EXAMPLE.encode() + line):
        found = parse_access(whole)
        assert found is None or (found.sent_bytes >= 0 and found.operation)


def test_hostile_lines_take_little_time() -> None:
    began = time.process_time()
    for text in ('"' * 60_000, '["' * 30_000, '" "' * 20_000, '"a ' * 20_000):
        parse_access(text.encode())
    assert time.process_time() - began < 5
