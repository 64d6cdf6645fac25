"""How many new bytes an edit costs: edits that labs make, in the formats they use, pushed by lobsterdv to a directory.

Writes DEDUPE.md when everything was run. Needs what lobsterdv itself needs, and hdf5plugin for one of the formats.
"""

import argparse
import datetime
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

import data
import edits
import h5ad
import report
import tools
from edits import EDITS, FORMATS

HERE = Path(__file__).resolve().parent
COMPRESSIONS = ("none", "auto")
LOBSTERDV = [sys.executable, "-m", "lobsterdv"]
BASE = "base"


@dataclass
class Matrix:
    """Of one format: sizes of the versions by edit, and new bytes by (edit, tool). BASE is the first push."""

    sizes: dict[str, int] = field(default_factory=dict)
    new_bytes: dict[tuple[str, str], int] = field(default_factory=dict)


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks/dedupe.py", description=__doc__.splitlines()[0])
    parser.add_argument("--formats", default=",".join(FORMATS), metavar="NAME,...", help=", ".join(FORMATS))
    parser.add_argument("--edits", default=",".join(EDITS), metavar="NAME,...", help=", ".join(EDITS))
    parser.add_argument("--scale", choices=("full", "small"), default="full")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the report here (DEDUPE.md if all is run)")
    parser.add_argument("--work", type=Path, default=HERE / ".work", metavar="DIR")
    options = parser.parse_args()
    options.work.mkdir(exist_ok=True)
    wanted = options.formats.split(",")
    if "h5ad-zstd" in wanted and not importlib.util.find_spec("hdf5plugin"):
        print("hdf5plugin is not installed: no h5ad-zstd", file=sys.stderr)
        wanted.remove("h5ad-zstd")
    found = {}
    work = Path(tempfile.mkdtemp(prefix="dedupe-", dir=options.work))
    try:
        for kind in wanted:
            found[kind] = measure_format(kind, options.edits.split(","), work / kind, options.scale == "full")
    finally:
        shutil.rmtree(work, ignore_errors=True)
    text = written(found, options.scale)
    print(text)
    complete = options.scale == "full" and wanted == list(FORMATS) and options.edits == ",".join(EDITS)
    out = options.out or (HERE / "DEDUPE.md" if complete else None)
    if out:
        out.write_text(text + "\n")
    return 0


def measure_format(kind: str, names: list[str], work: Path, full: bool) -> Matrix:
    """Every edit of one format in every tool, each against the first version alone."""
    work.mkdir()
    name = "table.zarr" if kind == "zarr" else "table.h5ad"
    cells, genes = h5ad.FULL if full else h5ad.SMALL
    versions = {BASE: work / BASE / name, **{edit: work / edit / name for edit in names}}
    for version in versions.values():
        version.parent.mkdir()
    _python(edits.__file__, "write", kind, versions[BASE], cells, genes)
    for edit in names:
        _python(edits.__file__, edit, kind, versions[BASE], versions[edit])
    matrix = Matrix({edit: _size(path) for edit, path in versions.items()})
    for edit, path in versions.items():
        matrix.new_bytes[edit, "dvc"] = _changed_files(versions[BASE] if edit != BASE else None, path)
    for compression in COMPRESSIONS:
        place = Lobsterdv(work / compression, compression)
        _measure(matrix, f"lobsterdv {compression}", place, versions)
    if shutil.which("restic"):
        _measure(matrix, "restic", Restic(work / "restic", "auto"), versions)
    shutil.rmtree(work)
    return matrix


class Lobsterdv:
    """A project with a directory as its remote."""

    def __init__(self, folder: Path, compression: str) -> None:
        self.folder = folder
        self._tool = replace(tools.lobsterdv(), settings=tools.compression("here", compression))

    @property
    def remote(self) -> Path:
        return self.folder / "remote"

    @property
    def place(self) -> Path:
        return self.folder / "project"

    def set_up(self) -> None:
        self.place.mkdir(parents=True)
        self._run("git", "init", "-q", "-b", "main")
        for line in ("init", f"remote add here {self.remote}", "remote default here"):
            self._run(*LOBSTERDV, *line.split())
        tools.configure(self._tool, self.folder / "home")

    def push(self, name: str) -> None:
        """Add and push; what the report says must be what the remote grew by."""
        before = _size(self.remote / "objects")
        self._run(*LOBSTERDV, "add", name)
        said = json.loads(self._run(*LOBSTERDV, "push", "--json"))
        self._run("git", "commit", "-qm", "version", "--allow-empty")
        told = sum(version["new_bytes"] for version in said["report"]["versions"])
        grown = _size(self.remote / "objects") - before
        if told != grown:
            raise SystemExit(f"push says {told} new bytes, but the remote grew by {grown}")

    def restore(self, name: str, target: Path) -> Path:
        self._run("git", "clone", "-q", str(self.place), str(target))
        self._run(*LOBSTERDV, "pull", where=target)
        return target / name

    def _run(self, *argv: str, where: Path | None = None) -> str:
        return _run(argv, where or self.place, tools.environment(self._tool, self.folder / "home"))


class Restic:
    """A restic repository in a directory."""

    def __init__(self, folder: Path, compression: str) -> None:
        self.folder = folder
        self.place = folder / "project"
        self.remote = folder / "remote"
        self._environment = {
            **os.environ,
            "RESTIC_PASSWORD": "benchmark",
            "RESTIC_REPOSITORY": str(self.remote),
            "RESTIC_CACHE_DIR": str(folder / "cache"),
            "RESTIC_COMPRESSION": compression,
        }

    def set_up(self) -> None:
        self.place.mkdir(parents=True)
        self._run("init", "-q")

    def push(self, name: str) -> None:
        self._run("backup", "-q", name)

    def restore(self, name: str, target: Path) -> Path:
        self._run("restore", "-q", "latest", "--target", str(target))
        return target / name

    def _run(self, *words: str) -> str:
        return _run(["restic", *words], self.place, self._environment)


def _measure(matrix: Matrix, column: str, place: Lobsterdv | Restic, versions: dict[str, Path]) -> None:
    """The first version, then each other one on top of a copy of that; everything restored and compared."""
    place.set_up()
    kept = place.folder.with_name(place.folder.name + "-first")
    for edit, path in versions.items():
        if edit != BASE:
            shutil.rmtree(place.folder)
            subprocess.run(["cp", "-a", kept, place.folder], check=True)
        before = _size(place.remote)
        target = place.place / path.name
        if target.exists():
            shutil.rmtree(target) if target.is_dir() else target.unlink()
        subprocess.run(["cp", "-r", path, target], check=True)
        place.push(path.name)
        matrix.new_bytes[edit, column] = _size(place.remote) - before
        restored = place.folder / "restored"
        wrong = data.differences(path, place.restore(path.name, restored))
        if wrong:
            raise SystemExit(f"{column}: {edit} came back with {wrong[:5]}")
        shutil.rmtree(restored)
        if edit == BASE:
            subprocess.run(["cp", "-a", place.folder, kept], check=True)
        print(f"{path.name} {column} {edit}: {matrix.new_bytes[edit, column]:,}", file=sys.stderr, flush=True)
    shutil.rmtree(place.folder)
    shutil.rmtree(kept)


def written(found: dict[str, Matrix], scale: str) -> str:
    """The report as Markdown."""
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    texts = [
        "# New bytes of an edit",
        f"Written by `python benchmarks/dedupe.py` on {today}, scale {scale}: what a push of the edited version adds "
        "to a directory remote, documents included, as % of the edited version's size; each edit against the first "
        "version alone, each restored elsewhere and compared byte by byte. lobsterdv with `compression: none` and "
        "`auto`; restic with its default compression, local repository. dvc is not run: it sends every file whose "
        "bytes changed, whole, and that is what stands there.",
        "## First push, as stored",
        report.table(
            [
                ["format", "size MB", *_columns(found)],
                *([FORMATS[kind], f"{m.sizes[BASE] / 1e6:.1f}", *_shares(m, BASE, _columns(found))]
                  for kind, m in found.items()),
            ]
        ),
    ]  # fmt: skip
    for kind, matrix in found.items():
        lines = [["edit", "size MB", *_columns(found)]]
        for edit in matrix.sizes:
            if edit != BASE:
                size = f"{matrix.sizes[edit] / 1e6:.1f}"
                lines.append([EDITS[edit][0], size, *_shares(matrix, edit, _columns(found))])
        texts += [f"## {FORMATS[kind]}", report.table(lines)]
    return "\n\n".join(texts)


def _columns(found: dict[str, Matrix]) -> list[str]:
    return list(dict.fromkeys(column for matrix in found.values() for _, column in matrix.new_bytes))


def _shares(matrix: Matrix, edit: str, columns: list[str]) -> list[str]:
    return [f"{matrix.new_bytes[edit, column] / matrix.sizes[edit]:.2%}" for column in columns]


def _changed_files(before: Path | None, after: Path) -> int:
    """Bytes of the files of `after` that `before` has nowhere."""
    known = {digest for digest, _ in _digests(before)} if before else set()
    return sum({digest: size for digest, size in _digests(after) if digest not in known}.values())


def _digests(path: Path) -> list[tuple[str, int]]:
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    found = []
    for file in files:
        with file.open("rb") as source:
            found.append((hashlib.file_digest(source, "blake2b").hexdigest(), file.stat().st_size))
    return found


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else data.stored_bytes(path)


def _python(*argv: object) -> None:
    subprocess.run([sys.executable, *map(str, argv)], check=True)


def _run(argv: list[str] | tuple[str, ...], where: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(argv, cwd=where, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(argv)}: exit {done.returncode}: {done.stderr[-2000:]}{done.stdout[-2000:]}")
    return done.stdout


if __name__ == "__main__":
    raise SystemExit(main())
