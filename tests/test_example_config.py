"""The example configuration: a user who copies a line from it gets the default that it claims."""

from pathlib import Path

from lobsterdv.formats.config import merge, parse_config
from lobsterdv.formats.remote_settings import REMOTE_KEYS
from lobsterdv.formats.settings import KEYS

EXAMPLE = Path(__file__).parent.parent / ".lobsterdv.example.yaml"


def _uncommented() -> bytes:
    lines = [line.removeprefix("#:") for line in EXAMPLE.read_text().splitlines() if line.startswith("#:")]
    return ("\n".join(line.removeprefix(" ") for line in lines) + "\n").encode()


def test_every_setting_stands_there_with_its_default() -> None:
    layer = parse_config(_uncommented(), "private", source="example")
    assert set(layer.settings) == set(KEYS)
    assert set(layer.remotes["lab"]) == set(REMOTE_KEYS)
    config = merge([layer])
    assert config.settings == {key: spec.default for key, spec in KEYS.items()}
    defaults = {key: spec.default for key, spec in REMOTE_KEYS.items()} | {"url": "s3://bucket/prefix"}
    assert config.remotes["lab"].settings == defaults


def test_as_it_is_it_sets_nothing() -> None:
    layer = parse_config(EXAMPLE.read_bytes(), "tracked", source="example")
    assert layer.settings == {} and layer.remotes == {}
