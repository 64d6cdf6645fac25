"""Questions to ``lineage.db``: what a version was made from, what was made of it, what is known of it."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar

_T = TypeVar("_T")
Connection = sqlite3.Connection
"""An open lineage file, for those who hand it on."""
_PART: Final = 500  # below SQLite's limit of variables in a statement


class Key(NamedTuple):
    """A version: a dataset's path and its digest as text."""

    dataset: str
    digest: str


class Link(NamedTuple):
    """``made`` was made from ``used`` (of which ``path`` may be a part), as a pointer says."""

    made: Key
    used: Key
    path: str
    activity: str | None
    command: str | None
    folder: str | None
    script: str | None
    params: Mapping[str, Any]

    @staticmethod
    def params_of(mapping: Mapping[str, Any]) -> Mapping[str, Any]:
        """Parameters as a Link holds them: links may stand in a set."""
        return _Params(mapping)


class Known(NamedTuple):
    """What the index knows of a version. ``size`` None when it is only named as an input; ``at`` (seconds since 1970)
    and ``commit`` are of the first commit that named it, None when none did; ``remotes`` are store ids."""

    kind: str | None
    size: int | None
    files: int | None
    message: str | None
    summary: Mapping[str, Any]
    commit: str | None
    at: int | None
    author: str | None
    subject: str | None
    remotes: tuple[str, ...]


class Ran(NamedTuple):
    """A run that made a version: its record's name and what it says (docs/format.md, section 8.6)."""

    name: str
    facts: Mapping[str, Any]


_CLOSURE: Final = """
with recursive found(id) as (
  select id from versions where (dataset, digest) in (values {starts})
  union select {next} from made_from join found on {here} = found.id
)
select made.dataset, made.digest, used.dataset, used.digest, m.path,
       p.activity, p.command, p.folder, p.script, p.params
from found join made_from m on m.{here} = found.id
join versions made on made.id = m.made_id join versions used on used.id = m.used_id
join pointers p on p.id = m.pointer_id
"""
_KNOWN: Final = """
select v.dataset, v.digest, v.kind, v.size, v.files,
  (select message from pointers p where p.version_id = v.id and message is not null order by p.id desc limit 1),
  v.summary, c.oid, c.at, c.author, c.subject,
  (select group_concat(distinct remote) from pushes q where q.digest = v.digest and q.dataset = v.dataset)
from versions v
left join commits c on c.oid = (
  select commit_oid from changes h join commits k on k.oid = h.commit_oid
  where h.version_id = v.id order by k.at, h.rowid limit 1)
where (v.dataset, v.digest) in (values {keys})
"""
_RUNS: Final = """
select r.*, m.path, m.digest from run_made m join runs r on r.name = m.run where m.digest in ({digests})
order by r.started
"""


def links(connection: sqlite3.Connection, starts: Collection[Key], *, down: bool) -> list[Link]:
    """Every step that leads from ``starts`` to what they were made from, or ``down`` to what was made of them,
    however far; in no order. Cycles end."""
    found: dict[Link, None] = {}
    here, following = ("used_id", "made_id") if down else ("made_id", "used_id")
    for some in _parts(starts):
        query = _CLOSURE.format(starts=_values(some, 2), here=here, next=following)
        for made, made_digest, used, used_digest, path, activity, command, folder, script, params in connection.execute(
            query, [part for key in some for part in key]
        ):
            link = Link(
                Key(made, made_digest), Key(used, used_digest), path, activity, command, folder, script,
                Link.params_of(_loaded(params)),
            )  # fmt: skip
            found[link] = None
    return list(found)


def known(connection: sqlite3.Connection, keys: Iterable[Key]) -> dict[Key, Known]:
    """What is known of each, those that were never heard of left out."""
    found = {}
    for some in _parts(list(keys)):
        query = _KNOWN.format(keys=_values(some, 2))
        for row in connection.execute(query, [part for key in some for part in key]):
            dataset, digest, kind, size, files, message, summary, oid, at, author, subject, remotes = row
            found[Key(dataset, digest)] = Known(
                kind, size, files, message, _loaded(summary), oid, at, author, subject,
                tuple(sorted(remotes.split(","))) if remotes else (),
            )  # fmt: skip
    return found


def datasets_with(connection: sqlite3.Connection, digest: str) -> list[str]:
    """The datasets that had a version of this digest."""
    rows = connection.execute("select dataset from versions where digest = ? and size is not null", (digest,))
    return [row[0] for row in rows]


def digests_like(connection: sqlite3.Connection, prefix: str, dataset: str | None = None) -> list[Key]:
    """Versions whose digest begins with ``prefix`` (``blake3:`` and hex digits)."""
    rows = connection.execute(
        "select dataset, digest from versions where digest >= ? and digest < ? and (? is null or dataset = ?)",
        (prefix, prefix + "g", dataset, dataset),
    )
    return [Key(*row) for row in rows]


def naming_commits(connection: sqlite3.Connection, key: Key) -> list[str]:
    """The commits that gave a dataset this version, newest first."""
    rows = connection.execute(
        "select commit_oid from changes join versions v on v.id = version_id join commits on oid = commit_oid"
        " where v.dataset = ? and v.digest = ? order by at desc, changes.rowid desc",
        key,
    )
    return [row[0] for row in rows]


def versions_of(connection: sqlite3.Connection, dataset: str) -> list[Key]:
    """Every version of a dataset, also those that are only named as inputs, oldest first as they became known."""
    return [Key(*row) for row in connection.execute(
        "select dataset, digest from versions where dataset = ? order by id", (dataset,)
    )]  # fmt: skip


def runs_of(connection: sqlite3.Connection, keys: Collection[Key]) -> dict[Key, list[Ran]]:
    """The recorded runs that made each, oldest first."""
    wanted = set(keys)
    found: dict[Key, list[Ran]] = {}
    for some in _parts(sorted({key.digest for key in keys})):
        cursor = connection.execute(_RUNS.format(digests=",".join("?" * len(some))), some)
        names = [column[0] for column in cursor.description]
        for row in cursor:
            facts = dict(zip(names[:-2], row, strict=False))
            facts["params"], facts["environment"] = _loaded(facts["params"]), _loaded(facts["environment"])
            facts["dirty"] = bool(facts["dirty"])
            key = Key(row[-2], row[-1])
            if key in wanted:
                found.setdefault(key, []).append(Ran(str(facts.pop("name")), facts))
    return found


def search(connection: sqlite3.Connection, words: Sequence[str], *, limit: int) -> list[tuple[Key, str]]:
    """Versions of which every word is said, best first, with a piece of what was said. A word stands for its
    beginnings too (``norm`` finds ``normalised``)."""
    terms = [f'"{part}"*' for word in words for part in re.findall(r"\w+", word)]
    if not terms:
        return []
    rows = connection.execute(
        "select v.dataset, v.digest, snippet(texts_fts, -1, '', '', '…', 12) from texts_fts"
        " join versions v on v.id = texts_fts.rowid where texts_fts match ?"
        " order by bm25(texts_fts), v.id desc limit ?",
        (" AND ".join(terms), limit),
    )
    return [(Key(dataset, digest), text) for dataset, digest, text in rows]


class _Params(dict[str, Any]):
    """Parameters that may stand in a set."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(json.dumps(self, sort_keys=True, default=str))


def _loaded(text: str | None) -> dict[str, Any]:
    value = json.loads(text) if text else {}
    return value if isinstance(value, dict) else {}


def _values(rows: Sequence[object], width: int) -> str:
    return ",".join([f"({','.join('?' * width)})"] * len(rows))


def _parts(items: Collection[_T]) -> Iterator[list[_T]]:
    listed = list(items)
    for start in range(0, len(listed), _PART):
        yield listed[start : start + _PART]
