"""selftest: if it fails, it leaves things in somebody's bucket, or calls a server good that is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from lobsterdv.ops.selftest import selftest_remote
from lobsterdv.stores.memory import MemoryStore
from tests.cli.conftest import Desk
from tests.server import Server


def everything(folder: Path) -> set[str]:
    return {str(path) for path in folder.rglob("*")}


def test_here_it_passes_and_leaves_nothing(desk: Desk) -> None:
    before = everything(desk.here.parent)
    checks = desk.json("selftest")["report"]["checks"]
    assert len(checks) == 7 and {check["state"] for check in checks} <= {"ok", "note"}
    assert len(desk.ldv("selftest").lines) == 7
    assert everything(desk.here.parent) == before


def test_a_folder_that_is_a_remote(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "shelf").mkdir()
    (tmp_path / "shelf/kept").write_text("mine")
    assert len(desk.json("selftest", "--remote", str(tmp_path / "shelf"))["report"]["checks"]) == 14
    assert everything(tmp_path / "shelf") == {str(tmp_path / "shelf/kept")}
    assert (
        desk.json("selftest", "--remote", str(tmp_path / "away/away"), code=1)["report"]["checks"][7]["state"]
        == "failed"
    )


def test_a_bucket(lab: Desk, moto: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in moto.environment.items():
        monkeypatch.setenv(name, value)
    bucket = moto.new_bucket()
    moto.client.put_object(Bucket=bucket, Key="x/kept", Body=b"mine")
    checks = lab.json("selftest", "--remote", f"s3://{bucket}/x")["report"]["checks"]
    assert [check["name"] for check in checks[7:]][-1] == "clean up" and len(checks) == 14
    found = moto.client.list_objects_v2(Bucket=bucket)["Contents"]
    assert [item["Key"] for item in found] == ["x/kept"]
    assert "Uploads" not in moto.client.list_multipart_uploads(Bucket=bucket)


class Stale(MemoryStore):
    """Serves the first value for ever."""

    def put(self, key: str, data: bytes | memoryview, *, if_absent: bool = False) -> bool:
        return super().put(key, data, if_absent=True)


def test_a_server_that_serves_old_values_fails() -> None:
    report = selftest_remote(Stale(), "selftest")
    assert not report.passed and [c.name for c in report.checks if c.state == "failed"] == ["flipped byte"]
