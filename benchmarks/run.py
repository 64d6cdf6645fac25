"""Run lobsterdv beside dvc and s5cmd on this machine and print the ratios. See README.md.

Ends with 0 when every tool did its work, budgets met or not; with 1 when a tool failed or an outcome was wrong.
"""

import argparse
import datetime
import fnmatch
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import count
import data
import limits
import lives
import machine
import peers
import report
import rows
import tools
from data import Shape
from lives import Bench, Sample
from peers import Peers, Server
from rows import EDIT, ROWS, Row
from tools import Tool

from lobsterdv.machine import load
from lobsterdv.stores.line import counting
from lobsterdv.stores.link import Link

HERE = Path(__file__).resolve().parent
WARM_UP = {"many": Shape("data", 20, 4 << 10), "big": Shape("big.bin", 1, 1 << 20)}
WARM_UP_REPETITION = -1
SLOW_LINE = {"megabits_per_second": 100.0, "round_trip_seconds": 0.030}


def main() -> int:
    options = _options()
    options.load = load()
    if os.getloadavg()[0] > 1:
        _say(f"this machine does other work: load {options.load}; seconds will be too many")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server and the folders go, too
    if options.peers == peers.DEFAULT_PEERS:
        peers.prepare(options.peers)
    programs = peers.locate(options.peers)
    benched = _tools(options.tools, programs)
    options.work.mkdir(exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="run-", dir=options.work))
    try:
        return (_count if options.count else _time)(options, programs, benched, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks/run.py", description=__doc__.splitlines()[0])
    parser.add_argument("--rows", default="*", metavar="NAME,...", help="rows to run, wildcards allowed; --rows list")
    parser.add_argument("--tools", default="", metavar="NAME,...", help="tools to run; all that are installed")
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="repetitions (3); medians are printed")
    parser.add_argument("--scale", choices=("full", "small"), default="full", help="small: 200 files, 8 MiB")
    parser.add_argument("--server", choices=peers.SERVERS, default="seaweedfs", help="the S3 server")
    parser.add_argument("--count", action="store_true", help="count requests and bytes instead of seconds")
    parser.add_argument("--json", metavar="FILE", help="write all figures as JSON; - for standard output")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the report here (RESULTS.md if all is run)")
    parser.add_argument("--peers", type=Path, default=peers.DEFAULT_PEERS, metavar="DIR", help="a ready environment")
    parser.add_argument("--work", type=Path, default=HERE / ".work", metavar="DIR", help="where repositories are made")
    options = parser.parse_args()
    if options.rows == "list":
        print("\n".join(f"{row.name:18}{row.title}" for row in ROWS))
        raise SystemExit(0)
    if options.repeat < 1:
        parser.error("--repeat needs at least 1")
    patterns = options.rows.split(",")
    options.chosen = [row for row in ROWS if any(fnmatch.fnmatch(row.name, pattern) for pattern in patterns)]
    if not options.chosen:
        parser.error(f"no row is named {options.rows}; --rows list")
    return options


def _tools(names: str, programs: Peers) -> tuple[Tool, ...]:
    known = tools.all_tools(programs)
    for name, why in programs.absent.items():
        _say(f"{name}: {why}")
    wanted = names.split(",") if names else list(known)
    unknown = set(wanted) - known.keys()
    if unknown:
        raise SystemExit(f"no such tool: {', '.join(sorted(unknown))}")
    return tuple(tool for name, tool in known.items() if name in wanted)


def _time(options: argparse.Namespace, programs: Peers, benched: tuple[Tool, ...], work: Path) -> int:
    shapes = data.shapes(options.scale)
    samples: dict[str, list[Sample]] = {row.name: [] for row in options.chosen}
    pieces: dict[tuple[str, str], list[float]] = {}
    facts = _warm_up(options, programs, benched, work)
    if any(row.shape == EDIT for row in options.chosen):
        _, after = count.edited_table(work, options.scale == "full")
        edited = {EDIT: Shape("table.h5ad", 1, after.stat().st_size, compressible=True)}
    else:
        edited = {}
    code = 0
    for repetition in range(options.repeat):
        _say(f"repetition {repetition + 1} of {options.repeat}")
        for row in options.chosen:
            if not row.shape:
                bench = Bench(benched, programs, work, endpoint="")
                _keep(samples, row.name, *lives.start_up(bench, row.step, repetition))
        for key, shape in shapes.items():
            named = {row.step: row for row in options.chosen if row.shape == key}
            for steps in rows.needed_steps(set(named)):
                slow = any(row.slow for row in named.values())
                with _bench(options, programs, benched, work, shape.total_bytes, slow) as bench:
                    for sample in lives.live(bench, shape, steps, repetition):
                        _keep(samples, named[sample.step].name if sample.step in named else "", sample)
            if key in {floor.shape for floor in limits.FLOORS if floor.row in samples}:
                with _bench(options, programs, benched, work, shape.total_bytes, slow=False) as bench:
                    for piece, seconds in limits.measure(bench, shape, repetition):
                        pieces.setdefault((key, piece), []).append(seconds)
        for row in options.chosen:
            if row.shape == EDIT:
                for sample in _edits(options, programs, benched, work, row, repetition):
                    _keep(samples, row.name, sample)
        # After each: of a run that is cut off, the whole repetitions count.
        code = _publish(options, benched, shapes | edited, samples, pieces, facts, repetition + 1)
    return code


@contextmanager
def _bench(
    options: argparse.Namespace, programs: Peers, benched: tuple[Tool, ...], work: Path, data_bytes: int, slow: bool
) -> Iterator[Bench]:
    """A fresh server for one life, behind the slow line if so."""
    with peers.running_server(options.server, programs, data_bytes * len(benched)) as server:
        if not slow:
            yield Bench(benched, programs, work, server.url)
            return
        with counting(server.port, Link(**SLOW_LINE)) as proxy:
            yield Bench(benched, programs, work, proxy.url, proxy, slow=True)


def _edits(
    options: argparse.Namespace,
    programs: Peers,
    benched: tuple[Tool, ...],
    work: Path,
    row: Row,
    repetition: int,
) -> Iterator[Sample]:
    """The edited table in every tool that can, over the slow line."""
    before, after = count.edited_table(work, options.scale == "full")
    pulls = row.step == "restore-edit"
    able = [tool for tool in benched if "archive" in tool.steps and (tool.in_git or not pulls)]
    with _bench(options, programs, benched, work, 2 * after.stat().st_size, slow=True) as bench:
        for tool in able[repetition % len(able) :] + able[: repetition % len(able)]:
            yield (lives.pull_edit if pulls else lives.push_edit)(bench, tool, before, after, repetition)


def _warm_up(
    options: argparse.Namespace, programs: Peers, benched: tuple[Tool, ...], work: Path
) -> dict[str, dict[str, str]]:
    """One tiny life of every tool, not counted: compiles bytecode and fills the page cache with the programs."""
    _say("warming up")
    with peers.running_server(options.server, programs, sum(shape.total_bytes for shape in WARM_UP.values())) as server:
        bench = Bench(benched, programs, work, server.url)
        for shape in WARM_UP.values():
            for steps in rows.LIVES:
                list(lives.live(bench, shape, list(steps), WARM_UP_REPETITION))
        return _facts(benched, programs, work, server)


def _facts(benched: tuple[Tool, ...], programs: Peers, work: Path, server: Server) -> dict[str, dict[str, str]]:
    found = {"machine": machine.facts(work, server), "versions": machine.versions(benched, programs, server)}
    found["machine"]["slow line"] = Link(**SLOW_LINE).text
    found["versions"] |= programs.absent
    return found


def _keep(samples: dict[str, list[Sample]], row: str, *taken: Sample) -> None:
    """Say each sample as it comes; keep it if its row was asked for. A failure always counts."""
    for sample in taken:
        name = row or f"({sample.step})"
        if sample.problem:
            _say(f"  {name:18} {sample.tool:10} FAILED: {sample.problem}")
        elif sample.measured:
            _say(f"  {name:18} {sample.tool:10} {sample.measured.wall_seconds:8.3f} s")
        if row or sample.problem:
            samples.setdefault(name, []).append(sample)


def _publish(
    options: argparse.Namespace,
    benched: tuple[Tool, ...],
    shapes: dict[str, Shape],
    samples: dict[str, list[Sample]],
    pieces: dict[tuple[str, str], list[float]],
    facts: dict[str, dict[str, str]],
    repetitions: int,
) -> int:
    full = options.scale == "full"
    facts["machine"] |= {"load before": options.load, "load after": load()}
    found = report.medians(samples)
    failed = {(row, sample.tool) for row, taken in samples.items() for sample in taken if sample.problem}
    judged = report.judge(options.chosen, shapes, found, failed, full)
    speed = report.speed_table(options.chosen, shapes, found, failed)
    costs = report.cost_table(options.chosen, shapes, found)
    walls = limits.limit_table(found, pieces)
    print("\n\n".join([speed, costs, walls, report.budget_table(judged)]), file=_screen(options))
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    times = f"medians of {repetitions} repetitions" if repetitions > 1 else "one repetition"
    sections = {
        "": f"Written by `python benchmarks/run.py` on {today}: {times}, "
        f"scale {options.scale}. Ratios travel between machines, seconds do not.",
        "Wall time": speed,
        "Budgets": report.budget_table(judged),
        "Limits of this machine": f"{limits.MEANING}\n\n{walls}",
        "Costs": costs,
        "Machine": report.fact_list(facts["machine"]),
        "Versions": report.fact_list(facts["versions"]),
        "Timed commands": report.command_table(benched, shapes),
        "Failures": "\n".join(f"- {row}: {tool}" for row, tool in sorted(failed)) or "None.",
    }
    whole = full and options.chosen == list(ROWS) and not options.tools
    _write_report(options.out or (HERE / "RESULTS.md" if whole else None), "Benchmark results", sections)
    medians = {row: {tool: vars(costs) for tool, costs in by_tool.items()} for row, by_tool in found.items()}
    figures = {"medians": medians, "budgets": judged, "samples": report.sample_values(samples)}
    _write_json(options, {"date": today, "scale": options.scale, **facts, **figures})
    return 1 if failed else 0


def _count(options: argparse.Namespace, programs: Peers, benched: tuple[Tool, ...], work: Path) -> int:
    shapes = {key: shape for key, shape in data.shapes(options.scale).items() if not key.startswith("slow")}
    full = options.scale == "full"
    need = sum(shape.total_bytes for shape in shapes.values()) * len(benched)
    with (
        peers.running_server(options.server, programs, need) as server,
        counting(server.port, Link(**SLOW_LINE)) as proxy,
    ):
        bench = Bench(benched, programs, work, proxy.url, proxy)
        text, samples = count.count(bench, shapes, full)
        facts = _facts(benched, programs, work, server)
    print(text, file=_screen(options))
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    sections = {
        "": f"Written by `python benchmarks/run.py --count` on {today}, scale {options.scale}: what crossed an "
        f"HTTP proxy before the server. {shapes['many'].text} and one {shapes['big'].text}, incompressible.",
        "Requests and bytes": text,
        "Versions": report.fact_list(facts["versions"]),
    }
    _write_report(options.out or (HERE / "COUNTS.md" if full and not options.tools else None), "Counts", sections)
    _write_json(options, {**facts, "samples": report.sample_values(samples)})
    problems = [sample for taken in samples.values() for sample in taken if sample.problem]
    for sample in problems:
        _say(f"{sample.tool} {sample.step} FAILED: {sample.problem}")
    return 1 if problems else 0


def _write_report(out: Path | None, title: str, sections: dict[str, str]) -> None:
    if out:
        texts = [f"## {head}\n\n{text}" if head else f"# {title}\n\n{text}" for head, text in sections.items()]
        out.write_text("\n\n".join(texts) + "\n")


def _screen(options: argparse.Namespace) -> TextIO:
    return sys.stderr if options.json == "-" else sys.stdout


def _write_json(options: argparse.Namespace, values: dict[str, object]) -> None:
    if options.json:
        text = json.dumps(values, indent=2) + "\n"
        sys.stdout.write(text) if options.json == "-" else Path(options.json).write_text(text)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
