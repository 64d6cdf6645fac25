"""The README's tour, typed as it stands: a newcomer who copies its lines gets what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import anndata
import numpy as np

README = Path(__file__).parent.parent / "README.md"
NORMALISE = """
import anndata, numpy as np
data = anndata.read_h5ad("data/pbmc.h5ad")
data.X = np.log1p(data.X)
data.write_h5ad("data/pbmc.h5ad")
"""


def _blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind} tour\n(.*?)^```", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def _lab(folder: Path) -> Path:
    work = folder / "work"
    (work / "data").mkdir(parents=True)
    data = anndata.AnnData(np.arange(6000, dtype="float32").reshape(100, 60))
    data.obs["leiden"] = ["a", "b"] * 50
    data.write_h5ad(work / "data" / "pbmc.h5ad")
    (work / "normalise.py").write_text(NORMALISE, encoding="utf-8")
    (folder / "mnt").mkdir()
    return work


def test_every_line_of_the_tour_works(tmp_path: Path) -> None:
    work = _lab(tmp_path)
    lines = [line[2:] for block in _blocks("console") for line in block.splitlines() if line.startswith("$ ")]
    assert len(lines) > 15
    script = "\n".join(lines).replace("/mnt/lab/store", str(tmp_path / "mnt" / "store"))
    assert script != "\n".join(lines)
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    people = {f"GIT_{r}_{f}": "Ana" for r in ("AUTHOR", "COMMITTER") for f in ("NAME", "EMAIL")}
    env = {"PATH": programs, "HOME": str(tmp_path), **people}
    done = subprocess.run(
        ["bash", "-euxo", "pipefail", "-c", script], cwd=work, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for said in ("added", "Not at", "pushed", "checked out", "data/pbmc.h5ad"):
        assert said in done.stdout or said == "Not at", said
    python = "\n".join(_blocks("python"))
    check = "\nassert not (adata.X == raw.X).all() and (tmp := dm.load('data/copy.h5ad')).shape == adata.shape\n"
    ran = subprocess.run(
        [sys.executable, "-c", python + check], cwd=tmp_path / "colleague", env=env, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
