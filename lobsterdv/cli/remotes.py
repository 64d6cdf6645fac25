"""The commands of ``lobsterdv remote``: what is configured, and gc. Those about buckets are in ``remote_setup``, about
storage classes in ``tiering``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lobsterdv.cli.configuring import configure_command
from lobsterdv.cli.options import common, dataset_names, jobs_option, no_stage_option, remote_names, verb
from lobsterdv.cli.remote_copies import COMMANDS as COPIES
from lobsterdv.cli.remote_setup import create_command, doctor_command, policy_command
from lobsterdv.cli.session import Done, Session
from lobsterdv.cli.tiering import cost_command, tier_command
from lobsterdv.cli.words import following, quote, safe

if TYPE_CHECKING:
    from lobsterdv.formats.yamlio import Value

REPORT = "lobsterdv.ops.remotes:RemotesReport"


@click.group("remote", invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@common
@click.pass_context
def remote_command(ctx: click.Context) -> Done | None:
    """Create, add, configure, list, choose, remove, trust, examine or clean remotes.

    A remote is an S3 bucket and prefix, or a folder. They are written into .lobsterdv.yaml, which git shares;
    credentials never are. Without a subcommand the remotes are listed.
    """
    if ctx.invoked_subcommand is not None:
        return None
    done: Done = ctx.invoke(remote_command.commands["list"])
    return done


@verb("add", report=REPORT)
@click.argument("name", metavar="NAME")
@click.argument("url", metavar="URL")
@click.option("--endpoint-url", metavar="URL", help="Of an S3 server other than AWS.")
@click.option("--region", metavar="REGION", help="Of the bucket.")
@click.option("--profile", metavar="NAME", help="In the AWS configuration files.")
@click.option("--addressing", type=click.Choice(["auto", "path", "virtual"]), help="How requests name the bucket.")
@click.option("--compression", metavar="auto|none|1..19", help="zstd: where it pays (auto), never, or at a level.")
@click.option(
    "--storage-class", metavar="CLASS", help="Of the objects that are pushed there: STANDARD_IA, GLACIER_IR, …"
)
@click.option("--default/--no-default", default=None, help="Make it the remote of push and pull; the first becomes it.")
@no_stage_option
@click.pass_obj
def add_command(
    session: Session,
    name: str,
    url: str,
    endpoint_url: str | None,
    region: str | None,
    profile: str | None,
    addressing: str | None,
    compression: str | None,
    storage_class: str | None,
    default: bool | None,
    no_stage: bool,
) -> Done:
    """Add a remote: s3://bucket/prefix or a folder.

    Its settings are written into .lobsterdv.yaml. An https endpoint that is given here is trusted on this machine;
    whoever clones the project is asked to trust it first. One with http:// is used, unless it is this machine's,
    only after `lobsterdv remote trust NAME`.
    """
    from lobsterdv.cli.urls import remote_url  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.remotes import add_remote  # noqa: PLC0415 - start-up time
    from lobsterdv.stores.open import is_unencrypted  # noqa: PLC0415 - start-up time

    given = {"endpoint_url": endpoint_url, "region": region, "profile": profile, "addressing": addressing}
    given |= {"compression": compression, "storage_class": storage_class}
    settings: dict[str, Value] = {key: value for key, value in given.items() if value is not None}
    project, place = session.project(), remote_url(session, url)
    report = add_remote(
        project, name, place, settings=settings, default=default, staging=not no_stage, observer=session.observer
    )
    words = session.words
    trust = [words.ldv("remote", "trust", quote(name))] if endpoint_url and is_unencrypted(endpoint_url) else []
    hints = [*trust, words.git("commit", "-m", quote(f"Add remote {name}")), words.ldv("push", "--remote", quote(name))]
    return Done(report, lines=[f"added remote {name}: {safe(place)}"], hints=following(hints))


@verb("list", report=REPORT)
@click.option("--latency", is_flag=True, help="Measure how long each takes to answer, and remember it for a day.")
@click.pass_obj
def list_command(session: Session, latency: bool) -> Done:
    """List the remotes; * marks the one that push and pull use.

    With --latency the nearest comes first. With `fallback: nearest` fetch and pull ask in that order.
    """
    from lobsterdv.cli.render_looking import remotes_listed  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.remotes import list_remotes  # noqa: PLC0415 - start-up time

    return remotes_listed(list_remotes(session.project(), measuring=latency), session.words)


@verb("default", report=REPORT)
@click.argument("name", metavar="NAME", shell_complete=remote_names)
@no_stage_option
@click.pass_obj
def default_command(session: Session, name: str, no_stage: bool) -> Done:
    """Make a remote the one that push and pull use."""
    from lobsterdv.ops.remotes import default_remote  # noqa: PLC0415 - start-up time

    report = default_remote(session.project(), name, staging=not no_stage, observer=session.observer)
    hint = session.words.git("commit", "-m", quote(f"Use remote {name}"))
    return Done(report, lines=[f"push and pull use {name} now"], hints=following([hint]))


@verb("remove", report=REPORT)
@click.argument("name", metavar="NAME", shell_complete=remote_names)
@no_stage_option
@click.pass_obj
def remove_command(session: Session, name: str, no_stage: bool) -> Done:
    """Forget a remote; nothing in it is touched."""
    from lobsterdv.ops.remotes import remove_remote  # noqa: PLC0415 - start-up time

    report = remove_remote(session.project(), name, staging=not no_stage, observer=session.observer)
    hint = session.words.git("commit", "-m", quote(f"Remove remote {name}"))
    return Done(report, lines=[f"removed remote {name}; nothing in it was touched"], hints=following([hint]))


@verb("trust", report=REPORT)
@click.argument("name", metavar="NAME", shell_complete=remote_names)
@click.pass_obj
def trust_command(session: Session, name: str) -> Done:
    """Use what .lobsterdv.yaml says of a remote's endpoint, proxies and the like.

    Needed once a machine for an endpoint, proxy, CA bundle, role, ACL, requester_pays or anonymous that came with
    a cloned project, since requests carry a signature of yours, and for an endpoint with http://, since everybody on
    the way there can read them. Other values under the same name must be trusted anew.
    """
    from lobsterdv.ops.remotes import trust_remote  # noqa: PLC0415 - start-up time

    report = trust_remote(session.project(), name)
    remote = session.project().remote(name)
    endpoint = remote.text("endpoint_url") or "AWS"
    return Done(report, lines=[f"{name} ({safe(remote.url)} at {safe(endpoint)}) is trusted on this machine"])


@verb("gc", report="lobsterdv.ops.gc_remote:RemoteGcReport")
@click.argument("name", metavar="[NAME]", required=False, shell_complete=remote_names)
@click.option("--yes", is_flag=True, help="Do it; without, nothing is changed anywhere.")
@click.option("--undo", is_flag=True, help="Bring back what was retired in the last 30 days; nothing else.")
@click.option("--accept-lost", is_flag=True, help="Go on though records are gone: what only they named goes later.")
@click.option("--only", metavar="PATH", multiple=True, shell_complete=dataset_names, help="Retire only this dataset.")
@jobs_option
@click.pass_obj
def gc_command(
    session: Session,
    name: str | None,
    yes: bool,
    undo: bool,
    accept_lost: bool,
    only: tuple[str, ...],
    jobs: int | None,
) -> Done:
    """Free room at a remote.

    Retires this project's versions that no branch, tag, stash, reflog, index or work tree of this clone names; what
    others pushed, from commits that this clone does not know, stays. Retired versions stay for 30 days (--undo). Then
    what nothing names is noted, and at the earliest 14 days later a second run deletes it, if it is still so. Run it
    now and then; whoever pushes meanwhile loses nothing. A catalog record that was there and is gone ends it. Shows
    what it would do, until --yes.
    """
    from lobsterdv.cli.room_remote import collect_remote  # noqa: PLC0415 - start-up time

    return collect_remote(session, name, only=only, yes=yes, undo=undo, accept_lost=accept_lost, jobs=jobs)


for _command in (
    add_command, create_command, configure_command, list_command, default_command, remove_command, trust_command,
    gc_command, policy_command, doctor_command, cost_command, tier_command, *COPIES,
):  # fmt: skip
    remote_command.add_command(_command)
