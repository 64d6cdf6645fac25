"""The counting mode: requests and bytes of push, push again and pull, of add and push in one, and of one new obs
column in an .h5ad."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import h5ad
import lives
import report
import tools
from data import Shape
from lives import Bench, Sample
from rows import ROWS

LIVES = (["add", "push", "noop-push", "pull"], ["archive", "noop-archive", "restore"])
OBS_COLUMN = "obs-column"
OBS_COLUMN_BUDGETS = {
    "lobsterdv-none": (0.02, "sends <= 2 % of the file, compression none"),
    "lobsterdv": (0.006, "sends <= 0.6 % of the file"),
}


def count(bench: Bench, shapes: dict[str, Shape], full: bool) -> tuple[str, dict[str, list[Sample]]]:
    """Tables to print and the samples behind them. `bench` must have a proxy."""
    names = {(row.step, row.shape): row.name for row in ROWS}
    samples: dict[str, list[Sample]] = {}
    sizes: dict[str, int] = {}
    for key, shape in shapes.items():
        for steps in LIVES:
            for sample in lives.live(bench, shape, steps, 0):
                if sample.step != "add":
                    name = names[sample.step, key]
                    samples.setdefault(name, []).append(sample)
                    sizes[name] = shape.total_bytes
                elif sample.problem:
                    print(f"{sample.tool} {sample.step}: {sample.problem}", file=sys.stderr)
    before, after = edited_table(bench.work, full)
    samples[OBS_COLUMN] = [lives.push_edit(bench, tool, before, after, 0) for tool in tools.edit_tools(bench.tools)]
    sizes[OBS_COLUMN] = after.stat().st_size
    judged = [*_only_heads(samples), *_small_edit(samples, sizes[OBS_COLUMN], full)]
    title = f"{OBS_COLUMN}: add and push of one new obs column in an .h5ad of {sizes[OBS_COLUMN] / 1e6:.1f} MB"
    tables = [report.traffic_table(samples, sizes), title]
    return "\n\n".join(tables + ([report.budget_table(judged)] if judged else [])), samples


def edited_table(work: Path, full: bool) -> tuple[Path, Path]:
    """An .h5ad and the same with one new obs column; made once."""
    folder = work / "h5ad"
    before, after = folder / "before.h5ad", folder / "after.h5ad"
    if not after.exists():
        folder.mkdir()
        cells, genes = h5ad.FULL if full else h5ad.SMALL
        subprocess.run([sys.executable, h5ad.__file__, "write", before, str(cells), str(genes)], check=True)
        shutil.copyfile(before, folder / "edited")
        subprocess.run([sys.executable, h5ad.__file__, "edit", folder / "edited"], check=True)
        (folder / "edited").rename(after)
    return before, after


def _only_heads(samples: dict[str, list[Sample]]) -> Iterator[dict[str, str]]:
    for row in ("noop-push-many", "noop-push-big"):
        for sample in samples.get(row, []):
            if sample.tool == "lobsterdv" and sample.traffic and not sample.problem:
                verbs = dict(sorted(sample.traffic.requests.items()))
                verdict = "pass" if set(verbs) <= {"HEAD"} else "miss"
                yield {"row": row, "budget": "HEADs only", "measured": str(verbs), "verdict": verdict}


def _small_edit(samples: dict[str, list[Sample]], file_bytes: int, full: bool) -> Iterator[dict[str, str]]:
    for sample in samples.get(OBS_COLUMN, []):
        if sample.tool in OBS_COLUMN_BUDGETS and sample.traffic and not sample.problem:
            share = sample.traffic.sent_bytes / file_bytes
            most, text = OBS_COLUMN_BUDGETS[sample.tool]
            verdict = ("pass" if share <= most else "miss") if full else "full scale only"
            yield {"row": OBS_COLUMN, "budget": text, "measured": f"{share:.2%}", "verdict": verdict}
