"""The story in eight steps, in fresh temporary repositories: add, share, change, share again, clone, pull, go back.

A face like the command line: it wires projects itself and tells each step as it is done. Nothing outside
its temporary folder is touched.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

from lobsterdv.digest import digest_of_file
from lobsterdv.errors import FormatError, UsageError
from lobsterdv.events import silent
from lobsterdv.formats.yamlio import Value
from lobsterdv.git import Git
from lobsterdv.ops.add import add
from lobsterdv.ops.checkout import checkout
from lobsterdv.ops.context import Failure, Project
from lobsterdv.ops.init import init
from lobsterdv.ops.pull import pull
from lobsterdv.ops.push import PushReport, push
from lobsterdv.project import CONFIG_NAME, open_project

DATASET: Final = "data/counts.h5ad"
SAMPLE: Final = "10x_pbmc68k_reduced.h5ad"
_BUCKET: Final = "lobsterdv-demo"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the story: what was done, the command that does it, how long it took, what came of it."""

    number: int
    title: str
    command: str
    seconds: float
    result: str


@dataclass(frozen=True, slots=True)
class DemoReport:
    """``proved`` is True when every byte of both versions came back; ``new_bytes`` are those of the second push."""

    source: str
    remote: str
    size: int
    steps: list[Step]
    proved: bool
    first_push_bytes: int
    second_push_bytes: int


def run_demo(source: Path | None = None, *, s3: bool = False, tell: Callable[[Step], None]) -> DemoReport:
    """Run the story on ``source`` (an h5ad; scanpy's pbmc68k_reduced when None) and tell each step.

    With ``s3`` the remote is a bucket of a moto server in this process, else the embedded directory
    remote. Raises UsageError when scanpy or moto is needed and not installed.
    """
    with tempfile.TemporaryDirectory(prefix="lobsterdv-demo-") as folder, _remote(s3) as remote:
        return _Story(Path(folder), source, remote, tell).run()


class _Story:
    def __init__(
        self, folder: Path, source: Path | None, remote: Mapping[str, Value] | None, tell: Callable[[Step], None]
    ) -> None:
        self._a, self._b = folder / "ana", folder / "ben"
        self._source = source
        self._remote = remote
        self._tell = tell
        self._steps: list[Step] = []

    def run(self) -> DemoReport:
        name = self._step("a git repository becomes a project", "git init && lobsterdv init", self._begin)
        project = open_project(self._a, environment=_environment())
        data = self._a / DATASET
        self._step(
            "keep the first version", f"lobsterdv add {DATASET} && git commit", lambda: self._keep(project, "raw")
        )
        first = digest_of_file(data)
        size = data.stat().st_size
        pushed: list[PushReport] = []
        self._step("share it", "lobsterdv push", lambda: self._push(project, pushed))
        self._step("add a column to obs", "adata.obs['demo_score'] = …", lambda: self._change(data))
        self._step(
            "keep and share the second version",
            f"lobsterdv add {DATASET} && git commit && lobsterdv push",
            lambda: f"{self._keep(project, 'with a score')}; {self._push(project, pushed)}",
        )
        second = digest_of_file(data)
        other = self._step_clone(project)
        self._step("a colleague pulls", "lobsterdv pull", lambda: self._pull(other))
        proved = digest_of_file(self._b / DATASET) == second
        self._step(
            "and goes back to the first version",
            f"lobsterdv pull --rev HEAD~1 {DATASET}",
            lambda: self._back(other, first, proved),
        )
        proved = proved and digest_of_file(self._b / DATASET) == first
        sent = [sum(v.new_bytes for v in report.versions) for report in pushed]
        project.close()
        other.close()
        return DemoReport(name, project.remote().url, size, self._steps, proved, sent[0], sent[1])

    def _step(self, title: str, command: str, work: Callable[[], str]) -> str:
        started = time.perf_counter()
        result = work()
        step = Step(len(self._steps) + 1, title, command, time.perf_counter() - started, result)
        self._steps.append(step)
        self._tell(step)
        return result

    def _begin(self) -> str:
        self._a.mkdir()
        variables = _environment()
        Git.create(self._a, environment=variables)
        git = Git.find(self._a, environment=variables)
        remote = None if self._remote is None else ("demo", self._remote)
        init(git, CONFIG_NAME, project_id=os.urandom(16).hex(), remote=remote, observer=silent)
        git.commit("begin")
        (self._a / "data").mkdir()
        _place_sample(self._source, self._a / DATASET)
        return self._source.name if self._source else SAMPLE

    def _keep(self, project: Project, message: str) -> str:
        report = add(project, [DATASET], message=message, observer=silent)
        _check(report.failures)
        project.git.commit(message)
        row = report.added[0]
        return f"{row.size / 1e6:.1f} MB kept as {row.digest.short}"

    def _push(self, project: Project, reports: list[PushReport]) -> str:
        report = push(project, observer=silent)
        _check(report.failures)
        reports.append(report)
        sent = sum(v.new_bytes for v in report.versions)
        return f"{sent / 1e6:.1f} MB sent in {sum(v.new_objects for v in report.versions)} object(s)"

    def _change(self, data: Path) -> str:
        from lobsterdv.anndata_.edit import add_obs_column  # noqa: PLC0415 - start-up time

        add_obs_column(data, data, column="demo_score")
        return f"{data.stat().st_size / 1e6:.1f} MB now"

    def _step_clone(self, project: Project) -> Project:
        def clone() -> str:
            project.git.clone_to(self._b)
            if self._remote is None:
                # The embedded remote lives in the first repository's git folder: tell the second where.
                state = self._b / ".git" / "lobsterdv"
                state.mkdir(parents=True)
                url = project.remote().url
                text = f'lobsterdv: 1\nremote: ana\nremotes:\n  ana:\n    url: "{url}"\n'
                (state / "config.yaml").write_text(text, encoding="utf-8")
            return "pointers only, no data yet"

        self._step("clone to a second place", "git clone ana ben", clone)
        return open_project(self._b, environment=_environment())

    def _pull(self, project: Project) -> str:
        report = pull(project, observer=silent)
        _check(report.failures)
        return f"{sum(row.new_bytes for row in report.fetch.fetched) / 1e6:.1f} MB fetched and verified"

    def _back(self, project: Project, first: object, proved: bool) -> str:
        report = pull(project, [DATASET], rev="HEAD~1", observer=silent)
        _check(report.failures)
        checkout(project, [DATASET], rev="HEAD~1", observer=silent)
        same = digest_of_file(self._b / DATASET) == first
        return "every byte of both versions is the same" if same and proved else "THE BYTES DIFFER"


def _place_sample(source: Path | None, target: Path) -> None:
    """The first version is written by our own writer, so that the second differs by one column only."""
    from lobsterdv.anndata_.edit import rewrite  # noqa: PLC0415 - start-up time

    if source is not None:
        shutil.copyfile(source, target)
        try:
            rewrite(target, target)
        except (OSError, KeyError, ValueError) as error:
            raise FormatError(str(source), f"not readable as h5ad: {str(error).splitlines()[0]}") from error
        return
    try:
        sample = files("scanpy").joinpath("datasets", SAMPLE)
    except ModuleNotFoundError:
        raise UsageError("the demo's data comes with scanpy; name an h5ad file, or install lobsterdv[demo]") from None
    with as_file(sample) as path:
        rewrite(path, target)


@contextmanager
def _remote(s3: bool) -> Iterator[Mapping[str, Value] | None]:
    """Settings of the demo's S3 remote while its server runs; None for the embedded remote."""
    if not s3:
        yield None
        return
    try:
        from moto.server import ThreadedMotoServer  # noqa: PLC0415 - only for this
    except ModuleNotFoundError:
        raise UsageError("--s3 needs moto: install lobsterdv[demo]") from None
    import boto3  # noqa: PLC0415 - only for this

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # its line a request would bury the story
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    keys = {"AWS_ACCESS_KEY_ID": "demo", "AWS_SECRET_ACCESS_KEY": "demo"}
    before = {name: os.environ.get(name) for name in keys}
    os.environ.update(keys)
    try:
        boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1").create_bucket(Bucket=_BUCKET)
        yield {"url": f"s3://{_BUCKET}/lab", "endpoint_url": endpoint, "region": "us-east-1", "addressing": "path"}
    finally:
        server.stop()
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _environment() -> dict[str, str]:
    """The user's environment with an identity for the demo's commits; hooks and signing stay out of it."""
    people = {
        f"GIT_{role}_{field}": value
        for role in ("AUTHOR", "COMMITTER")
        for field, value in (("NAME", "Ana"), ("EMAIL", "ana@lab.example"))
    }
    options = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "commit.gpgsign", "GIT_CONFIG_VALUE_0": "false"}
    return {**os.environ, **people, **options}


def _check(failures: list[Failure]) -> None:
    if failures:
        raise failures[0].error
