"""What each S3 server can do, as a run of the contract tests found it: the two tables of docs/s3.md. A pytest plugin.

``--write-servers docs/s3.md`` writes them. moto, which needs no marker elsewhere, is then in the run whatever ``-m s3``
selects, so that no column is missing.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.server import PROGRAMS

SERVERS = ("moto", *PROGRAMS)
_BEGIN, _END = "<!-- servers: begin -->", "<!-- servers: end -->"
_TRIED: dict[str, list[str]] = {}
_FEATURES: dict[str, dict[str, str]] = {}
_CONTRACT, _FEATURE = "test_store_contract.py::", "test_server_features.py::"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-servers", metavar="FILE", help="write what each S3 server could do into this document")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Before ``-m`` selects."""
    if config.getoption("--write-servers"):
        for item in items:
            if any(name in item.nodeid for name in (_CONTRACT, _FEATURE)) and "[moto" in item.nodeid:
                item.add_marker(pytest.mark.s3)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note how it went."""
    if _FEATURE in report.nodeid and report.when == "call":
        told = dict(report.user_properties)
        server = str(told.pop("server", ""))
        for feature, found in told.items():
            _FEATURES.setdefault(feature, {})[server] = str(found)
    name, _, case = report.nodeid.partition(_CONTRACT)[2].partition("[")
    server = next((server for server in SERVERS if case.startswith(server)), "")
    if server and (report.when == "call" or report.failed):
        skipped = str(report.longrepr[2]).removeprefix("Skipped: ") if isinstance(report.longrepr, tuple) else ""
        reason = getattr(report, "wasxfail", "") or skipped or ("" if report.passed else f"{name} failed")
        _TRIED.setdefault(server, []).append(reason if report.when == "call" else f"{name} could not run")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the tables between their markers; servers that were not tried are not in them."""
    place = session.config.getoption("--write-servers")
    if place and _TRIED:
        path = Path(place)
        before, _, rest = path.read_text(encoding="utf-8").partition(_BEGIN)
        after = rest.partition(_END)[2]
        assert after or rest, f"{place} has no markers for the tables of servers"
        text = "\n".join([*_contract_rows(), "", *_feature_rows()])
        path.write_text(f"{before}{_BEGIN}\n{text}\n{_END}{after}", encoding="utf-8")


def _contract_rows() -> list[str]:
    rows = ["| server | contract tests that pass | what it cannot do |", "|---|---|---|"]
    for server in SERVERS:
        if server in _TRIED:
            outcomes = _TRIED[server]
            lacks = "; ".join(dict.fromkeys(filter(None, outcomes))) or "-"
            rows.append(f"| {server} | {outcomes.count('')} of {len(outcomes)} | {lacks} |")
    return rows


def _feature_rows() -> list[str]:
    tried = [server for server in SERVERS if server in _TRIED]
    rows = [f"| what | {' | '.join(tried)} |", "|---" * (1 + len(tried)) + "|"]
    for feature, found in _FEATURES.items():
        rows.append(f"| {feature} | {' | '.join(found.get(server, 'not tried') for server in tried)} |")
    return rows
