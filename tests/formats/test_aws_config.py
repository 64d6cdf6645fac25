"""~/.aws/config is where companies keep how S3 is to be used; misread, transfers are slow, or take the whole line."""

from __future__ import annotations

import pytest

from lobsterdv.errors import ConfigError
from lobsterdv.formats.aws_config import profile_settings

TEXT = """
# a comment
[default]
region = eu-west-1
s3 =
  max_concurrent_requests = 20
  max_bandwidth = 50MB/s
  # another
  multipart_threshold = 64MB
  multipart_chunksize=16MB
  use_accelerate_endpoint = true
  addressing_style = path
  use_dualstack_endpoint = true
  payload_signing_enabled = true
  max_queue_size = 10000
output = json
cli_history =
  max_concurrent_requests = 99

[profile lab]
s3=
    max_bandwidth = 80Mb/s
    max_concurrent_requests = 100000
    multipart_chunksize = 1MB
[profile "a b"]
s3 =
  addressing_style = virtual
[lab]
s3 =
  max_bandwidth = 1
"""


def test_the_default_profile() -> None:
    assert profile_settings(TEXT.partition("[lab]")[0], None, source="x") == {
        "concurrency": 20,
        "max_bandwidth": 50 << 20,
        "multipart_threshold": 64 << 20,
        "part_size": 16 << 20,
        "accelerate": True,
        "addressing": "path",
        "dualstack": True,
        "payload_signing": True,
    }


def test_a_named_profile_in_bits_and_beyond_our_limits() -> None:
    found = profile_settings(TEXT.partition("[lab]")[0], "lab", source="x")
    assert found == {"max_bandwidth": 10 << 20, "concurrency": 256, "part_size": 5 << 20}
    assert profile_settings(TEXT, "a b", source="x") == {"addressing": "virtual"}
    assert profile_settings(TEXT, "nobody", source="x") == {}
    assert profile_settings("", None, source="x") == {}


@pytest.mark.parametrize("line", ["max_bandwidth = fast", "addressing_style = sideways", "use_dualstack_endpoint = 7"])
def test_what_cannot_be_read_is_named(line: str) -> None:
    with pytest.raises(ConfigError, match=line.partition(" ")[0]):
        profile_settings(f"[default]\ns3 =\n  {line}\n", None, source="~/.aws/config")
