"""The counting mode: requests and bytes of push, push again and pull, and of one new obs column in an .h5ad."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import h5ad
import lives
import report
from data import Shape
from lives import Bench, Sample
from rows import ROWS

STEPS = ("push", "noop-push", "pull")
OBS_COLUMN = "obs-column"
OBS_COLUMN_BUDGETS = ((0.02, "sends <= 2 % of the file"), (0.006, "sends <= 0.6 % of the file, compressed"))


def count(bench: Bench, shapes: dict[str, Shape], full: bool) -> tuple[str, dict[str, list[Sample]]]:
    """Tables to print and the samples behind them. `bench.meter` must count."""
    names = {(row.step, row.shape): row.name for row in ROWS}
    samples: dict[str, list[Sample]] = {}
    for key, shape in shapes.items():
        for sample in lives.live(bench, shape, ["add", *STEPS], 0):
            if sample.step in STEPS:
                samples.setdefault(names[sample.step, key], []).append(sample)
            elif sample.problem:
                print(f"{sample.tool} {sample.step}: {sample.problem}", file=sys.stderr)
    samples[OBS_COLUMN], file_bytes = _obs_column(bench, full)
    judged = [*_only_heads(samples), *_small_edit(samples, file_bytes, full)]
    title = f"{OBS_COLUMN}: push of one new obs column in an .h5ad of {file_bytes / 1e6:.1f} MB"
    tables = [report.traffic_table(samples), title] + ([report.budget_table(judged)] if judged else [])
    return "\n\n".join(tables), samples


def _only_heads(samples: dict[str, list[Sample]]) -> Iterator[dict[str, str]]:
    for row in ("noop-push-many", "noop-push-big"):
        for sample in samples.get(row, []):
            if sample.tool == "lobsterdv" and sample.traffic and not sample.problem:
                verbs = dict(sorted(sample.traffic.requests.items()))
                verdict = "pass" if set(verbs) <= {"HEAD"} else "miss"
                yield {"row": row, "budget": "HEADs only", "measured": str(verbs), "verdict": verdict}


def _small_edit(samples: dict[str, list[Sample]], file_bytes: int, full: bool) -> Iterator[dict[str, str]]:
    for sample in samples.get(OBS_COLUMN, []):
        if sample.tool == "lobsterdv" and sample.traffic and not sample.problem:
            share = sample.traffic.sent_bytes / file_bytes
            for most, text in OBS_COLUMN_BUDGETS:
                verdict = ("pass" if share <= most else "miss") if full else "full scale only"
                yield {"row": OBS_COLUMN, "budget": text, "measured": f"{share:.2%}", "verdict": verdict}


def _obs_column(bench: Bench, full: bool) -> tuple[list[Sample], int]:
    """The metered second push of each tool that keeps versions, and the size of the file they pushed."""
    folder = bench.work / "h5ad"
    folder.mkdir()
    before, after = folder / "before.h5ad", folder / "after.h5ad"
    script = Path(h5ad.__file__)
    cells, genes = h5ad.FULL if full else h5ad.SMALL
    subprocess.run([sys.executable, script, "write", before, str(cells), str(genes)], check=True)
    shutil.copyfile(before, after)
    subprocess.run([sys.executable, script, "edit", after], check=True)
    size = after.stat().st_size
    pushed = [lives.push_edit(bench, tool, before, after) for tool in bench.tools if tool.versions_data]
    shutil.rmtree(folder)
    return pushed, size
