"""An analysis as labs do it, on real cells: a script, a run in Python, cells of a notebook; then the raw data changes.

Everything is the real program, git and Python, as typed.
"""

from __future__ import annotations

import shutil
import sys
from importlib.resources import as_file, files
from pathlib import Path

import pytest

import lobsterdv
from tests.stories.bench import Person, bench, ground, made_once, person, templates

__all__ = ["bench", "ground", "templates"]

QC = """
import sys
import anndata
cells = anndata.read_h5ad("data/raw.h5ad")
keep = cells.obs["percent_mito"] < float(sys.argv[1])
cells[keep].copy().write_h5ad("data/qc.h5ad")
"""
NORMALISE = """
import sys
import lobsterdv

dm = lobsterdv.DataManager()
with dm.run("normalise", params={"scale": float(sys.argv[1])}):
    cells = dm.load("data/qc.h5ad")
    cells.X = cells.X * float(sys.argv[1])
    dm.save(cells, "data/norm.h5ad")
"""
CELLS = [
    "import lobsterdv, sys; sys.argv = ['']; dm = lobsterdv.DataManager()",
    "run = dm.run('cluster', params={'groups': 3}); run.__enter__()",
    "cells = dm.load('data/norm.h5ad')",
    "cells.obs['cluster'] = (cells.obs['n_genes'] % 3).astype(str).astype('category')",
    "dm.save(cells, 'data/clusters.h5ad', message='three groups')",
    "run.__exit__(None, None, None); dm.close()",
]


@pytest.fixture
def ada(bench: Path, templates: Path) -> Person:
    """Raw cells, three steps, each committed."""
    made_once(bench, templates / "ada", lambda: _analysis(bench))
    return person(bench, "ada")


def _analysis(bench: Path) -> None:
    ada = person(bench, "ada")
    program = bench / "bin" / "python"
    source = Path(lobsterdv.__file__).parents[1]
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{source}" exec "{sys.executable}" "$@"\n')
    program.chmod(0o755)
    ada.ldv("init", "--remote", str(bench / "shelf"))
    ada.ldv("hooks", "install")
    with as_file(files("scanpy") / "datasets" / "10x_pbmc68k_reduced.h5ad") as sample:
        (ada.root / "data").mkdir()
        shutil.copyfile(sample, ada.root / "data" / "raw.h5ad")
    ada.write("scripts/qc.py", QC)
    ada.write("scripts/normalise.py", NORMALISE)
    ada.git("add", "scripts")
    ada.ldv("add", "data/raw.h5ad", "-m", "68k PBMC, reduced")
    ada.git("commit", "-q", "-m", "raw")
    ada.ldv("run", "-n", "qc", "--in", "data/raw.h5ad", "--out", "data/qc.h5ad", "--param", "mito=0.03", "--",
            "python", "scripts/qc.py", "0.03")  # fmt: skip
    ada.git("commit", "-q", "-m", "qc")
    ada.run("python", "scripts/normalise.py", "2")
    ada.git("commit", "-q", "-m", "normalised")
    notebook(ada)
    ada.git("commit", "-q", "-m", "clusters")


def notebook(person: Person) -> None:
    """The cells, one after another, in an interpreter that runs no file."""
    person.run("python", "-c", "\n".join(CELLS))


def edit(person: Person, code: str) -> None:
    """Change the raw cells in their place."""
    path = "data/raw.h5ad"
    person.run("python", "-c", f"import anndata; a = anndata.read_h5ad('{path}'); {code}; a.write_h5ad('{path}')")


def cells(person: Person, name: str) -> int:
    import h5py

    with h5py.File(person.root / name) as file:
        return int(file["obs"]["_index"].shape[0] if "_index" in file["obs"] else file["X"].shape[0])


def tree(text: str) -> list[tuple[int, str]]:
    """Depth and dataset of each line of a lineage."""
    bare = [(line, line.lstrip("│└├─ ")) for line in text.splitlines()]
    return [(len(line) - len(rest), rest.partition("@")[0]) for line, rest in bare]


def test_from_clusters_back_to_raw_cells_and_forward(ada: Person) -> None:
    assert tree(ada.ldv("lineage", "data/clusters.h5ad")) == [
        (0, "data/clusters.h5ad"), (3, "data/norm.h5ad"), (6, "data/qc.h5ad"), (9, "data/raw.h5ad"),
    ]  # fmt: skip
    shown = ada.ldv("show", "data/norm.h5ad")
    assert "python scripts/normalise.py 2" in shown and "scale: 2.0" in shown and "anndata" in shown
    assert "three groups" in ada.ldv("search", "cluster") and "data/qc.h5ad" in ada.ldv("search", "mito")
    assert "Nothing is stale" in ada.ldv("stale")
    before = cells(ada, "data/qc.h5ad")

    # On a branch the raw data changes.
    ada.git("checkout", "-q", "-b", "fewer")
    edit(ada, "a = a[:500].copy()")
    ada.ldv("add", "data/raw.h5ad", "-m", "the first 500")
    ada.git("commit", "-q", "-m", "fewer")
    assert [line.split("@")[0] for line in ada.ldv("stale").splitlines() if line.startswith("data/")] == [
        "data/qc.h5ad", "data/norm.h5ad", "data/clusters.h5ad",
    ]  # fmt: skip
    impact = ada.ldv("impact", "data/raw.h5ad")
    assert impact.count("stale:") == 3 and "3 steps" in impact
    answer = {name: ada.ldv(*name.split()) for name in ("stale", "impact data/raw.h5ad", "lineage data/norm.h5ad")}
    (ada.root / ".git/lobsterdv/lineage.db").unlink()
    ada.ldv("reindex")
    assert answer == {name: ada.ldv(*name.split()) for name in answer}

    ada.ldv("reproduce", "data/norm.h5ad")
    assert 0 < cells(ada, "data/qc.h5ad") < before and cells(ada, "data/norm.h5ad") == cells(ada, "data/qc.h5ad")
    assert "data/clusters.h5ad" in ada.ldv("reproduce", code=1)  # its cells must be run by hand
    notebook(ada)
    assert "Nothing is stale" in ada.ldv("stale")
    assert "Everything is up to date" in ada.ldv("reproduce")
    ada.git("commit", "-q", "-m", "with fewer cells")

    # Raw data as before: the same step gives the version that there was.
    ada.ldv("revert", "data/raw.h5ad", "--to", "main")
    done = ada.ldv("reproduce", "data/norm.h5ad")
    assert done.count(": ran") == 2
    assert cells(ada, "data/qc.h5ad") == before
    ada.git("add", "-A")
    assert "qc.h5ad" not in ada.git("diff", "--cached", "main", "--stat", "--", "data/*.ldv.yaml")
    assert "main" in ada.git("branch") and "data/norm.h5ad" in ada.ldv("log", "--graph", "--all")


def test_what_comes_out_the_same_stops_there(ada: Person) -> None:
    ada.write("scripts/qc.py", QC + "# the same, said better\n")
    assert "stale: scripts/qc.py changed" in ada.ldv("stale")
    done = ada.ldv("reproduce", "data/norm.h5ad")
    assert "qc: ran" in done and "nothing changed" in done
    assert "normalise: up to date" in done


def test_equal_work_merges_silently_and_other_parameters_conflict(bench: Path, ada: Person) -> None:
    ada.git("push", "-q", "-u", "origin", "main")
    ben = person(bench, "ben")
    ben.ldv("hooks", "install")
    ben.ldv("pull")
    words = ("run", "-n", "more", "--in", "data/qc.h5ad", "--out", "data/more.h5ad", "--",
             "cp data/qc.h5ad data/more.h5ad")  # fmt: skip
    ada.ldv(*words)
    ada.git("commit", "-q", "-m", "more")
    ben.git("commit", "-q", "--allow-empty", "-m", "at another commit")
    ben.ldv(*words)
    ben.git("commit", "-q", "-m", "more, too")
    assert ada.read("data/more.h5ad.ldv.yaml") == ben.read("data/more.h5ad.ldv.yaml")
    ada.git("push", "-q", "origin", "main")
    ben.git("pull", "-q", "--no-rebase", "--no-edit", "origin", "main")
    assert "Nothing is stale" in ben.ldv("stale")
    ben.git("push", "-q", "origin", "main")
    ada.git("pull", "-q", "--no-rebase", "origin", "main")

    for who, scale in ((ada, "3"), (ben, "5")):
        who.run("python", "scripts/normalise.py", scale)
        who.git("commit", "-q", "-m", f"scale {scale}")
    ada.git("push", "-q", "origin", "main")
    ben.git("pull", "-q", "--no-rebase", "--no-edit", "origin", "main", code=None)
    conflict = ben.read("data/norm.h5ad.ldv.yaml")
    assert "scale: 3" in conflict and "scale: 5" in conflict and conflict.count("<<<<<<<") == 1
    ben.git("checkout", "--theirs", "data/norm.h5ad.ldv.yaml")
    ben.git("add", "data/norm.h5ad.ldv.yaml")
    ben.ldv("pull", "data/norm.h5ad")
    ben.git("commit", "-q", "-m", "hers")
    assert "scale 3" in ben.ldv("log", "data/norm.h5ad", "--graph")
