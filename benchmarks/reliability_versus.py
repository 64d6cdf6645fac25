"""Faults that users meet, injected into lobsterdv and dvc alike: who says so, who passes wrong bytes on.

Each row makes a repository with a directory remote, breaks one thing by hand and looks at files and exit statuses,
never at what a tool says of itself. Writes RELIABILITY.md when both tools ran. Exit 1 when lobsterdv fails a row.
"""

import argparse
import datetime
import hashlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import peers
import report
import tools
from tools import Tool

HERE = Path(__file__).resolve().parent
SIZE = 3 << 20
ALIAS_BOMB = "".join(
    f"{chr(97 + level)}: &{chr(97 + level)} [" + ",".join([f"*{chr(96 + level)}"] * 9 if level else ['"x"'] * 9) + "]\n"
    for level in range(9)
)
LIMIT_SECONDS = 30.0
# Two files with one MD5 (Wang and Yu, "How to break MD5 and other hash functions", 2005), 128 bytes each.
MD5_PAIR = (
    "d131dd02c5e6eec4693d9a0698aff95c2fcab58712467eab4004583eb8fb7f8955ad340609f4b30283e488832571415a"
    "085125e8f7cdc99fd91dbdf280373c5bd8823e3156348f5bae6dacd436c919c6dd53e2b487da03fd02396306d248cda0"
    "e99f33420f577ee8ce54b67080a80d1ec69821bcb6a8839396f9652b6ff72a70",
    "d131dd02c5e6eec4693d9a0698aff95c2fcab50712467eab4004583eb8fb7f8955ad340609f4b30283e4888325f1415a"
    "085125e8f7cdc99fd91dbd7280373c5bd8823e3156348f5bae6dacd436c919c6dd53e23487da03fd02396306d248cda0"
    "e99f33420f577ee8ce54b67080280d1ec69821bcb6a8839396f965ab6ff72a70",
)


class Verdict(NamedTuple):
    """``good``: the tool did what a user may expect; ``seen``: what happened, in few words."""

    good: bool
    seen: str


@dataclass
class Desk:
    """One tool's repository, beside its remote."""

    tool: Tool
    home: Path
    pointer: str
    cache: str

    @property
    def here(self) -> Path:
        return self.home / "lab"

    @property
    def remote(self) -> Path:
        return self.home / "remote"

    def __post_init__(self) -> None:
        self.here.mkdir(parents=True)
        self.environment = tools.environment(self.tool, self.home / "user")
        self.git("init", "-q")
        for line in self.tool.set_up:
            self.must(*line.format(remote=self.remote).split())
        self.git("add", "-A")
        self.git("commit", "-qm", "start", "--allow-empty")

    def git(self, *words: str) -> str:
        done = subprocess.run(["git", *words], cwd=self.here, env=self.environment, capture_output=True, check=True)
        return done.stdout.decode()

    def run(self, *words: str, folder: Path | None = None) -> int:
        """The exit status; 124 when it took too long."""
        try:
            return subprocess.run(
                [*self.tool.program, *words], cwd=folder or self.here, env=self.environment, capture_output=True,
                timeout=LIMIT_SECONDS, check=False,
            ).returncode  # fmt: skip
        except subprocess.TimeoutExpired:
            return 124

    def must(self, *words: str) -> None:
        if status := self.run(*words):
            raise SystemExit(f"{self.tool.name} {' '.join(words)}: exit {status}")

    def write(self, name: str, data: bytes) -> Path:
        path = self.here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(data)
        return path

    def kept(self, name: str, data: bytes) -> Path:
        """A file, added, committed and pushed."""
        path = self.write(name, data)
        self.must("add", name)
        self.git("add", "-A")
        self.git("commit", "-qm", name)
        self.must("push")
        return path

    def clone(self) -> Path:
        """A colleague's clone with an empty cache."""
        folder = self.home / f"clone{len(list(self.home.iterdir()))}"
        subprocess.run(["git", "clone", "-q", self.here, folder], env=self.environment, check=True, capture_output=True)
        return folder

    def biggest(self, folder: Path) -> Path:
        return max((p for p in folder.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)


def flip(path: Path) -> None:
    """One bit of a byte in the middle; size and times stay."""
    facts = path.stat()
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(facts.st_size // 2)
        byte = file.read(1)[0]
        file.seek(facts.st_size // 2)
        file.write(bytes([byte ^ 1]))
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    path.chmod(facts.st_mode & 0o777)


def noise(seed: int = 0, size: int = SIZE) -> bytes:
    return random.Random(seed).randbytes(size)


def statuses(found: dict[str, int]) -> str:
    return ", ".join(f"{name} exit {status}" for name, status in found.items())


def flipped_cache(desk: Desk) -> Verdict:
    desk.write("x.bin", noise())
    desk.must("add", "x.bin")
    desk.git("add", "-A")
    desk.git("commit", "-qm", "x")
    flip(desk.biggest(desk.here / desk.cache))
    (desk.here / "x.bin").unlink()
    found = {"checkout": desk.run("checkout")}
    wrong = (desk.here / "x.bin").exists() and (desk.here / "x.bin").read_bytes() != noise()
    found["push"] = desk.run("push")
    sent = [p for p in desk.remote.rglob("*") if p.is_file() and p.stat().st_size >= SIZE]
    spread = any(noise() not in p.read_bytes() for p in sent)
    good = not wrong and not spread and all(found.values())
    seen = statuses(found) + ("; wrong bytes in the work tree" * wrong) + ("; wrong bytes at the remote" * spread)
    return Verdict(good, seen)


def spoiled_remote(spoil: Callable[[Path], None]) -> Callable[[Desk], Verdict]:
    def row(desk: Desk) -> Verdict:
        desk.kept("x.bin", noise())
        spoil(desk.biggest(desk.remote))
        clone = desk.clone()
        status = desk.run("pull", folder=clone)
        there = clone / "x.bin"
        wrong = there.exists() and there.read_bytes() != noise()
        return Verdict(bool(status) and not wrong, f"pull exit {status}" + "; wrong bytes in the work tree" * wrong)

    return row


def cut(path: Path) -> None:
    path.chmod(0o644)
    os.truncate(path, path.stat().st_size // 2)


def repaired(desk: Desk) -> Verdict:
    """By whoever still has the data, with the commands that the tool has for it."""
    desk.kept("x.bin", noise())
    flip(desk.biggest(desk.remote))
    repair = ("verify", "--remote", "--read-data", "--repair") if desk.tool.name == "lobsterdv" else ("push",)
    first = desk.run(*repair)
    clone = desk.clone()
    status = desk.run("pull", folder=clone)
    healed = (clone / "x.bin").exists() and (clone / "x.bin").read_bytes() == noise()
    return Verdict(
        healed, f"{' '.join(repair)} exit {first}, then pull exit {status}" + "; still broken" * (not healed)
    )


def lost_object(desk: Desk) -> Verdict:
    desk.kept("x.bin", noise())
    desk.biggest(desk.remote).unlink()
    first = desk.run("push")
    clone = desk.clone()
    status = desk.run("pull", folder=clone)
    healed = (clone / "x.bin").exists() and (clone / "x.bin").read_bytes() == noise()
    return Verdict(healed, f"push exit {first}, then pull exit {status}" + "; it stays lost" * (not healed))


def changed_meanwhile(desk: Desk) -> Verdict:
    """A writer changes the file in place while it is added, eight times."""
    bad = refused = 0
    for attempt in range(8):
        name = f"x{attempt}.bin"
        path = desk.write(name, noise(attempt, 96 << 20))
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)])
        status = desk.run("add", name)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        if status:
            refused += 1
            continue
        shutil.rmtree(desk.here / "out", ignore_errors=True)
        path.unlink()
        restored = desk.run("checkout", name if desk.tool.name == "lobsterdv" else f"{name}.dvc")
        bad += bool(restored) or not path.exists() or not named(desk, name, path)
        path.unlink(missing_ok=True)
    return Verdict(not bad, f"of 8: {refused} refused, {bad} pointers disagree with the bytes")


WRITER = """
import os, random, sys
with open(sys.argv[1], "r+b") as file:
    size = os.fstat(file.fileno()).st_size
    while True:
        os.pwrite(file.fileno(), random.randbytes(8), random.randrange(size - 8))
"""


def named(desk: Desk, name: str, path: Path) -> bool:
    """Whether the pointer's digest is that of the file, by our own reckoning."""
    from blake3 import blake3

    text = (desk.here / f"{name}{desk.pointer}").read_text()
    data = path.read_bytes()
    return any(digest in text for digest in (hashlib.md5(data).hexdigest(), blake3(data).hexdigest()))


def one_md5(desk: Desk) -> Verdict:
    first, second = map(bytes.fromhex, MD5_PAIR)
    desk.write("one.bin", first)
    desk.write("two.bin", second)
    desk.must("add", "one.bin")
    desk.must("add", "two.bin")
    for name in ("one.bin", "two.bin"):
        (desk.here / name).unlink()
    status = desk.run("checkout")
    same = (desk.here / "one.bin").read_bytes() == first and (desk.here / "two.bin").read_bytes() == second
    return Verdict(same, f"checkout exit {status}" + "; the second file became the first" * (not same))


def alias_bomb(desk: Desk) -> Verdict:
    """A few hundred bytes of YAML whose expansion fills the memory."""
    (desk.here / f"x.bin{desk.pointer}").write_text(ALIAS_BOMB + "lobsterdv: 1\n")
    begun = time.perf_counter()
    status = desk.run("status")
    seconds = time.perf_counter() - begun
    return Verdict(
        status not in (0, 124) and seconds < 5,
        f"{len(ALIAS_BOMB)} bytes: "
        + (f"no end in {LIMIT_SECONDS:.0f} s" if status == 124 else f"status exit {status}"),
    )


def hidden_refs(desk: Desk) -> Verdict:
    """gc of the cache with versions that only a stash, the index and an amended commit name; nothing is pushed."""
    versions = {}

    def version(word: str) -> None:
        versions[word] = noise(len(versions) + 1)
        desk.write("x.bin", versions[word])
        desk.must("add", "x.bin")

    version("base")
    desk.git("add", "-A")
    desk.git("commit", "-qm", "base")
    version("amended")
    desk.git("add", "-A")
    desk.git("commit", "-qm", "amended")
    version("later")
    desk.git("add", "-A")
    desk.git("commit", "-q", "--amend", "-m", "later")
    version("stash")
    desk.git("stash", "-q")
    version("index")
    desk.git("add", "-A")
    version("work tree")
    gc = ("gc", "--yes") if desk.tool.name == "lobsterdv" else ("gc", "-w", "-f")
    status = desk.run(*gc)
    data = [p.read_bytes() for p in (desk.here / desk.cache).rglob("*") if p.is_file() and p.stat().st_size >= SIZE]
    lost = [word for word in ("amended", "stash", "index") if not any(versions[word] in kept for kept in data)]
    return Verdict(status == 0 and not lost, f"{' '.join(gc)} exit {status}; lost: {', '.join(lost) or 'nothing'}")


def secret(desk: Desk) -> Verdict:
    if desk.tool.name == "lobsterdv":
        config = desk.here / ".lobsterdv.yaml"
        before = config.read_text()
        config.write_text(re.sub(r"(    url: .*\n)", r"\1    secret_access_key: hunter2\n", before))
        status = desk.run("status")
        return Verdict(status != 0, f"status exit {status}")
    desk.must("remote", "add", "bucket", "s3://bucket/lab")
    status = desk.run("remote", "modify", "bucket", "secret_access_key", "hunter2")
    written = "hunter2" in (desk.here / ".dvc" / "config").read_text()
    return Verdict(not written, f"remote modify exit {status}" + "; written to the tracked file" * written)


def escaping_link(desk: Desk) -> Verdict:
    (desk.here / "d").mkdir()
    (desk.here / "d" / "link").symlink_to("/etc/passwd")
    desk.write("d/file", b"x")
    status = desk.run("add", "d")
    inside = Path("/etc/passwd").read_bytes()
    copied = any(inside in p.read_bytes() for p in (desk.here / desk.cache).rglob("*") if p.is_file())
    return Verdict(not copied, f"add exit {status}" + "; /etc/passwd is in the cache" * copied)


def ten_at_once(desk: Desk) -> Verdict:
    for number in range(10):
        desk.write(f"x{number}.bin", noise(number, 1 << 20))
    running = [
        subprocess.Popen(
            [*desk.tool.program, "add", f"x{number}.bin"], cwd=desk.here, env=desk.environment,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        for number in range(10)
    ]  # fmt: skip
    failed = sum(process.wait() != 0 for process in running)
    return Verdict(not failed, f"{failed} of 10 failed")


def synced(desk: Desk) -> Verdict:
    strace = shutil.which("strace")
    if strace is None:
        return Verdict(False, "strace is not installed")
    desk.write("x.bin", noise())
    trace = desk.home / "trace"
    subprocess.run(
        [strace, "-f", "-y", "-e", "trace=fsync,fdatasync", "-o", str(trace), *desk.tool.program, "add", "x.bin"],
        cwd=desk.here, env=desk.environment, capture_output=True, check=True,
    )  # fmt: skip
    paths = re.findall(r"\bf(?:data)?sync\(\d+<([^>]*)>", trace.read_text())
    calls = sum(str(desk.here / desk.cache) in path for path in paths)
    return Verdict(calls > 0, f"{calls} calls of fsync for files and folders of the cache")


def killed(desk: Desk) -> Verdict:
    """kill -9 of add at 20 moments, then add again."""
    lost = 0
    for attempt in range(20):
        name, data = f"x{attempt}.bin", noise(attempt, 8 << 20)
        path = desk.write(name, data)
        process = subprocess.Popen(
            [*desk.tool.program, "add", name], cwd=desk.here, env=desk.environment,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(0.05 * (attempt + 1))
        process.kill()
        process.wait()
        lost += not path.exists() or path.read_bytes() != data
        lost += desk.run("add", name) != 0
        path.unlink(missing_ok=True)
    return Verdict(not lost, f"of 20: {lost} lost or in the way of the next add")


ROWS: dict[str, Callable[[Desk], Verdict]] = {
    "one bit flipped in a cache file": flipped_cache,
    "one bit flipped in a remote object": spoiled_remote(flip),
    "a remote object cut to half": spoiled_remote(cut),
    "repair of a flipped remote object": repaired,
    "a remote object deleted, then push": lost_object,
    "a file that changes while it is added": changed_meanwhile,
    "two files with one MD5": one_md5,
    "a YAML alias bomb as a pointer": alias_bomb,
    "gc, with versions in stash, index, amended commit": hidden_refs,
    "a secret in the tracked configuration": secret,
    "a link to /etc/passwd in a folder": escaping_link,
    "ten `add` at once": ten_at_once,
    "`add` syncs what it wrote": synced,
    "`add` killed": killed,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks/reliability_versus.py", description=__doc__)
    parser.add_argument("--peers", type=Path, default=peers.DEFAULT_PEERS, metavar="DIR", help="environment of dvc")
    parser.add_argument("--tools", default="lobsterdv,dvc", metavar="NAMES", help="which of the two")
    parser.add_argument("--rows", default="", metavar="TEXT", help="only rows with this in their name")
    options = parser.parse_args()
    chosen = options.tools.split(",")
    if "dvc" in chosen and options.peers == peers.DEFAULT_PEERS:
        peers.prepare(options.peers)
    table: list[list[str]] = []
    failed = 0
    for name, row in ROWS.items():
        if options.rows not in name:
            continue
        cells = [name]
        for tool in chosen:
            verdict = _tried(tool, row, options.peers)
            cells.append(("pass: " if verdict.good else "FAIL: ") + verdict.seen)
            failed += tool == "lobsterdv" and not verdict.good
        table.append(cells)
        print(" | ".join(cells), flush=True)
    if chosen == ["lobsterdv", "dvc"] and not options.rows:
        _write(table, options.peers)
    return 1 if failed else 0


def _tried(tool: str, row: Callable[[Desk], Verdict], folder: Path) -> Verdict:
    work = Path(tempfile.mkdtemp(prefix="versus-"))
    try:
        return row(_desk(tool, work, folder))
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _desk(name: str, work: Path, folder: Path) -> Desk:
    if name == "lobsterdv":
        set_up = ("init", "remote add nas {remote}")
        return Desk(replace(tools.lobsterdv(), set_up=set_up), work, ".ldv.yaml", ".git/lobsterdv/cache")
    dvc = tools.all_tools(peers.locate(folder))["dvc"]
    set_up = (*(line for line in dvc.set_up if not line.startswith("remote")), "remote add -d nas {remote}")
    return Desk(replace(dvc, set_up=set_up), work, ".dvc", ".dvc/cache")


def _write(table: list[list[str]], folder: Path) -> None:
    version = subprocess.run(
        [peers.locate(folder).dvc, "--version"], capture_output=True, text=True, check=True
    ).stdout.strip()
    today = datetime.datetime.now(tz=datetime.UTC).date()
    text = (
        "# Faults, injected into both\n\n"
        f"Written by `python benchmarks/reliability_versus.py` on {today}: lobsterdv as of this tree, "
        f"dvc {version}, each with a directory remote. What is judged are files and exit statuses.\n\n"
    )
    rows = report.table([["fault", "lobsterdv", "dvc"], *table])
    (HERE / "RELIABILITY.md").write_text(text + rows + "\n")


if __name__ == "__main__":
    sys.exit(main())
