"""Retirements: a record leaves the catalog, and is kept in what says so (docs/format.md, section 8.4)."""

from __future__ import annotations

from collections.abc import Iterable

from lobsterdv.blobs.heads import require
from lobsterdv.blobs.remote import Remote
from lobsterdv.blobs.remote_look import Filed
from lobsterdv.digest import digest_of
from lobsterdv.formats.layout import record_key, retirement_key
from lobsterdv.formats.retirement import Retirement, encode_retirement
from lobsterdv.ops.context import Project
from lobsterdv.ops.runs import utc


def retire(project: Project, room: Remote, going: Iterable[Filed]) -> None:
    """The retirement first, which holds the record; then the record goes."""
    by = project.git.identity()
    for row in going:
        data = encode_retirement(Retirement(row.data, utc(project.now()), by, project.host))
        key = retirement_key(row.project_id, row.name, digest_of(data))
        room.store.put(key, data)
        require(room, key, len(data), name=row.record.path)
        room.store.delete(record_key(row.project_id, row.name))
