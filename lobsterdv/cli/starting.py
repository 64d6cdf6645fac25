"""Commands to begin with: init, demo, doctor, version."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lobsterdv import __version__
from lobsterdv.cli.options import no_stage_option, verb
from lobsterdv.cli.session import Done, Session

if TYPE_CHECKING:
    from lobsterdv.git import Git
    from lobsterdv.ops.init import InitReport


@dataclass(frozen=True)
class VersionReport:
    """``formats`` is the number of the file formats that this version writes."""

    lobsterdv: str
    formats: int
    python: str
    platform: str


@verb("init", report="lobsterdv.ops.init:InitReport")
@click.option("--remote", "url", metavar="URL", help="Share through s3://bucket/prefix or a folder.")
@click.option("--remote-name", metavar="NAME", default="lab", show_default=True, help="What to call that remote.")
@click.option("-y", "--yes", is_flag=True, help="Make a git repository if there is none, without asking.")
@no_stage_option
@click.pass_obj
def init_command(session: Session, url: str | None, remote_name: str, yes: bool, no_stage: bool) -> Done:
    """Make a git repository a lobsterdv project.

    Writes .lobsterdv.yaml and .gitattributes and stages them. Safe to repeat: what is there is kept.
    """
    from lobsterdv.cli.render import initialised  # noqa: PLC0415 - start-up time
    from lobsterdv.cli.urls import check_remote  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.init import init  # noqa: PLC0415 - start-up time
    from lobsterdv.project import CONFIG_NAME  # noqa: PLC0415 - start-up time

    if url is not None:
        check_remote(remote_name, url)  # before anything is written
    git, created = _repository(session, yes)
    report = init(git, CONFIG_NAME, project_id=os.urandom(16).hex(), staging=not no_stage, observer=session.observer)
    if url is not None:
        report = _with_remote(session, report, remote_name, url, staging=not no_stage)
    else:
        session.project()
    return initialised(report, session.words, git_created=created, staged=not no_stage)


def _repository(session: Session, yes: bool) -> tuple[Git, bool]:
    """The git repository around the folder; made when the user agrees. Raises NoGit."""
    from lobsterdv.errors import NoGit  # noqa: PLC0415 - start-up time
    from lobsterdv.git import Git  # noqa: PLC0415 - start-up time

    folder = Path(session.folder)
    try:
        return Git.find(folder, environment=os.environ), False
    except NoGit:
        asking = sys.stdin.isatty() and sys.stderr.isatty() and not session.as_json
        if not yes and not (asking and click.confirm("Create a git repository here?", default=True, err=True)):
            raise
    Git.create(folder, environment=os.environ)
    return Git.find(folder, environment=os.environ), True


def _with_remote(session: Session, report: InitReport, name: str, url: str, *, staging: bool) -> InitReport:
    """Add the remote too, unless it is there already with this URL."""
    from lobsterdv.cli.urls import remote_url  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.remotes import add_remote, default_remote  # noqa: PLC0415 - start-up time
    from lobsterdv.project import CONFIG_NAME  # noqa: PLC0415 - start-up time

    project = session.project()
    place = remote_url(session, url)
    known = project.config.remotes.get(name)
    if known is None or known.url != place:
        add_remote(project, name, place, settings={}, default=True, staging=staging, observer=session.observer)
    elif project.remote().name != name:
        default_remote(project, name, staging=staging, observer=session.observer)
    else:
        return replace(report, remote=name)
    return replace(report, remote=name, written=sorted({*report.written, CONFIG_NAME}))


@verb("demo", report="lobsterdv.demo:DemoReport")
@click.argument("source", metavar="[FILE.h5ad]", required=False, type=click.Path(readable=False))
@click.option("--s3", is_flag=True, help="Share through S3 (a moto server in this process), not through a folder.")
@click.pass_obj
def demo_command(session: Session, source: str | None, s3: bool) -> Done:
    """Tell the whole story on real data, in temporary repositories.

    Eight steps, each with the command that does it, its time and its bytes: keep a file, share it, change it,
    share it again, clone, pull, go back, and prove every byte. Without FILE.h5ad it takes a sample that comes
    with scanpy. Nothing outside a temporary folder is touched.
    """
    from lobsterdv.cli.render_demo import proof, told  # noqa: PLC0415 - start-up time
    from lobsterdv.cli.speech import say  # noqa: PLC0415 - start-up time
    from lobsterdv.demo import Step, run_demo  # noqa: PLC0415 - start-up time

    def tell(step: Step) -> None:
        if not (session.quiet or session.as_json):
            say(told(step))

    place = Path(session.folder, source) if source is not None else None
    return proof(run_demo(place, s3=s3, tell=tell))


@verb("doctor", report="lobsterdv.ops.doctor:DoctorReport")
@click.pass_obj
def doctor_command(session: Session) -> Done:
    """Check that everything here works, and say how to fix what does not.

    Looks at python, git, the compiled chunker, the cache, the kinds of links that work here, and asks every
    remote. Exits with 1 when something does not work. Works outside a project too.
    """
    from lobsterdv.cli.colour import painter  # noqa: PLC0415 - start-up time
    from lobsterdv.cli.render_looking import examined  # noqa: PLC0415 - start-up time
    from lobsterdv.errors import NoGit, NotAProject  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.doctor import doctor  # noqa: PLC0415 - start-up time

    try:
        project = session.project()
    except (NoGit, NotAProject):
        project = None
    return examined(doctor(project, version=__version__, observer=session.observer), painter(sys.stdout))


@verb("version", report="lobsterdv.cli.starting:VersionReport")
@click.pass_obj
def version_command(session: Session) -> Done:
    """Print the versions of lobsterdv, its formats and python."""
    import platform  # noqa: PLC0415 - start-up time

    from lobsterdv.formats.yamlio import FORMAT  # noqa: PLC0415 - start-up time

    report = VersionReport(__version__, FORMAT, platform.python_version(), platform.platform())
    line = f"lobsterdv {report.lobsterdv}, formats {report.formats}, python {report.python}, {report.platform}"
    return Done(report, answer=[line])
