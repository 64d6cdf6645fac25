"""Commands about what storage costs and where it lies: remote cost, remote tier, restore."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from lobsterdv.cli.options import datasets_argument, jobs_option, remote_names, remote_option, rev_option, verb
from lobsterdv.cli.session import Done, Session
from lobsterdv.cli.words import quote

if TYPE_CHECKING:
    from lobsterdv.stores.tiered import RestoreTier

prices_option = click.option(
    "--prices",
    metavar="FILE",
    help="A price table of your own (JSON); `lobsterdv remote cost --show-prices` prints one.",
)


@verb("cost", report="lobsterdv.ops.cost:CostReport")
@click.argument("name", metavar="[NAME]", required=False, shell_complete=remote_names)
@click.option(
    "--what-if",
    "what_if",
    metavar="CLASS",
    multiple=True,
    help="Also: what it would cost in this storage class, or `all`.",
)
@prices_option
@click.option("--show-prices", is_flag=True, help="Only print the price table that is built in.")
@jobs_option
@click.pass_obj
def cost_command(
    session: Session,
    name: str | None,
    what_if: tuple[str, ...],
    prices: str | None,
    show_prices: bool,
    jobs: int | None,
) -> Done:
    """Show what a remote takes and costs.

    By storage class, and by use: current versions, history, and waste that `lobsterdv remote gc` would free; then what
    it took to send, what a pull of the current versions costs, and what identical files, dedupe and zstd save. Money
    is by a table of list prices of one region and day, which every output names: check them. Of a folder only bytes
    are told. One list of everything there and the catalogs are read, no content.
    """
    from lobsterdv.cli.render_tiers import costed, price_table  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.cost import cost  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.price_table import read_prices  # noqa: PLC0415 - start-up time

    if show_prices:
        return price_table()
    path = _file(session, prices)
    classes = tuple(read_prices(path)[0].classes) if "all" in what_if else what_if
    report = cost(session.project(), remote=name, what_if=classes, prices=path, jobs=jobs, observer=session.observer)
    return costed(report, session.words, again=session.situation("").again("--what-if", "all"))


@verb("tier", report="lobsterdv.ops.tier:TierReport")
@click.argument("action", metavar="plan|apply", type=click.Choice(["plan", "apply"]))
@click.argument("name", metavar="[NAME]", required=False, shell_complete=remote_names)
@click.option(
    "--keep-versions",
    metavar="N",
    type=click.IntRange(1, 1_000_000),
    default=1,
    show_default=True,
    help="The newest N versions of every dataset stay.",
)
@click.option(
    "--keep-days",
    metavar="D",
    type=click.IntRange(0, 36_500),
    default=90,
    show_default=True,
    help="What was pushed in the last D days stays.",
)
@click.option(
    "--class",
    "storage_class",
    type=click.Choice(["GLACIER_IR", "GLACIER", "DEEP_ARCHIVE", "STANDARD_IA"]),
    default="GLACIER_IR",
    show_default=True,
    help="Where the rest goes.",
)
@click.option("--yes", is_flag=True, help="With apply: do it; without, nothing is changed.")
@prices_option
@jobs_option
@click.pass_obj
def tier_command(
    session: Session,
    action: str,
    name: str | None,
    keep_versions: int,
    keep_days: int,
    storage_class: str,
    yes: bool,
    prices: str | None,
    jobs: int | None,
) -> Done:
    """Move what no version in use needs to a cheaper storage class.

    Age does not tell: an old object may be part of the newest version. In use is the newest version of every dataset of
    every project there, what the tips of this clone's branches and tags name (`git fetch` first), and what
    --keep-versions and --keep-days say. Objects that only other versions need are tagged, and a lifecycle rule of the
    bucket, beside the rules that are there, moves what is tagged. What came into use again is untagged. From GLACIER
    and DEEP_ARCHIVE data must be restored before it can be read (`lobsterdv restore`); GLACIER_IR and STANDARD_IA are
    read as ever, for a fee. `plan` shows, `apply --yes` does.
    """
    from lobsterdv.cli.render_tiers import tiered  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.tier import tier  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.windows import Window  # noqa: PLC0415 - start-up time

    if yes and action == "plan":
        raise click.UsageError("plan changes nothing; `apply --yes` does it", click.get_current_context())
    report = tier(
        session.project(), remote=name, keep=Window(keep_versions, keep_days), storage_class=storage_class, yes=yes,
        prices=_file(session, prices), jobs=jobs, observer=session.observer,
    )  # fmt: skip
    options = [
        *([quote(name)] if name else []), "--keep-versions", str(keep_versions), "--keep-days", str(keep_days),
        "--class", storage_class,
    ]  # fmt: skip
    return tiered(report, session.words, again=session.words.ldv("remote", "tier", "apply", *options, "--yes"))


@verb("restore", report="lobsterdv.ops.restore:RestoreReport")
@datasets_argument(required=True)
@click.option(
    "--tier",
    type=click.Choice(["Standard", "Bulk", "Expedited"]),
    default="Standard",
    show_default=True,
    help="Bulk is cheaper and slower, Expedited dearer and faster.",
)
@click.option(
    "--days",
    metavar="N",
    type=click.IntRange(1, 3650),
    default=7,
    show_default=True,
    help="How long it can be read then.",
)
@click.option("--wait", is_flag=True, help="Return when all of it can be read.")
@rev_option("The versions that this git revision names.")
@remote_option("Which remote; default: the project's.")
@prices_option
@jobs_option
@click.pass_obj
def restore_command(
    session: Session,
    paths: tuple[str, ...],
    tier: str,
    days: int,
    wait: bool,
    rev: str | None,
    remote: str | None,
    prices: str | None,
    jobs: int | None,
) -> Done:
    """Have archived versions made readable again.

    For what lies in GLACIER or DEEP_ARCHIVE: asks for exactly the archived objects that PATH needs (or PATH@REV, or a
    PATH inside a folder), tells how long that should take and what it costs, and returns. Then `lobsterdv pull` fetches
    what is readable, and goes on when more is. It may be repeated: what is on its way is not asked for again. (To put
    files of the work tree back as they were: `lobsterdv checkout`.)
    """
    import time  # noqa: PLC0415 - start-up time

    from lobsterdv.cli.paths import all_named  # noqa: PLC0415 - start-up time
    from lobsterdv.cli.render_tiers import restored  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.restore import restore  # noqa: PLC0415 - start-up time

    wanted, at = all_named(session, paths, rev)
    report = restore(
        session.project(), wanted, remote=remote, rev=at, tier=cast("RestoreTier", tier), days=days,
        prices=_file(session, prices), pause=time.sleep if wait else None, jobs=jobs, observer=session.observer,
    )  # fmt: skip
    options = [*(["--rev", quote(at)] if at else []), *(["--remote", quote(remote)] if remote else [])]
    return restored(report, session.words, pull=session.words.ldv("pull", *options, *map(session.words.arg, wanted)))


def _file(session: Session, name: str | None) -> Path | None:
    return None if name is None else Path(session.folder) / name
