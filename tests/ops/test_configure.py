"""remote configure: what is written where, what is refused, and what a clone must not be able to do."""

from __future__ import annotations

from typing import Any

import pytest

from lobsterdv.errors import ConfigError, Refused, Untrusted
from lobsterdv.events import silent
from lobsterdv.formats.remote_settings import REMOTE_KEYS
from lobsterdv.ops.configure import ConfigureReport, configure_remote
from lobsterdv.ops.remotes import add_remote, trust_remote
from lobsterdv.stores.s3 import S3Store
from tests.ops.lab import Lab


def added(lab: Lab, **settings: Any) -> None:
    add_remote(lab.project, "cloud", "s3://bucket/x", settings=settings, observer=silent)
    lab.reopen()


def configure(lab: Lab, *unset: str, private: bool = False, **given: str) -> ConfigureReport:
    report = configure_remote(lab.project, "cloud", given=given, unset=unset, private=private, observer=silent)
    lab.reopen()
    return report


def options(lab: Lab) -> Any:
    store = lab.project.open_store(lab.project.remote("cloud"))
    assert isinstance(store, S3Store)
    return store.options


def test_settings_are_written_read_and_taken_back(lab: Lab) -> None:
    added(lab)
    report = configure(lab, region="eu-west-1", max_bandwidth="2MB/s", tags="a=b, c=d", requester_pays="yes")
    assert [(row.key, row.value, row.said) for row in report.settings] == [
        ("region", "eu-west-1", "tracked"), ("max_bandwidth", 2_000_000, "tracked"), ("tags", "a=b,c=d", "tracked"),
        ("requester_pays", True, "tracked")]  # fmt: skip
    found = options(lab)
    assert (found.region, found.max_bandwidth, found.tags) == ("eu-west-1", 2_000_000, (("a", "b"), ("c", "d")))
    assert found.requester_pays is True
    assert lab.staged() == [".lobsterdv.yaml"]
    configure(lab, "tags", "region")
    assert (options(lab).tags, options(lab).region, options(lab).max_bandwidth) == ((), "", 2_000_000)


def test_private_settings_stay_in_this_clone_and_win(lab: Lab) -> None:
    added(lab, region="eu-west-1")
    before = lab.read(".lobsterdv.yaml")
    report = configure(lab, private=True, region="us-east-1", sse_c_key_file="~/key")
    assert report.file is not None and report.file.endswith("lobsterdv/config.yaml")
    assert lab.read(".lobsterdv.yaml") == before
    assert options(lab).region == "us-east-1"
    assert "~" not in options(lab).sse_c_key_file
    configure(lab, "region", private=True)
    assert options(lab).region == "eu-west-1"


EVERY = {
    "endpoint_url": "https://s3.lab.example", "region": "eu-west-1", "profile": "lab", "role_arn": "arn:x",
    "external_id": "e", "role_session_name": "ann", "mfa_serial": "m", "anonymous": "true", "addressing": "path",
    "accelerate": "true", "dualstack": "true", "fips": "true", "proxies": "http://proxy:3128", "ca_bundle": "ca.pem",
    "requester_pays": "true", "sse": "aws:kms", "kms_key_id": "alias/x", "sse_c_key_file": "key", "acl": "private",
    "tags": "a=b", "concurrency": "3", "max_bandwidth": "1MB", "multipart_threshold": "20MB", "part_size": "6MB",
    "connect_timeout": "2", "read_timeout": "4", "attempts": "9", "retry_mode": "standard", "payload_signing": "true",
    "checksum": "xxhash128",
}  # fmt: skip
ELSEWHERE = {"url", "compression", "storage_class", "priority"}
"""Settings that are not the S3 client's, or are tested with what they are for."""
BESIDE = {"external_id": {"role_arn": "r"}, "mfa_serial": {"role_arn": "r"}}


@pytest.mark.parametrize("key", sorted(EVERY))
def test_every_setting_reaches_the_store(lab: Lab, key: str) -> None:
    added(lab)
    default = getattr(options(lab), key)
    configure(lab, private=True, **BESIDE.get(key, {}), **{key: EVERY[key]})
    assert getattr(options(lab), key) != default


def test_and_there_are_no_others() -> None:
    assert set(REMOTE_KEYS) - ELSEWHERE == set(EVERY)


ASKING = {
    "proxies": "http://proxy:1", "ca_bundle": "ca.pem", "anonymous": "true", "role_arn": "arn:x", "acl": "public-read",
    "requester_pays": "true", "endpoint_url": "https://s3.lab.example",
}  # fmt: skip


@pytest.mark.parametrize("key", sorted(ASKING))
def test_what_a_clone_brought_needs_a_word(lab: Lab, key: str) -> None:
    """Else whoever can write to the repository has our requests sent through their hands, or our data made public."""
    added(lab)
    configure(lab, **{key: ASKING[key]})
    options(lab)  # who writes it means it
    lab.commit()
    other = lab.clone(lab.root.parent / "b")
    with pytest.raises(Untrusted, match=key if key != "endpoint_url" else "s3.lab"):
        options(other)
    report = configure(other, region="eu-west-1")
    assert key in report.untrusted, "another setting is no word for this one"
    with pytest.raises(Untrusted):
        options(other)
    trust_remote(other.project, "cloud")
    options(other.reopen())
    if key in ("proxies", "ca_bundle", "role_arn", "endpoint_url"):
        text = other.read(".lobsterdv.yaml").decode()
        other.path(".lobsterdv.yaml").write_text(text.replace(ASKING[key], ASKING[key] + "x"))
        with pytest.raises(Untrusted):
            options(other.reopen())
    other.close()


@pytest.mark.parametrize("key", ["sse_c_key_file", "mfa_serial", "role_session_name"])
def test_what_is_a_machines_or_a_persons_is_not_shared(lab: Lab, key: str) -> None:
    added(lab)
    with pytest.raises(ConfigError, match="machine or user"):
        configure(lab, **{key: "x"})


@pytest.mark.parametrize("key", ["secret_key", "sse_c_key", "password", "session_token"])
@pytest.mark.parametrize("private", [True, False])
def test_secrets_are_refused_wherever(lab: Lab, key: str, private: bool) -> None:
    added(lab)
    with pytest.raises(ConfigError, match="secret") as caught:
        configure(lab, private=private, **{key: "hunter2secret"})
    assert "hunter2" not in str(caught.value) and b"hunter2" not in lab.read(".lobsterdv.yaml")


def test_a_proxy_with_a_password_is_refused(lab: Lab) -> None:
    added(lab)
    with pytest.raises(ConfigError, match="password"):
        configure(lab, private=True, proxies="http://ann:hunter2@proxy:3128")


BAD = [
    {"region": ""}, {"nonsense": "x"}, {"tags": "a"}, {"tags": ",".join(f"k{n}=v" for n in range(11))},
    {"concurrency": "0"}, {"sse": "rot13"}, {"max_bandwidth": "fast"}, {"acl": "everybody"},
    {"accelerate": "true", "endpoint_url": "https://s3.lab"}, {"sse": "AES256", "kms_key_id": "k"}, {"url": "ftp://x"},
]  # fmt: skip


@pytest.mark.parametrize("given", BAD)
def test_nothing_is_written_of_what_is_refused(lab: Lab, given: dict[str, str]) -> None:
    added(lab)
    before = lab.read(".lobsterdv.yaml")
    with pytest.raises(ConfigError):
        configure(lab, **{"attempts": "7", **given})
    assert lab.read(".lobsterdv.yaml") == before


def test_what_is_not_there_cannot_be_taken_back(lab: Lab) -> None:
    added(lab)
    with pytest.raises(ConfigError, match="not set"):
        configure(lab, "region")
    with pytest.raises(ConfigError, match="both"):
        configure(lab, "region", region="x")
    with pytest.raises(ConfigError, match="unknown"):
        configure(lab, "regoin")
    with pytest.raises(Refused):
        configure_remote(lab.project, "embedded", given={"attempts": "2"}, observer=silent)


def test_the_aws_profile_speaks_where_the_remote_says_nothing(lab: Lab) -> None:
    added(lab, profile="lab", part_size="7MB")
    config = lab.path(".git/aws")
    config.write_text("[profile lab]\ns3 =\n  max_bandwidth = 3MB/s\n  multipart_chunksize = 9MB\n")
    lab.reopen(AWS_CONFIG_FILE=str(config))
    assert (options(lab).max_bandwidth, options(lab).part_size) == (3 << 20, 7_000_000)
    shown = {row.key: row.said for row in configure_remote(lab.project, "cloud", given={}, observer=silent).settings}
    assert (shown["max_bandwidth"], shown["part_size"], shown["acl"]) == ("aws", "tracked", "default")
    configure_remote(lab.project, "cloud", given={"max_bandwidth": "1MB"}, private=True, observer=silent)
    lab.reopen(AWS_CONFIG_FILE=str(config))
    assert options(lab).max_bandwidth == 1_000_000
