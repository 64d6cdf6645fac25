"""If these fail, a cloned repository redirects requests or paths of the machine, a secret lands in git, or a typo in a
setting passes unnoticed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lobsterdv.errors import ConfigError, FormatError, UnknownFormat
from lobsterdv.formats.config import Layer, Remote, dump_config, environment_layer, merge, parse_config
from lobsterdv.formats.remote_settings import REMOTE_KEYS
from lobsterdv.formats.settings import KEYS, check_remote_name, check_value
from lobsterdv.formats.values import Scope, parse_size
from lobsterdv.formats.yamlio import load_mapping
from tests.formats.strategies import damaged, mappings, moderate, values

REMOTE = "remotes:\n  lab:\n    url: /shared\n"


def parse(text: str, scope: str = "private") -> Layer:
    if ":" in text and "lobsterdv" not in text:
        text = "lobsterdv: 1\n" + text
    return parse_config(text.encode(), scope, source="config")  # type: ignore[arg-type]


def test_nothing_configured_gives_the_defaults() -> None:
    for text in ("", "\n", "# all commented out\n", "lobsterdv: 1\n", "{}\n", "remote: embedded\n"):
        assert merge([parse(text)]).settings == {key: spec.default for key, spec in KEYS.items()}


def test_later_layers_win_key_by_key() -> None:
    layers = [
        parse(REMOTE + "jobs: 2\nbig_file: 1MB\n", "user"),
        parse("remote: lab\n", "tracked"),
        parse("jobs: 3\nremotes:\n  lab:\n    profile: ada\n    region: eu-west-1\n"),
        environment_layer({"LOBSTERDV_JOBS": "4", "LOBSTERDV_CACHE_LINK": "copy,hardlink", "OTHER": "x"}),
        Layer("flag", "flags", {"jobs": 5}, {}),
    ]
    config = merge(layers)
    assert (config.number("jobs"), config.number("big_file"), config.text("remote")) == (5, 1_000_000, "lab")
    assert merge(layers[:4]).number("jobs") == 4 and config.links == ("copy", "hardlink")
    lab = config.remotes["lab"]
    assert (lab.url, lab.text("profile"), lab.number("concurrency")) == ("/shared", "ada", 10)
    assert set(lab.settings) == set(REMOTE_KEYS)


def test_who_named_an_endpoint_is_remembered_and_trust_is_for_one_place() -> None:
    tracked = parse("remotes:\n  lab:\n    url: s3://b/p\n    endpoint_url: http://evil\n", "tracked")
    private = parse('trusted: ["lab s3://b/p http://good"]\nremotes:\n  lab:\n    region: x\n')
    config = merge([tracked, private])
    assert config.remotes["lab"].endpoint_scope == "tracked"
    assert config.remotes["lab"].trust_line == "lab s3://b/p http://evil"
    assert config.remotes["lab"].trust_line not in config.trusted
    mine = parse("remotes:\n  lab:\n    endpoint_url: http://good\n")
    assert merge([tracked, mine]).remotes["lab"].endpoint_scope == "private"
    assert merge([tracked, private, mine]).remotes["lab"].trust_line in config.trusted


@pytest.mark.parametrize(
    ("url", "endpoint", "scope"),
    [
        ("tracked", "tracked", "tracked"), ("private", "tracked", "tracked"), ("user", "tracked", "tracked"),
        ("tracked", "private", "private"), ("tracked", "user", "tracked"), ("private", "user", "private"),
        ("user", "user", "user"), ("tracked", None, "tracked"),
    ],
)  # fmt: skip
def test_a_url_of_ones_own_does_not_vouch_for_an_endpoint_of_the_repository(
    url: Scope, endpoint: Scope | None, scope: Scope
) -> None:
    """Else whoever writes to it could change the endpoint later, and have signed requests sent there."""
    scopes: dict[str, Scope] = {"url": url, **({"endpoint_url": endpoint} if endpoint else {})}
    assert Remote("lab", {}, scopes).endpoint_scope == scope


@pytest.mark.parametrize(
    "text", ["cache:\n  dir: /tmp\n", "cache:\n  link: [symlink]\n", "jobs: 99\n", "trusted: [a]\n"]
)
def test_a_cloned_repository_sets_nothing_of_the_machine(text: str) -> None:
    with pytest.raises(ConfigError):
        parse(text, "tracked")


SECRETS = ["secret_key", "aws_secret_access_key", "password", "token", "access_key", "credentials", "private_key"]


@pytest.mark.parametrize("scope", ["user", "tracked", "private"])
@pytest.mark.parametrize("key", SECRETS)
def test_secrets_are_refused_and_not_repeated(key: str, scope: str) -> None:
    for text in (f"{key}: hunter2\n", f"remotes:\n  lab:\n    url: /x\n    {key}: hunter2\n"):
        with pytest.raises(ConfigError, match="secret") as caught:
            parse(text, scope)
        assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["job: 3\n", "jobs: 0\n", "jobs: 257\n", "jobs: 1.5\n", "jobs: true\n", "jobs: many\n", "jobs: [1]\n",
     "big_file: -1\n", "big_file: 1 parsec\n", "describe: maybe\n", "cache: here\n", "cache:\n  dirr: x\n",
     "cache:\n  link: []\n",
     "cache:\n  link: [teleport]\n", "cache:\n  link: {a: b}\n", 'cache:\n  dir: ""\n', 'remote: "a\\nb"\n',
     "remote: [a]\n", "remotes: lab\n", "remotes:\n  lab: /x\n", 'remotes:\n  "../x":\n    url: /x\n',
     "remotes:\n  -x:\n    url: /x\n",
     "remotes:\n  lab:\n    uri: /x\n", "remotes:\n  lab:\n    addressing: sideways\n", "project: xyz\n",
     "remotes:\n  lab:\n    part_size: 1MB\n", "remotes:\n  lab:\n    part_size: 6GiB\n", "trusted: x\n"],
)  # fmt: skip
def test_mistakes_are_named_with_their_file(text: str) -> None:
    with pytest.raises(ConfigError, match="config") as caught:
        parse(text)
    assert "\n" not in str(caught.value)


def test_a_file_that_says_something_says_its_format() -> None:
    with pytest.raises(FormatError, match="lobsterdv: 1"):
        parse_config(b"jobs: 2\n", "user", source="config")


def test_a_remote_needs_a_place_and_a_decent_name() -> None:
    with pytest.raises(ConfigError, match="no url"):
        merge([parse("remotes:\n  lab:\n    region: x\n")])
    for name in ("", "a b", "a/b", "..", "x" * 65, "é", "-a", "a\n"):
        with pytest.raises(ConfigError):
            check_remote_name(name, source="x")


def test_what_a_user_says_of_a_remote_counts_where_there_is_one() -> None:
    mine = parse_config(b"lobsterdv: 1\nremotes:\n  lab:\n    profile: me\n", "user", source="x")
    assert merge([mine]).remotes.keys() == set()
    assert merge([mine, parse(REMOTE)]).remotes["lab"].text("profile") == "me"
    scopes: tuple[Scope, ...] = ("tracked", "private")
    for scope in scopes:
        also = parse_config(b"lobsterdv: 1\nremotes:\n  lab:\n    region: x\n", scope, source="x")
        with pytest.raises(ConfigError, match="no url"):
            merge([mine, also])


def test_newer_configuration_is_refused_by_name() -> None:
    with pytest.raises(UnknownFormat):
        parse("lobsterdv: 2\nanything: goes\n")


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("10MB", 10_000_000),
        ("64 MiB", 64 << 20),
        ("1.5kB", 1500),
        ("1TiB", 1 << 40),
        ("7B", 7),
        (" 5GB ", 5 * 10**9),
    ],
)
def test_sizes_are_read_as_people_write_them(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MB", "-1", "1e3", "1,5MB", "1MBB", "9" * 400, "\u0661MB", "1 M B", "inf"])
def test_other_sizes_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_size(text)


@moderate
@given(st.sampled_from(sorted(KEYS)), values(2), st.sampled_from(["tracked", "private", "environment"]))
def test_any_value_of_any_key_is_taken_or_refused(key: str, value: Any, scope: Any) -> None:
    try:
        check_value(key, value, scope, source="x")
    except ConfigError:
        pass


@moderate
@given(mappings)
def test_a_written_configuration_has_one_encoding(mapping: dict[str, Any]) -> None:
    data = dump_config(mapping)
    found = load_mapping(data, what="x")
    assert data.startswith(b"lobsterdv: 1\n") and dump_config(found) == data


@moderate
@given(damaged(b"lobsterdv: 1\njobs: 3\ncache:\n  dir: /x\nremotes:\n  lab:\n    url: /y\n    concurrency: 4\n"))
def test_damage_is_refused_or_another_configuration(data: bytes) -> None:
    try:
        merge([parse_config(data, "private", source="x")])
    except (ConfigError, FormatError):
        pass
