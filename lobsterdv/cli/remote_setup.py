"""The commands of ``lobsterdv remote`` that are about the bucket itself: create, policy, doctor."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from lobsterdv.cli.options import no_stage_option, remote_names, verb
from lobsterdv.cli.session import Done, Session

if TYPE_CHECKING:
    from lobsterdv.formats.config import Remote
    from lobsterdv.formats.yamlio import Value
    from lobsterdv.ops.remote_create import CreateReport, Step
    from lobsterdv.ops.remote_policy import Format
    from lobsterdv.stores.base import Store
    from lobsterdv.stores.bucket.permissions import Role
    from lobsterdv.stores.bucket.settings import Wanted


def _tags(ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    pairs = [value.partition("=") for value in values]
    for key, sign, _ in pairs:
        if not key or not sign:
            raise click.BadParameter(f"{key!r} is no tag; say KEY=VALUE", ctx, parameter)
    return {key: value for key, _, value in pairs}


@verb("create", report="lobsterdv.ops.remote_create:CreateReport")
@click.argument("url", metavar="s3://BUCKET[/PREFIX]")
@click.argument("name", metavar="[NAME]", required=False)
@click.option("--region", metavar="REGION", help="Where the bucket is made; default: the AWS configuration's.")
@click.option("--kms-key", metavar="ID|ARN|alias/NAME", help="Encrypt with this KMS key, not with S3's own.")
@click.option("--endpoint-url", metavar="URL", help="Of an S3 server other than AWS.")
@click.option("--profile", metavar="PROFILE", help="In the AWS configuration files.")
@click.option("--tag", "tags", metavar="KEY=VALUE", multiple=True, callback=_tags, help="Tag the bucket; repeatable.")
@click.option("--dry-run", is_flag=True, help="Only look, and say what would be done.")
@no_stage_option
@click.pass_obj
def create_command(
    session: Session,
    url: str,
    name: str | None,
    region: str | None,
    kms_key: str | None,
    endpoint_url: str | None,
    profile: str | None,
    tags: dict[str, str],
    dry_run: bool,
    no_stage: bool,
) -> Done:
    """Make a bucket that a lab can trust, or put one of yours right.

    Public access blocked, versions kept (and old ones removed after 30 days), encryption by default, unfinished
    uploads removed after 7 days, requests without TLS denied, tags. Rules, statements and tags of others stay. Says
    for each what it did, what was so already, and what the server cannot do. Safe to repeat; a bucket of somebody else
    is never touched. With NAME the remote is also added to the project.
    """
    from lobsterdv.cli.render_remote_setup import created  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.remote_create import create_remote  # noqa: PLC0415 - start-up time
    from lobsterdv.stores.bucket.policies import check_key  # noqa: PLC0415 - start-up time
    from lobsterdv.stores.bucket.settings import Wanted  # noqa: PLC0415 - start-up time

    given = {"region": region, "endpoint_url": endpoint_url, "profile": profile}
    settings: dict[str, Value] = {key: value for key, value in given.items() if value is not None}
    if name is not None:
        _check_free(session, name, url)
    tls_only = not (endpoint_url or os.environ.get("AWS_ENDPOINT_URL", "")).startswith("http://")
    wanted = Wanted(region or "", check_key(kms_key) if kms_key else "", tags, tls_only)
    store = _open(session, url, settings)
    try:
        report = create_remote(store, wanted, dry_run=dry_run)
    finally:
        store.close()
    if name is not None and not dry_run:
        report = _added(session, report, name, settings, kms_key, staging=not no_stage)
    return created(report, session.words, session.args)


@verb("policy", report="lobsterdv.ops.remote_policy:PolicyReport")
@click.argument("remote", metavar="[NAME|URL]", required=False, shell_complete=remote_names)
@click.option("--role", type=click.Choice(["reader", "writer", "admin"]), required=True, help="What they will do.")
@click.option("--ip-allow", metavar="CIDR", multiple=True, help="Deny it from elsewhere; repeatable. Read the warning.")
@click.option(
    "--format", "form", type=click.Choice(["iam", "bucket", "terraform"]), default="iam", show_default=True,
    help="For a user or role, for the bucket itself, or for Terraform.",
)  # fmt: skip
@click.option("--principal", metavar="ARN", multiple=True, help="With --format bucket: who is allowed; repeatable.")
@click.option("--kms-key", metavar="ID|ARN|alias/NAME", help="That the bucket is encrypted with.")
@click.option("--region", metavar="REGION", help="Of the bucket; default: the remote's.")
@click.pass_obj
def policy_command(
    session: Session,
    remote: str | None,
    role: Role,
    ip_allow: tuple[str, ...],
    form: Format,
    principal: tuple[str, ...],
    kms_key: str | None,
    region: str | None,
) -> Done:
    """Print the least that a reader, a writer or an admin must be allowed.

    Exactly what lobsterdv asks for, below the remote's prefix: readers pull, writers push, and need no DeleteObject;
    admins create, examine, collect (remote gc) and forget. Nothing is sent or changed.
    """
    from lobsterdv.cli.urls import is_url  # noqa: PLC0415 - start-up time
    from lobsterdv.events import Warned  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.remote_policy import remote_policy  # noqa: PLC0415 - start-up time

    settings: Mapping[str, Value] = {}
    if remote is None or not is_url(remote):
        configured = session.project().remote(remote)
        remote, settings = configured.url, configured.settings
    report = remote_policy(
        remote, role,
        form=form, region=region or str(settings.get("region") or ""),
        kms_key=kms_key or str(settings.get("kms_key_id") or ""), networks=ip_allow, principals=principal,
        has_acl=bool(settings.get("acl")), has_tags=bool(settings.get("tags")),
    )  # fmt: skip
    for warning in report.warnings:
        session.observer(Warned(warning))
    return Done(report, answer=report.text.splitlines())


@verb("doctor", report="lobsterdv.ops.remote_doctor:RemoteDoctorReport")
@click.argument("name", metavar="[NAME]", required=False, shell_complete=remote_names)
@click.option("--fix", is_flag=True, help="Add the protections that the bucket lacks, as remote create would.")
@click.pass_obj
def doctor_command(session: Session, name: str | None, fix: bool) -> Done:
    """Examine a remote in S3, a line each, with the command that fixes it.

    The way there (DNS, TLS, clock, credentials, identity, region), each permission by trying it, what the server does
    (conditional writes, checksums, parts, ranges), how fast it is, and the bucket's protections. Tries write below
    probe/ only. What the server cannot do is remembered for 7 days, and not asked of it meanwhile. Exits with 1 when
    something does not work.
    """
    from lobsterdv.cli.render_remote_setup import remote_examined  # noqa: PLC0415 - start-up time
    from lobsterdv.index.capable import save_capabilities  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.remote_doctor import remote_doctor  # noqa: PLC0415 - start-up time
    from lobsterdv.stores.capabilities import Capabilities  # noqa: PLC0415 - start-up time

    project = session.project()
    remote = project.remote(name)

    def tell(step: Step) -> None:
        if not (session.as_json or session.quiet):
            from lobsterdv.cli.speech import say  # noqa: PLC0415 - start-up time

            say([f"fixing {step.name}: {step.detail}"])

    report = remote_doctor(project.store(remote), _wanted(remote), name=remote.name, fix=fix, now=time.time, tell=tell)
    if report.capabilities != Capabilities():
        save_capabilities(project.index, remote.place, project.now(), report.capabilities)
    return remote_examined(report)


def _wanted(remote: Remote) -> Wanted:
    from lobsterdv.stores.bucket.settings import Wanted  # noqa: PLC0415 - start-up time

    endpoint = remote.text("endpoint_url") or os.environ.get("AWS_ENDPOINT_URL", "")
    key = str(remote.settings.get("kms_key_id") or "")
    return Wanted(remote.text("region") or "", key, tls_only=not endpoint.startswith("http://"))


def _open(session: Session, url: str, settings: Mapping[str, Value]) -> Store:
    from lobsterdv.errors import UsageError  # noqa: PLC0415 - start-up time
    from lobsterdv.project import open_place  # noqa: PLC0415 - start-up time
    from lobsterdv.stores.open import S3Place, parse_url  # noqa: PLC0415 - start-up time

    if not isinstance(parse_url(url), S3Place):
        raise UsageError(f"{url} is a folder: `lobsterdv remote add NAME {url}` is all it needs")
    return open_place(url, settings, name="new", variables=os.environ)


def _check_free(session: Session, name: str, url: str) -> None:
    """Before anything is made: a name that can be given to this URL. Raises Refused, ConfigError, NotAProject."""
    from lobsterdv.cli.urls import check_remote  # noqa: PLC0415 - start-up time
    from lobsterdv.errors import Refused  # noqa: PLC0415 - start-up time
    from lobsterdv.stores.open import parse_url  # noqa: PLC0415 - start-up time

    check_remote(name, url)
    known = session.project().config.remotes.get(name)
    if known is not None and known.url != str(parse_url(url)):
        raise Refused(name, f"a remote of this name is there already ({known.url})", "exists")


def _added(
    session: Session, report: CreateReport, name: str, settings: Mapping[str, Value], kms_key: str | None,
    *, staging: bool,
) -> CreateReport:  # fmt: skip
    from dataclasses import replace  # noqa: PLC0415 - start-up time

    from lobsterdv.ops.remotes import add_remote  # noqa: PLC0415 - start-up time

    project = session.project()
    if name not in project.config.remotes:
        more: dict[str, Value] = {"sse": "aws:kms", "kms_key_id": kms_key} if kms_key else {}
        if report.elsewhere:
            more["region"] = report.region
        add_remote(project, name, report.url, settings={**settings, **more}, staging=staging, observer=session.observer)
    return replace(report, remote=name)
