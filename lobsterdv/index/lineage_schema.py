"""The tables of ``lineage.db``, as migrations of sqlite-utils: each is applied once, and that is recorded in the file.

Digests are text (``blake3:<hex>``), times of commits seconds since 1970, all other times UTC in ISO 8601; summaries,
parameters and environments are JSON. The views say the same in words for people: ``history`` and ``lineage``.
"""

from __future__ import annotations

from typing import Any

from sqlite_utils import Database, Migrations

MIGRATIONS = Migrations("lobsterdv")


@MIGRATIONS()
def versions_and_what_they_were_made_from(db: Database) -> None:
    """``versions`` are datasets at a digest; one without a size is only named as somebody's input. ``pointers`` are
    what git said of them, ``made_from`` the inputs these name, ``changes`` which commit set which."""
    text, number = str, int
    tables: dict[str, tuple[dict[str, Any], Any]] = {
        "state": ({"key": text, "value": text}, "key"),
        "versions": (
            {"id": number, "dataset": text, "digest": text, "kind": text, "size": number, "files": number,
             "summary": text},
            "id",
        ),
        "pointers": (
            {"id": number, "blob": text, "dataset": text, "version_id": number, "message": text, "activity": text,
             "command": text, "folder": text, "script": text, "params": text},
            "id",
        ),
        "made_from": (
            {"made_id": number, "used_id": number, "pointer_id": number, "path": text, "digest": text},
            ("pointer_id", "path", "digest"),
        ),
        "commits": ({"oid": text, "at": number, "author": text, "subject": text}, "oid"),
        "changes": (
            {"commit_oid": text, "dataset": text, "version_id": number, "pointer_id": number},
            ("commit_oid", "dataset"),
        ),
        "revisions": ({"version_id": number, "previous_id": number}, ("version_id", "previous_id")),
        "runs": (
            {"name": text, "activity": text, "command": text, "script": text, "params": text, "started": text,
             "ended": text, "exit_code": number, "commit_oid": text, "dirty": number, "by": text, "host": text,
             "environment": text},
            "name",
        ),
        "run_used": ({"run": text, "path": text, "digest": text}, ("run", "path")),
        "run_made": ({"run": text, "path": text, "digest": text}, ("run", "path")),
        "pushes": (
            {"remote": text, "dataset": text, "digest": text, "at": text, "record": text},
            ("remote", "record"),
        ),
        "texts": (
            {"version_id": number, "dataset": text, "message": text, "run": text, "summary": text, "subject": text},
            "version_id",
        ),
    }  # fmt: skip
    for name, (columns, key) in tables.items():
        db.table(name).create(columns, pk=key)
    db.table("versions").create_index(["dataset", "digest"], unique=True)
    db.table("versions").create_index(["digest"])
    db.table("pointers").create_index(["version_id"])
    db.table("pointers").create_index(["blob", "dataset"], unique=True)
    db.table("made_from").create_index(["made_id", "used_id"])
    db.table("made_from").create_index(["used_id", "made_id"])
    db.table("changes").create_index(["version_id"])
    db.table("changes").create_index(["dataset"])
    db.table("revisions").create_index(["previous_id"])
    db.table("run_made").create_index(["digest"])
    db.table("run_used").create_index(["digest"])
    db.table("pushes").create_index(["digest"])
    db.table("texts").enable_fts(["dataset", "message", "run", "summary", "subject"], create_triggers=True)


@MIGRATIONS()
def views_for_people(db: Database) -> None:
    """``history``: which commit made a dataset what. ``lineage``: what each version was made from, and how."""
    db.create_view(
        "history",
        """
        select c.dataset, datetime(at, 'unixepoch') as "when", substr(v.digest, 8, 12) as version, p.message, v.size,
               author, subject, c.commit_oid as "commit"
        from changes c join commits on oid = c.commit_oid
        left join versions v on v.id = c.version_id left join pointers p on p.id = c.pointer_id
        order by at desc
        """,
    )
    db.create_view(
        "lineage",
        """
        select made.dataset, substr(made.digest, 8, 12) as version, p.activity, p.command,
               used.dataset as made_from, substr(used.digest, 8, 12) as made_from_version, m.path as made_from_path
        from made_from m join versions made on made.id = m.made_id join versions used on used.id = m.used_id
        join pointers p on p.id = m.pointer_id
        """,
    )
