"""Writing news into ``lineage.db``, through sqlite-utils. Imported when something is written, never before."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from sqlite_utils import Database

from lobsterdv.digest import Digest
from lobsterdv.formats.pointer import Pointer
from lobsterdv.formats.runs import RunRecord
from lobsterdv.index.lineage_schema import MIGRATIONS
from lobsterdv.index.news import ChangeRow, News


def write(connection: sqlite3.Connection, news: News, state: Mapping[str, str], *, schema: int) -> None:
    """Bring the tables up to date, then add everything, in one transaction."""
    db = Database(connection, execute_plugins=False)
    MIGRATIONS.apply(db)
    with db.atomic():
        _Writer(db).add(news)
        db.table("state").upsert_all([{"key": key, "value": value} for key, value in state.items()], pk="key")
        db.execute(f"pragma user_version={schema}")


class _Writer:
    """Adds news to an open database; what is there already stays as it is."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.versions: dict[tuple[str, str], int] = {}
        self.by_digest: dict[str, list[str]] = {}
        self.blobs: dict[tuple[str, str], tuple[int, int]] = {}
        for key, dataset, digest, size in db.execute("select id, dataset, digest, size from versions"):
            self.versions[dataset, digest] = key
            if size is not None:
                self.by_digest.setdefault(digest, []).append(dataset)
        for blob, dataset, pointer, version in db.execute("select blob, dataset, id, version_id from pointers"):
            self.blobs[blob, dataset] = pointer, version
        self._free_version = max(self.versions.values(), default=0) + 1
        self._free_pointer = max((p for p, _ in self.blobs.values()), default=0) + 1

    def add(self, news: News) -> None:
        made = self._pointers(news.pointers)
        self._edges(made)
        self._changes(news.changes)
        self._runs(news.runs)
        self.db.table("pushes").insert_all(
            ({"remote": p.remote, "dataset": p.dataset, "digest": str(p.digest), "at": p.at, "record": str(p.record)}
             for p in news.pushes), pk=("remote", "record"), ignore=True,
        )  # fmt: skip
        self._texts(made, news.changes)

    def _pointers(self, pointers: dict[tuple[str, str], Pointer]) -> dict[int, tuple[int, Pointer]]:
        """Pointer ids to their version's and what they say, of those that were not known."""
        made: dict[int, tuple[int, Pointer]] = {}
        versions, rows = [], []
        for (blob, dataset), pointer in pointers.items():
            if (blob, dataset) in self.blobs:
                continue
            digest = str(pointer.digest)
            version = self.versions.get((dataset, digest))
            if version is None or dataset not in self.by_digest.get(digest, ()):
                version = version or self._new_version(dataset, digest)
                self.by_digest.setdefault(digest, []).append(dataset)
                versions.append(
                    {"id": version, "dataset": dataset, "digest": digest, "kind": pointer.kind, "size": pointer.size,
                     "files": pointer.files, "summary": _json(pointer.summary)}
                )  # fmt: skip
            run = pointer.run or {}
            key, self._free_pointer = self._free_pointer, self._free_pointer + 1
            self.blobs[blob, dataset] = key, version
            made[key] = version, pointer
            rows.append(
                {"id": key, "blob": blob, "dataset": dataset, "version_id": version, "message": pointer.message,
                 "activity": _text(run.get("activity")), "command": _text(run.get("command")),
                 "folder": _text(run.get("folder")), "script": _text(run.get("script")),
                 "params": _json(run.get("params"))}
            )  # fmt: skip
        self.db.table("versions").insert_all(versions, pk="id", replace=True)
        self.db.table("pointers").insert_all(rows, pk="id")
        return made

    def _edges(self, made: dict[int, tuple[int, Pointer]]) -> None:
        """What each pointer says its version was made from; an input that became known since is found anew."""
        rows = []
        lost = self.db.execute(
            "select made_id, pointer_id, path, m.digest, used_id from made_from m join versions v on v.id = used_id"
            " where v.size is null"
        ).fetchall()
        for version, key, path, digest, old in lost:
            used = self._used(path, digest)
            if used != old:
                self.db.execute("delete from made_from where pointer_id = ? and path = ?", (key, path))
                rows.append((version, used, key, path, digest))
        for key, (version, pointer) in made.items():
            for item in pointer.inputs:
                rows.append((version, self._used(item.path, str(item.digest)), key, str(item.path), str(item.digest)))
        names = ("made_id", "used_id", "pointer_id", "path", "digest")
        self.db.table("made_from").insert_all((dict(zip(names, row, strict=True)) for row in rows), ignore=True)
        self.db.execute(
            "delete from versions where size is null and id not in (select used_id from made_from)"
            " and id not in (select made_id from made_from)"
        )

    def _used(self, path: str, digest: str) -> int:
        """The version that an input names: of the dataset at its path, or around it; one of which nothing is known
        when there is none."""
        around = [d for d in self.by_digest.get(digest, ()) if path == d or path.startswith(d + "/")]
        dataset = max(around, key=len) if around else path
        found = self.versions.get((dataset, digest))
        if found is None:
            found = self._new_version(dataset, digest)
            self.db.table("versions").insert({"id": found, "dataset": dataset, "digest": digest}, pk="id")
        return found

    def _new_version(self, dataset: str, digest: str) -> int:
        key, self._free_version = self._free_version, self._free_version + 1
        self.versions[dataset, digest] = key
        return key

    def _changes(self, changes: list[ChangeRow]) -> None:
        commits = {c.commit.oid: c.commit for c in changes}
        self.db.table("commits").insert_all((c._asdict() for c in commits.values()), pk="oid", ignore=True)
        rows = []
        revisions: set[tuple[int, int]] = set()
        for change in changes:
            pointer, version = self.blobs.get((change.blob or "", change.dataset), (None, None))
            if change.blob is not None and version is None:
                continue  # a pointer that nobody can read
            rows.append(
                {"commit_oid": change.commit.oid, "dataset": change.dataset, "version_id": version,
                 "pointer_id": pointer}
            )  # fmt: skip
            before = [
                self.blobs[old, change.dataset][1] for old in change.before if (old, change.dataset) in self.blobs
            ]
            revisions.update((version, old) for old in before if version is not None and old != version)
        self.db.table("changes").insert_all(rows, ignore=True)
        self.db.table("revisions").insert_all(
            ({"version_id": new, "previous_id": old} for new, old in sorted(revisions)), ignore=True
        )

    def _runs(self, runs: Iterable[tuple[Digest, RunRecord]]) -> None:
        def row(name: Digest, run: RunRecord) -> dict[str, object]:
            return {
                "name": str(name), "activity": run.activity, "command": run.command, "script": run.script,
                "params": _json(run.params), "started": run.started, "ended": run.ended, "exit_code": run.exit_code,
                "commit_oid": run.commit, "dirty": int(run.dirty), "by": run.by, "host": run.host,
                "environment": _json(run.environment),
            }  # fmt: skip

        listed = list(runs)
        self.db.table("runs").insert_all((row(name, run) for name, run in listed), pk="name", ignore=True)
        for table, side in (("run_used", "inputs"), ("run_made", "outputs")):
            self.db.table(table).insert_all(
                ({"run": str(name), "path": str(item.path), "digest": str(item.digest)}
                 for name, run in listed for item in getattr(run, side)), pk=("run", "path"), ignore=True,
            )  # fmt: skip

    def _texts(self, made: dict[int, tuple[int, Pointer]], changes: list[ChangeRow]) -> None:
        """What is searched: everything that was said of a version."""
        touched = {version for version, _ in made.values()}
        touched |= {self.blobs[c.blob, c.dataset][1] for c in changes if c.blob and (c.blob, c.dataset) in self.blobs}
        for some in _parts(sorted(touched)):
            marks = ",".join("?" * len(some))
            self.db.execute(f"delete from texts where version_id in ({marks})", some)
            self.db.execute(f"insert into texts {_TEXTS.format(marks)}", some)


_TEXTS: Final = """
select v.id, v.dataset,
  (select group_concat(message, char(10)) from (select distinct message from pointers where version_id = v.id)),
  (select group_concat(said, char(10)) from (select distinct
     coalesce(activity, '') || ' ' || coalesce(command, '') || ' ' || coalesce(params, '') as said
     from pointers where version_id = v.id)),
  v.summary,
  (select group_concat(subject, char(10)) from (select distinct subject from changes
     join commits on oid = commit_oid where version_id = v.id))
from versions v where v.id in ({})
"""


def _parts(items: list[int], size: int = 500) -> Iterator[list[int]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _json(value: object) -> str | None:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str) if value else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
