"""The command that measures a remote: bench."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lobsterdv import __version__
from lobsterdv.cli.options import remote_option, verb
from lobsterdv.cli.session import Done, Session

if TYPE_CHECKING:
    from lobsterdv.stores.link import Link


@verb("bench", report="lobsterdv.ops.bench:BenchReport")
@click.argument("file", metavar="[FILE]", required=False)
@remote_option("Which remote; default: the project's.")
@click.option("--bandwidth", metavar="RATE", help="As if the S3 server were behind such a line: 100Mbps, 12.5MB/s.")
@click.option("--latency", metavar="TIME", help="And this far away, there and back: 30ms.")
@click.option("--size", metavar="SIZE", help="Of the file that is made where no FILE is given.  [default: 64MB]")
@click.option(
    "--repeat",
    "repeats",
    metavar="N",
    type=click.IntRange(1, 100),
    default=3,
    show_default=True,
    help="Measure so often; medians are told.",
)
@click.pass_obj
def bench_command(
    session: Session,
    file: str | None,
    remote: str | None,
    bandwidth: str | None,
    latency: str | None,
    size: str | None,
    repeats: int,
) -> Done:
    """Measure how long a remote takes, beside this machine.

    Write, read, list and metadata of FILE, or of a file of random bytes, here and at the remote; then what the cache
    and the chunks that are there save: read again, written again, and a second version that differs a little. It works
    in projects of its own and below bench/ at the remote, which it removes, Ctrl-C or not; your datasets are not
    touched. It needs the right to delete there (`lobsterdv remote policy --role admin`). With --bandwidth and --latency
    the S3 endpoint is reached through a slow line that is made here. Nothing else should run meanwhile.
    """
    from lobsterdv.bench import bench  # noqa: PLC0415 - start-up time
    from lobsterdv.cli.render_bench import measured  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.bench_subject import subject_of  # noqa: PLC0415 - start-up time

    subject = subject_of(None if file is None else Path(session.folder) / file, _size(size))
    line = _line(bandwidth, latency)
    report = bench(
        session.project(),
        subject,
        remote=remote,
        line=line,
        repeats=repeats,
        version=__version__,
        observer=session.observer,
    )
    return measured(report)


def _line(bandwidth: str | None, latency: str | None) -> Link | None:
    from lobsterdv.formats.speeds import parse_bandwidth, parse_latency  # noqa: PLC0415 - start-up time
    from lobsterdv.stores.link import Link  # noqa: PLC0415 - start-up time

    if bandwidth is None and latency is None:
        return None
    bits = math.inf if bandwidth is None else parse_bandwidth(bandwidth)
    return Link(bits / 1e6, 0.0 if latency is None else parse_latency(latency))


def _size(text: str | None) -> int | None:
    from lobsterdv.errors import UsageError  # noqa: PLC0415 - start-up time
    from lobsterdv.formats.values import parse_size  # noqa: PLC0415 - start-up time

    if text is None:
        return None
    try:
        size = parse_size(text)
    except ValueError as error:
        raise UsageError(f"--size: {error}") from None
    if not size:
        raise UsageError("--size: there is nothing to measure in 0 bytes")
    return size
