"""open_project: the one place where the environment is read, and what it makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lobsterdv.errors import ConfigError
from lobsterdv.formats.config import dump_config
from lobsterdv.ops.store_options import s3_options
from lobsterdv.project import flag_layer, open_project, user_config_path
from lobsterdv.stores.open import parse_url
from tests.ops.lab import Lab


def test_later_layers_win(lab: Lab) -> None:
    """User, tracked, private, environment, flags."""
    seen = []

    def big_file(**options: object) -> int:
        project = open_project(lab.root, environment=lab.env, **options)  # type: ignore[arg-type]
        value = project.config.number("big_file")
        project.close()
        seen.append(value)
        return value

    user = user_config_path(lab.env)
    user.parent.mkdir(parents=True)
    user.write_bytes(dump_config({"big_file": 1000}))
    assert big_file() == 1000
    tracked = lab.path(".lobsterdv.yaml")
    tracked.write_bytes(dump_config({"project": lab.project.project_id, "big_file": 2000}))
    assert big_file() == 2000
    lab.project.state.mkdir(exist_ok=True)
    (lab.project.state / "config.yaml").write_bytes(dump_config({"big_file": 3000}))
    assert big_file() == 3000
    lab.env["LOBSTERDV_BIG_FILE"] = "4000"
    assert big_file() == 4000
    assert big_file(flags=flag_layer({"big_file": 5000})) == 5000


def test_the_cache_may_lie_elsewhere_but_not_by_a_clones_word(lab: Lab, tmp_path: Path) -> None:
    """A repository that points the cache at a folder of ours could fill or read it."""
    lab.reopen(LOBSTERDV_CACHE_DIR=str(tmp_path / "elsewhere"))
    assert lab.project.cache.folder == tmp_path / "elsewhere"
    lab.env.pop("LOBSTERDV_CACHE_DIR")
    text = lab.read(".lobsterdv.yaml").decode()
    for line in ("cache.dir: /tmp\n", "jobs: 200\n"):
        lab.path(".lobsterdv.yaml").write_text(text + line)
        with pytest.raises(ConfigError, match="machine or user"):
            open_project(lab.root, environment=lab.env)


def test_a_store_is_opened_once(lab: Lab) -> None:
    remote = lab.project.remote()
    assert lab.project.store(remote) is lab.project.store(remote)


def test_an_unknown_remote_names_the_known_ones(lab: Lab) -> None:
    with pytest.raises(ConfigError, match="embedded"):
        lab.project.remote("nothing")


def test_settings_reach_the_s3_store(lab: Lab) -> None:
    settings = {"url": "s3://bucket/a/b", "region": "eu-west-1", "profile": "lab", "part_size": "8MiB", "attempts": 3}
    lab.configure(remotes={"cloud": settings})
    remote = lab.project.remote("cloud")
    place = parse_url(remote.url)
    options = s3_options(remote, place, root=lab.root)  # type: ignore[arg-type]
    assert (options.bucket, options.prefix, options.region, options.profile) == ("bucket", "a/b", "eu-west-1", "lab")
    assert (options.part_size, options.attempts) == (8 << 20, 3)
