"""Processes that are killed or interrupted at their K-th step, or that the system refuses something there; that run
as another user, with little memory, or many at once.

Run as a program this is the nursery: it imports lobsterdv once and forks a child for every job, so that a kill
costs milliseconds. A step is anything that changes the disk and that Python's audit hooks see, and every
sync (``lobsterdv.sync``).
"""

from __future__ import annotations

import gc
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from tests.damage import canaries

STEPS = {
    f"os.{name}" for name in ("rename", "link", "symlink", "remove", "mkdir", "rmdir", "chmod", "utime", "truncate")
}
STEPS |= {"lobsterdv.sync"}
READS = "lobsterdv.read"
"""A read of a file's bytes, which is a step only where ``Fault.only`` names it."""
S3 = ("botocore.session", "botocore.config", "botocore.handlers", "botocore.httpsession", "botocore.auth")
CHANGES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class Ended(NamedTuple):
    """How a job ended: ``steps`` it took (0 when it was killed), what failed, and whether it was killed."""

    steps: int
    failures: list[str]
    killed: bool


class Fault(NamedTuple):
    """What happens at a step: the process gets ``signal``, or ``act`` (module:function) is done before it, or the step
    fails with ``errno`` (and ``lasting``: all that come after it fail too). ``at`` 0 is never. Only steps of the kinds
    ``only`` count, when there are some, and ``every_open`` takes those for reading, too. No file may grow beyond
    ``limit_bytes``, when that is not 0."""

    at: int = 0
    signal: int = 0
    errno: int = 0
    lasting: bool = False
    act: str = ""
    only: tuple[str, ...] = ()
    every_open: bool = False
    limit_bytes: int = 0


NEVER = Fault()


class Said(NamedTuple):
    """How a command ended: exit code (-1: killed), the JSON document or text it printed, seconds by the clock and of
    work (``cpu_s``), MiB it used at most, and how many steps it took when they were counted."""

    code: int
    out: str
    err: str
    seconds: float
    peak_mib: float
    steps: int
    cpu_s: float

    @property
    def errors(self) -> list[str]:
        """The types of the errors in its JSON document."""
        return [error["type"] for error in json.loads(self.out)["errors"]]


class Nursery:
    """Runs jobs in children. Use it as a context manager."""

    def __enter__(self) -> Nursery:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.damage.killing"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def run(
        self,
        root: Path,
        env: Mapping[str, str],
        verb: str,
        paths: Sequence[str] = (),
        *,
        kill_at: int = 0,
        kill_after: float = 0,
        prepare: str = "",
        pid_file: Path | None = None,
        **more: Any,
    ) -> Ended:
        """Do ``verb`` in the project at ``root``; kill it at its step ``kill_at``, or ``kill_after`` so many seconds,
        never when that is 0. Before, ``prepare`` (module:function) is called in its process, whose id is written into
        ``pid_file``."""
        job = {
            "root": str(root),
            "env": dict(env),
            "verb": verb,
            "paths": list(paths),
            "kill_at": kill_at,
            "kill_after": kill_after,
            "prepare": prepare,
            "pid_file": str(pid_file or ""),
            "more": more,
        }
        (answer,) = self._ask([job])
        return Ended(answer["steps"], answer["failures"], answer["killed"])

    def faulted(
        self, args: Sequence[str], cwd: Path, env: Mapping[str, str], fault: Fault, *, prepare: str = ""
    ) -> Said:
        """Type ``lobsterdv ARGS --json``; ``fault`` happens at one of its steps, which are counted."""
        job = {
            "args": _as_json(list(args)),
            "cwd": str(cwd),
            "env": dict(env),
            "uid": 0,
            "limit_mib": 0,
            "blind": False,
        }
        (a,) = self._ask([{**job, "prepare": prepare, "fault": fault._asdict(), "home": str(cwd.parent)}])
        return _said(a)

    def in_words(self, args: Sequence[str], cwd: Path, env: Mapping[str, str]) -> Said:
        """Type ``lobsterdv ARGS``, as people do."""
        (answer,) = self._ask(
            [{"args": list(args), "cwd": str(cwd), "env": dict(env), "uid": 0, "limit_mib": 0, "blind": False}]
        )
        return _said(answer)

    def command(
        self,
        args: Sequence[str],
        cwd: Path,
        env: Mapping[str, str],
        *,
        uid: int = 0,
        limit_mib: int = 0,
        blind: bool = False,
    ) -> Said:
        """Type ``lobsterdv ARGS --json`` in ``cwd``, as user ``uid``, with that much address space at most, and, when
        ``blind``, where no file system tells how much room is left."""
        return self.crowd([args], cwd, env, uid=uid, limit_mib=limit_mib, blind=blind)[0]

    def crowd(
        self,
        commands: Sequence[Sequence[str]],
        cwd: Path,
        env: Mapping[str, str],
        *,
        uid: int = 0,
        limit_mib: int = 0,
        blind: bool = False,
        prepare: str = "",
        may_die: bool = False,
    ) -> list[Said]:
        """All commands at once, each in a process of its own; ``prepare`` as in ``run``. Who is killed has the code
        -1, and must not be unless it ``may_die``."""
        common = {"cwd": str(cwd), "env": dict(env), "uid": uid, "limit_mib": limit_mib, "blind": blind}
        common["prepare"] = prepare
        answers = self._ask([{"args": _as_json(list(args)), **common} for args in commands])
        assert may_die or not any(answer["killed"] for answer in answers), answers
        return [_said(answer) for answer in answers]

    def _ask(self, jobs: list[dict[str, Any]]) -> list[Any]:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(jobs).encode() + b"\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the nursery died"
        answers = json.loads(answer)
        assert isinstance(answers, list)
        for root in {job.get("root") or job["cwd"] for job in jobs}:
            canaries.check(Path(root))
        return answers


def _said(answer: Mapping[str, Any]) -> Said:
    code = -1 if answer["killed"] else answer["code"]
    return Said(code, *(answer[name] for name in Said._fields[1:]))


def _as_json(args: list[str]) -> list[str]:
    end = args.index("--") if "--" in args else len(args)
    return [*args[:end], "--json", *args[end:]]


def main() -> None:
    """The nursery's life: a line of jobs in, a line of answers out."""
    from importlib import import_module
    from pkgutil import walk_packages

    import lobsterdv

    # Everything before the forks: it saves time, and another user may not be able to read this Python.
    modules = [module.name for module in walk_packages(lobsterdv.__path__, "lobsterdv.")]
    for name in [
        *modules,
        "concurrent.futures.thread",
        "ctypes",
        "difflib",
        "pathspec",
        "platform",
        "pyfastcdc",
        "rich.console",
        "rich.progress",
        *S3,
    ]:
        import_module(name)
    import_module("tests.documents_once").warm_up()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job's children ignore it
    gc.collect()
    gc.freeze()  # a collection in a child would write to every object of ours, and so copy it
    for line in sys.stdin.buffer:
        children = [_Child(job) for job in json.loads(line)]
        sys.stdout.write(json.dumps([child.wait() for child in children]) + "\n")
        sys.stdout.flush()


class _Child:
    def __init__(self, job: dict[str, Any]) -> None:
        self._files = [tempfile.TemporaryFile() for _ in range(3)]  # noqa: SIM115  closed in wait
        self._began = time.monotonic()
        self._pid = os.fork()
        if not self._pid:
            _live(job, *(file.fileno() for file in self._files))

    def wait(self) -> dict[str, Any]:
        _, state, usage = os.wait4(self._pid, 0)
        texts = []
        for file in self._files:
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
            file.close()
        killed = os.WIFSIGNALED(state)
        code = -1 if killed else os.WEXITSTATUS(state)
        told = json.loads(texts[0]) if texts[0] else {"steps": 0, "failures": [] if killed else [texts[2]]}
        seconds, peak_mib = time.monotonic() - self._began, usage.ru_maxrss / 1024
        return {
            "killed": killed, "code": code, "out": texts[1], "err": texts[2],
            "seconds": seconds, "cpu_s": usage.ru_utime + usage.ru_stime, "peak_mib": peak_mib, **told,
        }  # fmt: skip


def _live(job: dict[str, Any], told: int, out: int, err: int) -> None:
    """The child's whole life."""
    code = 99
    try:
        os.dup2(out, 1)
        os.dup2(err, 2)
        code = _type_command(job, told) if "args" in job else _do_verb(job, told)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _type_command(job: dict[str, Any], told: int) -> int:
    from lobsterdv.cli.main import run

    os.chdir(job["cwd"])
    _move_in(job["env"])
    if job.get("prepare"):
        _call(job["prepare"])
    if job["blind"]:
        import lobsterdv.project

        lobsterdv.project.free_bytes = lambda folder: None
    if job["limit_mib"]:
        resource.setrlimit(resource.RLIMIT_AS, (job["limit_mib"] << 20, job["limit_mib"] << 20))
    if job["uid"]:
        os.setgroups([])
        os.setgid(job["uid"])
        os.setuid(job["uid"])
    if "fault" not in job:
        return run(job["args"])
    counted = _watch_steps(job["home"], Fault(**{**job["fault"], "only": tuple(job["fault"]["only"])}))
    code = run(job["args"])
    os.write(told, json.dumps({"steps": counted[0], "failures": []}).encode())
    return code


def _call(name: str) -> None:
    from importlib import import_module

    module, _, function = name.partition(":")
    getattr(import_module(module), function)()


def _move_in(env: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(env)
    tempfile.tempdir = None  # the nursery's was looked up before


def _watch_steps(home: str, fault: Fault) -> list[int]:
    """Count the steps of this process below ``home``, and let the fault happen; the number is in the list."""
    counted = [0]

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = args
            is_change = fault.every_open or (isinstance(flags, int) and flags & CHANGES)
            if not is_change or not str(path).startswith(home):
                return
        elif event not in STEPS and not (event == READS and READS in fault.only):
            return
        if fault.only and event not in fault.only:
            return
        counted[0] += 1
        if fault.at and (counted[0] == fault.at or (fault.lasting and counted[0] > fault.at)):
            if fault.act:
                _call(fault.act)
            elif fault.signal:
                os.kill(os.getpid(), fault.signal)
            elif fault.errno:
                # what is done to a descriptor, a read or a sync, knows no name
                name = [] if event == READS or not args or isinstance(args[0], int) else [str(args[0])]
                raise OSError(fault.errno, os.strerror(fault.errno), *name)

    if READS in fault.only:
        _announce_reads(home)
    if fault.limit_bytes:
        resource.setrlimit(resource.RLIMIT_FSIZE, (fault.limit_bytes, fault.limit_bytes))
    sys.addaudithook(hook)
    return counted


def _announce_reads(home: str) -> None:
    """Python tells nobody that a file is read: have the calls do it that read files below ``home``."""

    def announcing(read: Callable[..., Any]) -> Callable[..., Any]:
        def call(file: int | Path, *args: Any, **options: Any) -> Any:
            path = os.readlink(f"/proc/self/fd/{file}") if isinstance(file, int) else str(file)
            if path.startswith(home):
                sys.audit(READS, path)
            return read(file, *args, **options)

        return call

    for name in ("read", "pread", "preadv"):
        setattr(os, name, announcing(getattr(os, name)))
    for name in ("read_bytes", "read_text"):
        setattr(Path, name, announcing(getattr(Path, name)))


def _do_verb(job: dict[str, Any], told: int) -> int:
    from lobsterdv.errors import LobsterError
    from lobsterdv.events import silent
    from lobsterdv.project import open_project

    _move_in(job["env"])
    if job["pid_file"]:
        Path(job["pid_file"]).write_text(str(os.getpid()))
    if job["prepare"]:
        _call(job["prepare"])
    project = open_project(Path(job["root"]), environment=job["env"])
    module = sys.modules[f"lobsterdv.ops.{job['verb']}"]
    counted = _watch_steps(str(Path(job["root"]).parent), Fault(job["kill_at"], signal.SIGKILL))
    signal.setitimer(signal.ITIMER_REAL, job["kill_after"])  # nobody handles SIGALRM: it ends the process on the spot
    try:
        given = {"gc": [], "merge": job["paths"][:1], "forget": job["paths"]}.get(job["verb"], [job["paths"]])
        report = getattr(module, job["verb"])(project, *given, observer=silent, **job["more"])
        failures = [f"{f.path}: {type(f.error).__name__}: {f.error}" for f in report.failures]
    except LobsterError as error:
        failures = [f"{type(error).__name__}: {error}"]
    os.write(told, json.dumps({"steps": counted[0], "failures": failures}).encode())
    return 0


if __name__ == "__main__":
    main()
