"""Medians, ratios and verdicts as Markdown tables (read as they are in a terminal) and as JSON."""

import statistics
from dataclasses import asdict

import rows
from data import Shape
from lives import Sample
from measure import Measured
from rows import MEGABYTE, MIB, Costs, Row
from tools import Tool, arguments

TOOLS = ("lobsterdv", "dvc", "s5cmd", "restic", "oxen")
Medians = dict[str, dict[str, Costs]]  # row name -> tool name -> costs


def medians(samples: dict[str, list[Sample]]) -> Medians:
    """Of the runs whose outcome was right; a tool with one wrong run in a row has no figure there."""
    found: Medians = {}
    for row, taken in samples.items():
        found[row] = {}
        for tool in TOOLS:
            runs = [sample for sample in taken if sample.tool == tool]
            good = [sample.measured for sample in runs if sample.measured and not sample.problem]
            if good and len(good) == len(runs):
                found[row][tool] = Costs(
                    wall_seconds=statistics.median(run.wall_seconds for run in good),
                    cpu_seconds=statistics.median(run.cpu_seconds for run in good),
                    peak_bytes=statistics.median(run.peak_bytes for run in good),
                    read_bytes=_median([run.read_bytes for run in good]),
                    written_bytes=_median([run.written_bytes for run in good]),
                    own_bytes=_median([run.own_bytes for run in good]),
                    mapped_bytes=_median([run.mapped_bytes for run in good]),
                    runs=len(good),
                )
    return found


def _median(values: list[int | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def speed_table(chosen: list[Row], shapes: dict[str, Shape], found: Medians, failed: set[tuple[str, str]]) -> str:
    """Wall seconds, CPU seconds for rows without data, and behind each peer's how many times that of lobsterdv."""
    lines = [["row", "what", *TOOLS]]
    for row in chosen:
        costs = found.get(row.name, {})
        cells = [_time(row, costs.get(tool), (row.name, tool) in failed) + _ratio(row, costs, tool) for tool in TOOLS]
        lines.append([row.name, _what(row, shapes), *cells])
    return table(lines)


def cost_table(chosen: list[Row], shapes: dict[str, Shape], found: Medians) -> str:
    """Memory: the peak, and of it the program's own and that mapped from files. Bytes in MiB, and per data byte."""
    head = ["row", "tool", "wall s", "CPU s", "peak MB", "own MB", "mapped MB", "read MiB", "written MiB"]
    lines = [[*head, "read / data", "written / data"]]
    for row in chosen:
        size = shapes[row.shape].total_bytes if row.shape else 0
        for tool, costs in found.get(row.name, {}).items():
            times = [f"{costs.wall_seconds:.3f}", f"{costs.cpu_seconds:.3f}"]
            memory = [_in(MEGABYTE, count, 0) for count in (costs.peak_bytes, costs.own_bytes, costs.mapped_bytes)]
            moved = (costs.read_bytes, costs.written_bytes)
            shares = [f"{_in(size, count, 2)}x" if size else "-" for count in moved]
            lines.append([row.name, tool, *times, *memory, *(_in(MIB, count, 1) for count in moved), *shares])
    return table(lines)


def _in(unit: int, count: float | None, digits: int) -> str:
    return "-" if count is None else f"{count / unit:.{digits}f}"


def budget_table(judged: list[dict[str, str]]) -> str:
    lines = [["row", "budget", "measured", "verdict"]]
    return table(lines + [[one["row"], one["budget"], one["measured"], one["verdict"]] for one in judged])


def judge(
    chosen: list[Row], shapes: dict[str, Shape], found: Medians, failed: set[tuple[str, str]], full: bool
) -> list[dict[str, str]]:
    """Every budget of the chosen rows; a row in which lobsterdv failed misses all of its budgets."""
    judged = []
    for row in chosen:
        size = shapes[row.shape].total_bytes if row.shape else 0
        for budget in row.budgets:
            measured, verdict = rows.verdict(budget, found.get(row.name, {}), size, full)
            if (row.name, "lobsterdv") in failed:
                measured, verdict = "failed", "miss"
            judged.append({"row": row.name, "budget": budget.text, "measured": measured, "verdict": verdict})
    return judged


def command_table(benched: tuple[Tool, ...], shapes: dict[str, Shape]) -> str:
    """The timed commands, for the folder and for the one file."""
    lines = [["step", "tool", "command"]]
    for step in (step for life in rows.LIVES for step in life):
        for tool in benched:
            if step in tool.steps:
                both = {_command(tool, step, shape): None for shape in shapes.values()}
                lines += [[step, tool.name, f"`{command}`"] for command in both]
    return table(lines)


def _command(tool: Tool, step: str, shape: Shape) -> str:
    lines = [" ".join(arguments(line, shape, "BUCKET", "URL")) for line in tool.steps[step].split(" && ")]
    return " && ".join(line if line.startswith("git ") else f"{tool.name} {line}" for line in lines)


def traffic_table(samples: dict[str, list[Sample]], sizes: dict[str, int]) -> str:
    """Requests by verb and bytes on the wire, heads included; of the data's size, too, where `sizes` says it."""
    lines = [["row", "tool", "requests", "by verb", "sent MiB", "received MiB", "sent / data"]]
    for row, taken in samples.items():
        for sample in taken:
            if sample.traffic is None or sample.problem:
                lines.append([row, sample.tool, "failed", "", "", "", ""])
                continue
            verbs = " ".join(f"{verb} {count:,}" for verb, count in sorted(sample.traffic.requests.items()))
            total = f"{sample.traffic.requests.total():,}"
            moved = [f"{sample.traffic.sent_bytes / MIB:.3f}", f"{sample.traffic.received_bytes / MIB:.3f}"]
            share = f"{sample.traffic.sent_bytes / sizes[row]:.2%}" if row in sizes else "-"
            lines.append([row, sample.tool, total, verbs, *moved, share])
    return table(lines)


def fact_list(facts: dict[str, str]) -> str:
    return "\n".join(f"- {name}: {value}" for name, value in facts.items())


def sample_values(samples: dict[str, list[Sample]]) -> list[dict[str, object]]:
    """Every run as plain values, without what the programs printed."""
    return [
        {
            "row": row,
            "tool": sample.tool,
            "repetition": sample.repetition,
            "problem": sample.problem,
            "measured": sample.measured and _without_output(sample.measured),
            "traffic": sample.traffic and {**vars(sample.traffic), "requests": dict(sample.traffic.requests)},
        }
        for row, taken in samples.items()
        for sample in taken
    ]


def _without_output(measured: Measured) -> dict[str, object]:
    return {key: value for key, value in asdict(measured).items() if key not in ("stdout", "stderr")}


def table(lines: list[list[str]]) -> str:
    """A Markdown table with aligned columns; the first line is its head."""
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    rule = ["-" * width for width in widths]
    padded = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in [padded[0], rule, *padded[1:]])


def _what(row: Row, shapes: dict[str, Shape]) -> str:
    if not row.shape:
        return f"{row.title}, CPU"
    return f"{row.title}, {shapes[row.shape].text}{', slow line' * row.slow}"


def _time(row: Row, costs: Costs | None, failed: bool) -> str:
    if costs is None:
        return "failed" if failed else "-"
    return f"{costs.wall_seconds:.3f} s" if row.shape else f"{costs.cpu_seconds:.3f} s"


def _ratio(row: Row, costs: dict[str, Costs], peer: str) -> str:
    ours, theirs = costs.get("lobsterdv"), costs.get(peer)
    if ours is None or theirs is None or ours is theirs:
        return ""
    ratio = theirs.wall_seconds / ours.wall_seconds if row.shape else theirs.cpu_seconds / ours.cpu_seconds
    return f" ({ratio:.2f}x)"
