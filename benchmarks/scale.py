"""One dataset of very many small files, and one very large sparse file: seconds, memory and bytes of every step.

Each step is a fresh process. Memory is its peak resident set (never below this harness's own, about 30 MB), written
bytes are the kernel's count. Seconds mean something only beside each other: t(1,000,000) / t(100,000).
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import measure

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = 1000
PART = "sub042"
SPARSE_RUNS = 16
SPARSE_RUN_BYTES = 1 << 20


@dataclass(frozen=True)
class Step:
    """What one command cost. ``documents`` are the bytes of segments, manifests and records that it left at the
    remote, ``read_files`` what `add` says it read."""

    name: str
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    read_bytes: int | None
    written_bytes: int | None
    documents: int
    read_files: int | None


@dataclass
class Site:
    """A repository beside its remote, a folder."""

    work: Path
    folder: Path
    steps: list[Step] = field(default_factory=list)

    @property
    def remote(self) -> Path:
        return self.work / "remote"

    def environment(self) -> dict[str, str]:
        home = self.work / "home"
        home.mkdir(exist_ok=True)
        own = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "LOBSTERDV_", "LDV"))}
        signed = {f"GIT_{who}_{what}": "bench@lab" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        return own | signed | {"HOME": str(home), "XDG_CONFIG_HOME": str(home), "PYTHONPATH": str(ROOT)}

    def git(self, *words: str) -> None:
        subprocess.run(["git", *words], cwd=self.folder, env=self.environment(), check=True, capture_output=True)

    def run(self, *words: str, step: str = "") -> Step:
        """Run one command in a fresh process; it is kept as a row when it has a name. Fails when the command does."""
        before = self.documents()
        done = measure.run([sys.executable, "-m", "lobsterdv", *words, "--json"], self.folder, self.environment())
        if done.exit_code:
            raise SystemExit(f"lobsterdv {' '.join(words)}: exit {done.exit_code}\n{done.stdout}{done.stderr}")
        added = json.loads(done.stdout)["report"]["added"] if words[0] == "add" else None
        row = Step(
            step,
            done.wall_seconds,
            done.cpu_seconds,
            done.peak_bytes,
            done.read_bytes,
            done.written_bytes,
            self.documents() - before,
            added[0]["read_files"] if added else None,
        )
        if step:
            self.steps.append(row)
            print(f"  {line(row)}", file=sys.stderr, flush=True)
        return row

    def documents(self) -> int:
        """Bytes of segments, manifests and records that lie at the remote."""
        folders = [self.remote / name for name in ("segments", "manifests", "catalog")]
        return sum(path.stat().st_size for folder in folders for path in folder.rglob("*") if path.is_file())

    def clone(self, name: str) -> "Site":
        self.git("clone", "--quiet", str(self.folder), str(self.work / name))
        return Site(self.work, self.work / name, self.steps)


def new_site(work: Path) -> Site:
    folder = work / "origin"
    folder.mkdir(parents=True)
    (work / "remote").mkdir()
    site = Site(work, folder)
    site.git("init", "--quiet")
    site.run("init")
    site.run("remote", "add", "lab", str(site.remote), "--default")
    return site


def many_files(work: Path, files: int, *, pull_all: bool = True) -> list[Step]:
    """The life of a directory of ``files`` files of 200 to 2,000 random bytes in 1,000 folders."""
    site = new_site(work)
    write_files(site.folder / "data" / "dir", files)
    site.run("add", "data/dir", step="add")
    site.git("commit", "--quiet", "-m", "first")
    site.run("status", step="status")
    site.run("add", "data/dir", step="add, nothing new")
    site.run("push", step="push")
    site.run("push", step="push, nothing new")
    (site.folder / "data" / "dir" / PART / "000").write_bytes(b"changed")
    time.sleep(2.1)  # else the file stays racy, and everyone would have to read it again
    site.run("status", step="status, one changed")
    site.run("add", "data/dir", step="add, one changed")
    site.git("commit", "--quiet", "-m", "second")
    site.run("push", step="push, one changed")
    part = site.clone("part")
    part.run("pull", f"data/dir/{PART}/000", step="pull of one file")
    part.run("pull", f"data/dir/{PART}", step="pull of one folder")
    part.run("status", step="status of that part")
    shutil.rmtree(part.folder)
    if pull_all:
        whole = site.clone("whole")
        whole.run("pull", step="pull")
        whole.run("status", step="status, pulled")
    return site.steps


def large_file(work: Path, size: int, *, pulls: bool = True) -> list[Step]:
    """The life of one sparse file of ``size`` bytes that holds 16 MiB of real data, evenly strewn in."""
    site = new_site(work)
    data = site.folder / "data"
    data.mkdir()
    write_sparse(data / "big.bin", size)
    time.sleep(2.1)  # else `status` has to read all of it again
    site.run("add", "data/big.bin", step="add")
    site.git("commit", "--quiet", "-m", "first")
    site.run("status", step="status")
    site.run("push", step="push")
    site.run("push", step="push, nothing new")
    with (data / "big.bin").open("r+b") as file:
        file.seek(size // 2 + 12345)
        file.write(b"changed")
    time.sleep(2.1)
    site.run("add", "data/big.bin", step="add, changed in the middle")
    site.git("commit", "--quiet", "-m", "second")
    site.run("push", step="push, changed in the middle")
    if pulls:
        (data / "big.bin").unlink()
        shutil.rmtree(site.folder / ".git" / "lobsterdv" / "cache" / "files")
        site.run("pull", step="pull")
        if (data / "big.bin").stat().st_size != size:
            raise SystemExit("the pulled file has another size")
    return site.steps


def write_files(folder: Path, files: int, *, folders: int = FOLDERS, seed: int = 1) -> None:
    """``files`` files in ``folders`` folders, each 200 to 2,000 random bytes, last changed long ago."""
    rng = random.Random(seed)
    block = rng.randbytes(1 << 20)
    each = -(-files // folders)
    for number in range(folders):
        below = f"{folder}/sub{number:03d}"
        os.makedirs(below)
        here = os.open(below, os.O_RDONLY)
        for position in range(min(each, files - number * each)):
            at, size = rng.randrange(len(block) - 2000), rng.randrange(200, 2000)
            name = os.open(f"{position:03d}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=here)
            os.write(name, b"%d %d " % (number, position) + block[at : at + size])
            os.utime(name, (1_600_000_000, 1_600_000_000))
            os.close(name)
        os.close(here)


def write_sparse(path: Path, size: int, *, seed: int = 2) -> None:
    rng = random.Random(seed)
    with path.open("wb") as file:
        file.truncate(size)
        for number in range(SPARSE_RUNS):
            file.seek(size * number // SPARSE_RUNS + 4321)
            file.write(rng.randbytes(SPARSE_RUN_BYTES))


def line(step: Step) -> str:
    size = [f"{n / 1e6:>10.1f}" if n is not None else " " * 10 for n in (step.read_bytes, step.written_bytes)]
    read = "" if step.read_files is None else f"{step.read_files:>9}"
    return (
        f"{step.name:28}{step.seconds:>9.2f}{step.cpu_seconds:>9.2f}{step.peak_bytes / 1e6:>9.0f}"
        f"{size[0]}{size[1]}{step.documents / 1e3:>11.1f}{read}"
    ).rstrip()


HEAD = (
    f"{'step':28}{'wall s':>9}{'CPU s':>9}{'RSS MB':>9}{'read MB':>10}{'wrote MB':>10}{'metadata kB':>11}{'files':>9}"
)


def tables(results: dict[str, list[Step]]) -> Iterator[str]:
    for title, steps in results.items():
        yield "\n".join([title, HEAD, *map(line, steps)])
    few, many = results.get(title_of(100_000)), results.get(title_of(1_000_000))
    if few and many:
        ratios = [f"{b.name:28}{b.seconds / a.seconds:>9.1f}{b.cpu_seconds / a.cpu_seconds:>9.1f}"
                  for a, b in zip(few, many, strict=True)]  # fmt: skip
        yield "\n".join(["1,000,000 files / 100,000 files", *ratios])


def title_of(files: int) -> str:
    return f"{files:,} files of 200 to 2,000 bytes"


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks/scale.py", description=__doc__.splitlines()[0])
    parser.add_argument("--files", default="100000,1000000", metavar="N", help="sizes of the directory; '' for none")
    parser.add_argument("--sparse", type=int, default=60, metavar="GIB", help="size of the sparse file; 0 for none")
    parser.add_argument("--no-pull", action="store_true", help="leave out the pull of everything")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()), metavar="DIR", help="where to work")
    parser.add_argument("--keep", action="store_true", help="leave everything there")
    parser.add_argument("--json", metavar="FILE", help="write all figures as JSON")
    options = parser.parse_args()
    results: dict[str, list[Step]] = {}

    def life(title: str, live: Callable[[Path], list[Step]]) -> None:
        work = Path(tempfile.mkdtemp(prefix="scale-", dir=options.work))
        print(f"{title} in {work}", file=sys.stderr)
        try:
            results[title] = live(work)
        finally:
            if not options.keep:
                shutil.rmtree(work, ignore_errors=True)

    for files in map(int, filter(None, options.files.split(","))):
        life(title_of(files), lambda work, n=files: many_files(work, n, pull_all=not options.no_pull))
    if options.sparse:
        life(
            f"a sparse file of {options.sparse} GiB",
            lambda work: large_file(work, options.sparse << 30, pulls=not options.no_pull),
        )
    print("\n\n".join(tables(results)))
    if options.json:
        Path(options.json).write_text(json.dumps({k: [asdict(s) for s in v] for k, v in results.items()}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
