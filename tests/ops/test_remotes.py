"""Remotes: configured for everyone, trusted by each, and never a secret in git."""

from __future__ import annotations

from pathlib import Path

import pytest

from lobsterdv.errors import ConfigError, Refused, Unencrypted, Unreachable, Untrusted
from lobsterdv.events import silent
from lobsterdv.formats.config import dump_config
from lobsterdv.ops.remotes import add_remote, default_remote, list_remotes, remove_remote, trust_remote
from lobsterdv.project import user_config_path
from tests.ops.lab import Lab

ENDPOINT = "https://s3.somewhere.example"


def added(lab: Lab, name: str, url: str, **settings: str) -> None:
    add_remote(lab.project, name, url, settings=settings, observer=silent)  # type: ignore[arg-type]
    lab.reopen()


def test_before_any_is_added_there_is_the_embedded_one(lab: Lab) -> None:
    (row,) = list_remotes(lab.project).remotes
    assert (row.name, row.is_default, row.is_embedded) == ("embedded", True, True)
    lab.write("a", "1")
    lab.add("a")
    assert lab.push().embedded


def test_the_first_one_becomes_the_default(lab: Lab, tmp_path: Path) -> None:
    added(lab, "shelf", str(tmp_path / "shelf"))
    assert (tmp_path / "shelf").is_dir()
    added(lab, "bucket", "s3://lab-data/omics", region="eu-central-1")
    rows = {row.name: row for row in list_remotes(lab.project).remotes}
    assert [name for name, row in rows.items() if row.is_default] == ["shelf"]
    assert (rows["bucket"].url, rows["bucket"].settings) == ("s3://lab-data/omics", {"region": "eu-central-1"})
    assert lab.staged() == [".lobsterdv.yaml"]


def test_choosing_and_removing(lab: Lab, tmp_path: Path) -> None:
    added(lab, "shelf", str(tmp_path / "shelf"))
    added(lab, "other", str(tmp_path / "other"))
    default_remote(lab.project, "other", observer=silent)
    assert lab.reopen().project.remote().name == "other"
    remove_remote(lab.project, "other", observer=silent)
    assert lab.reopen().project.remote().name == "embedded"
    assert set(lab.project.config.remotes) == {"embedded", "shelf"}
    assert (tmp_path / "other").is_dir(), "nothing in it is touched"


def test_unknown_and_reserved_names(lab: Lab, tmp_path: Path) -> None:
    for act in (default_remote, remove_remote):
        with pytest.raises(ConfigError):
            act(lab.project, "nothing", observer=silent)
    with pytest.raises(Refused):
        added(lab, "embedded", str(tmp_path))
    with pytest.raises(ConfigError):
        added(lab, "bad name", str(tmp_path))
    added(lab, "shelf", str(tmp_path / "shelf"))
    with pytest.raises(Refused, match="already"):
        added(lab, "shelf", str(tmp_path / "elsewhere"))


@pytest.mark.parametrize("url", ["s3://key:hunter2secret@bucket/x", "https://bucket.example", "s3://", "ftp://x/y"])
def test_bad_urls_and_no_secret_in_what_is_said(lab: Lab, url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        added(lab, "x", url)
    assert "hunter2secret" not in str(caught.value)
    assert "hunter2secret" not in lab.read(".lobsterdv.yaml").decode()


@pytest.mark.parametrize("key", ["secret_access_key", "password", "session_token"])
def test_secrets_are_refused(lab: Lab, key: str) -> None:
    """What is in git once is in every clone for ever."""
    with pytest.raises(ConfigError, match="secret"):
        added(lab, "x", "s3://bucket/x", **{key: "hunter2secret"})
    assert "hunter2secret" not in lab.read(".lobsterdv.yaml").decode()


def test_a_folder_without_a_parent_is_a_typing_mistake(lab: Lab, tmp_path: Path) -> None:
    with pytest.raises(Refused):
        added(lab, "x", str(tmp_path / "mnt" / "typo" / "data"))


def test_a_disk_that_is_not_mounted_is_no_new_remote(lab: Lab, tmp_path: Path) -> None:
    """Else a push would go into an empty mount point and vanish when the disk comes back."""
    added(lab, "usb", str(tmp_path / "usb"))
    (tmp_path / "usb").rmdir()
    lab.write("a", "1")
    lab.add("a")
    with pytest.raises(Unreachable):
        lab.push()
    assert not (tmp_path / "usb").exists()


def test_an_endpoint_from_a_clone_gets_nothing_before_it_is_trusted(lab: Lab) -> None:
    """Whoever writes to the repository must not be able to have our signed requests sent to them."""
    added(lab, "cloud", "s3://bucket/x", endpoint_url=ENDPOINT)
    lab.project.open_store(lab.project.remote())  # who adds it trusts it
    lab.commit()
    other = lab.clone(lab.root.parent / "b")
    with pytest.raises(Untrusted) as caught:
        other.project.open_store(other.project.remote())
    assert caught.value.exit_code == 4
    trust_remote(other.project, "cloud")
    other.reopen().project.open_store(other.project.remote())
    text = other.read(".lobsterdv.yaml").decode()
    other.path(".lobsterdv.yaml").write_text(text.replace(ENDPOINT, "https://s3.attacker.example"))
    with pytest.raises(Untrusted):
        other.reopen().project.open_store(other.project.remote())
    other.close()


def test_a_private_url_does_not_vouch_for_the_repositorys_endpoint(lab: Lab) -> None:
    added(lab, "cloud", "s3://bucket/x", endpoint_url=ENDPOINT)
    lab.commit()
    other = lab.clone(lab.root.parent / "b")
    other.configure(remotes={"cloud": {"url": "s3://bucket/mine"}})
    with pytest.raises(Untrusted):
        other.reopen().project.open_store(other.project.remote())
    trust_remote(other.project, "cloud")
    other.reopen().project.open_store(other.project.remote())
    other.close()


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9000", "http://localhost:9000", "http://[::1]:9000"])
def test_this_machine_is_trusted(lab: Lab, endpoint: str) -> None:
    added(lab, "local", "s3://bucket/x", endpoint_url=endpoint)
    other = lab.commit() and lab.clone(lab.root.parent / "b")
    assert isinstance(other, Lab)
    other.project.open_store(other.project.remote())
    other.close()


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1.attacker.example", "http://localhost.attacker.example",
                                      "http://127.attacker.example"])  # fmt: skip
def test_what_only_looks_like_this_machine_is_not(lab: Lab, endpoint: str) -> None:
    added(lab, "cloud", "s3://bucket/x", endpoint_url=endpoint)
    lab.commit()
    other = lab.clone(lab.root.parent / "b")
    with pytest.raises(Unencrypted):
        other.project.open_store(other.project.remote())
    other.close()


@pytest.mark.parametrize("scope", ["tracked", "private", "user"])
@pytest.mark.parametrize("endpoint", ["http://minio.lab:9000", "http://10.0.0.7:9000"])
def test_nothing_is_sent_unencrypted_before_it_is_allowed_by_name(lab: Lab, endpoint: str, scope: str) -> None:
    """Whoever is on the way could read the data, and replace a manifest before anything is checked against git."""
    settings = {"url": "s3://bucket/x", "endpoint_url": endpoint}
    if scope == "tracked":
        added(lab, "cloud", settings["url"], endpoint_url=endpoint)
    else:
        path = user_config_path(lab.env) if scope == "user" else lab.project.state / "config.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(dump_config({"remotes": {"cloud": settings}, "remote": "cloud"}))
        lab.reopen()
    with pytest.raises(Unencrypted) as caught:
        lab.project.open_store(lab.project.remote("cloud"))
    assert caught.value.exit_code == 4
    trust_remote(lab.project, "cloud")
    lab.reopen()
    lab.project.open_store(lab.project.remote("cloud"))


def test_an_endpoint_with_a_user_name_is_refused_before_it_is_written_down(lab: Lab) -> None:
    with pytest.raises(ConfigError, match="password"):
        added(lab, "cloud", "s3://bucket/x", endpoint_url="http://127.0.0.1@attacker.example")
    assert "attacker" not in lab.read(".lobsterdv.yaml").decode()


def test_continuous_integration_may_trust_by_environment(lab: Lab) -> None:
    added(lab, "cloud", "s3://bucket/x", endpoint_url=ENDPOINT)
    lab.commit()
    other = lab.clone(lab.root.parent / "b")
    other.reopen(LOBSTERDV_TRUST_ENDPOINTS="1")
    other.project.open_store(other.project.remote())
    other.close()
