"""The command that looks at every byte: verify."""

from __future__ import annotations

import re
from typing import Final

import click

from lobsterdv.cli.options import datasets_argument, jobs_option, remote_names, verb
from lobsterdv.cli.paths import targets
from lobsterdv.cli.session import Done, Session
from lobsterdv.cli.words import duration

_UNITS: Final = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


def _seconds(ctx: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """``90``, ``90s``, ``10m``, ``2h``."""
    if value is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", value.strip())
    if found is None or found[2] not in _UNITS:
        raise click.BadParameter(f"{value!r} is no time; say 90s, 10m or 2h", ctx, parameter)
    return float(found[1]) * _UNITS[found[2]]


def _share(ctx: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """``5%`` as 0.05."""
    if value is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", value.strip())
    if found is None or not 0 < float(found[1]) <= 100:
        raise click.BadParameter(f"{value!r} is no share; say 5%", ctx, parameter)
    return float(found[1]) / 100


def _keep_remote(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    session = ctx.find_object(Session)
    if session is not None and value:
        session.remember("remote", value)
    return value


@verb("verify", report="lobsterdv.ops.verify:VerifyReport")
@datasets_argument()
@click.option(
    "--remote", metavar="[NAME]", is_flag=False, flag_value="", default=None, shell_complete=remote_names,
    callback=_keep_remote, help="Look at a remote instead; default: the project's. Put paths before it, or `--`.",
)  # fmt: skip
@click.option("--all", "everything", is_flag=True, help="Every version in the history of all branches and tags.")
@click.option("--checksums", is_flag=True, help="At a remote: compare the server's own checksums; no download.")
@click.option("--read-data", is_flag=True, help="At a remote: download every object and hash it and its chunks.")
@click.option("--sample", metavar="P%", callback=_share, help="With --read-data: a random share of the objects.")
@click.option("--max-time", metavar="TIME", callback=_seconds, help="Stop after so long (10m); the next run goes on.")
@click.option("--repair", is_flag=True, help="Heal what is damaged from whichever copy is good.")
@jobs_option
@click.pass_obj
def verify_command(
    session: Session,
    paths: tuple[str, ...],
    remote: str | None,
    everything: bool,
    checksums: bool,
    read_data: bool,
    sample: float | None,
    max_time: float | None,
    repair: bool,
    jobs: int | None,
) -> Done:
    """Check that every byte is what its name says, and heal what is not.

    Without --remote: hashes what the cache holds of the current versions, and the files of the work tree that should
    be as their pointers say; an edit is no damage, other bytes under an unchanged stat are. With --remote: catalog,
    manifests and segments by their bytes, objects by presence and size, by checksum, or by all their bytes. A checksum
    is the server's word, and what it proves is said: `remote doctor` finds out whether it verifies them. Damage is
    named by dataset, version and file, and ends with exit code 3. What is corrupt in the cache is set aside, never
    deleted. Interrupted, the same command goes on.
    """
    from lobsterdv.cli.render_verify import verified  # noqa: PLC0415 - start-up time
    from lobsterdv.ops.verify import verify, verify_remote  # noqa: PLC0415 - start-up time

    if checksums and read_data:
        raise click.UsageError("--checksums and --read-data exclude each other", click.get_current_context())
    if sample is not None and not read_data:
        raise click.UsageError("--sample is for --read-data", click.get_current_context())
    project, wanted = session.project(), targets(session, paths)
    if remote is None and not (checksums or read_data):
        report = verify(
            project, wanted,
            everything=everything, repair=repair, max_seconds=max_time, jobs=jobs, observer=session.observer,
        )  # fmt: skip
    else:
        report = verify_remote(
            project, wanted,
            remote=remote or None, everything=everything,
            level="data" if read_data else "checksums" if checksums else "heads", sample=sample,
            repair=repair, max_seconds=max_time, jobs=jobs, observer=session.observer,
        )  # fmt: skip
    return verified(report, session.words, session.args, duration(session.seconds))
