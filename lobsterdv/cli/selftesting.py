"""The command that tries out the user's own file system and server: selftest."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lobsterdv.cli.options import verb
from lobsterdv.cli.session import Done, Session

if TYPE_CHECKING:
    from lobsterdv.ops.selftest import SelftestReport


@verb("selftest", report="lobsterdv.ops.selftest:SelftestReport")
@click.option("--remote", metavar="URL", help="Also try a server: s3://bucket/prefix, a folder, or a remote's name.")
@click.pass_obj
def selftest_command(session: Session, remote: str | None) -> Done:
    """Try out whether this file system and a server do what lobsterdv needs.

    Works in a scratch folder below the current one and, with --remote, under a prefix of its own; removes both and
    touches nothing else. One line a check; exits with 1 when one fails.
    """
    from lobsterdv.cli.colour import painter  # noqa: PLC0415 - start-up time
    from lobsterdv.cli.words import safe  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.selftest import remove_scratch, selftest_here  # noqa: PLC0415 - start-up time

    scratch = Path(tempfile.mkdtemp(prefix=".lobsterdv-selftest-", dir=session.folder))
    try:
        report = selftest_here(scratch, now=time.time)
    finally:
        remove_scratch(scratch)
    if remote is not None:
        report.checks.extend(_remote(session, remote).checks)
    paint, width = painter(sys.stdout), max(len(check.name) for check in report.checks)
    colour = {"ok": "green", "note": "yellow", "failed": "red"}
    lines = [
        f"{paint(check.state.ljust(6), colour[check.state])}  {check.name.ljust(width)}  {safe(check.detail)}"
        for check in report.checks
    ]
    return Done(report, answer=lines, exit=0 if report.passed else 1)


def _remote(session: Session, remote: str) -> SelftestReport:
    from lobsterdv.cli.urls import is_url  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.selftest import remove_scratch, selftest_remote  # noqa: PLC0415 - start-up time
    from lobsterdv.stores.directory import DirectoryStore  # noqa: PLC0415 - start-up time
    from lobsterdv.stores.open import DirectoryPlace, open_store, parse_url  # noqa: PLC0415 - start-up time

    named = None if is_url(remote) or os.sep in remote else session.project().remote(remote)
    place, prefix = parse_url(named.url if named else remote), f"selftest-{os.urandom(8).hex()}"
    if isinstance(place, DirectoryPlace):
        folder = Path(session.folder) / place.path.expanduser() / prefix
        try:
            return selftest_remote(DirectoryStore(folder, create=True), "try")
        finally:
            remove_scratch(folder)
    store = session.project().open_store(named) if named else open_store(place)
    try:
        return selftest_remote(store, prefix)
    finally:
        store.close()
