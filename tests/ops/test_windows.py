"""Which versions are in use: one that is taken for old although it is not goes to an archive, and is hours away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from lobsterdv.blobs.remote_look import Filed
from lobsterdv.digest import digest_of
from lobsterdv.formats.pointer import Pointer
from lobsterdv.formats.record import Record
from lobsterdv.ops.windows import Window, split
from lobsterdv.paths import safe_path
from tests.formats.strategies import moderate

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DIGESTS = [digest_of(bytes([n])) for n in range(4)]


def filed(at: str, version: int, path: str = "a.csv", project: str = "p") -> Filed:
    pointer = Pointer(DIGESTS[version], 1, "file")
    record = Record(safe_path(path), pointer, digest_of(b"m"), at, "ada", "here")
    return Filed(project, digest_of(f"{at} {version} {path} {project}".encode()), record, b"")


def days_ago(days: float, form: str = "Z") -> str:
    moment = NOW - timedelta(days=days)
    if form == "offset":
        return moment.astimezone(datetime.strptime("+1200", "%z").tzinfo).isoformat()
    return moment.isoformat().replace("+00:00", "Z" if form == "Z" else "")


rows = st.lists(
    st.builds(
        filed,
        st.builds(
            days_ago, st.one_of(st.integers(-2, 30), st.floats(-2, 30)), st.sampled_from(["Z", "naive", "offset"])
        ),
        st.integers(0, 3),
        st.sampled_from(["a.csv", "b.csv"]),
        st.sampled_from(["p", "q"]),
    ),
    max_size=8,
    unique_by=lambda row: row.name,
)
windows = st.builds(Window, st.integers(1, 3), st.integers(0, 10))


def age(row: Filed) -> float:
    moment = datetime.fromisoformat(row.record.at)
    return (NOW - (moment if moment.tzinfo else moment.replace(tzinfo=UTC))).total_seconds()


@moderate
@given(rows, windows, st.sets(st.sampled_from(DIGESTS), max_size=2))
def test_the_newest_the_recent_and_the_named_are_in_use(found: list[Filed], window: Window, named: set[object]) -> None:
    used, others = split(found, window, named=named, now=NOW.timestamp())  # type: ignore[arg-type]
    assert sorted(row.name for row in used + others) == sorted(row.name for row in found), "each once"
    assert [age(row) for row in others] == sorted((age(row) for row in others), reverse=True), "oldest first"
    for row in others:
        digest = row.record.pointer.digest
        place = (row.project_id, row.record.path)
        assert digest not in named and age(row) > window.days * 86400
        newer = {
            other.record.pointer.digest
            for other in found
            if (other.project_id, other.record.path) == place and age(other) <= age(row)
        }
        assert len(newer - {digest}) >= window.versions, "as many versions of this dataset are newer"
        beside = [other for other in found if (other.project_id, other.record.path) == place]
        last = min(age(other) for other in beside if other.record.pointer.digest == digest)
        assert last >= min(map(age, beside)), "not the newest one, or one of two that were pushed at once"
    datasets = {(row.project_id, row.record.path) for row in found}
    assert {(row.project_id, row.record.path) for row in used} == datasets, "of each something is in use"


@moderate
@given(rows, windows)
def test_a_wider_window_has_more_in_use(found: list[Filed], window: Window) -> None:
    def in_use(of: Window) -> set[bytes]:
        return {row.name for row in split(found, of, named=(), now=NOW.timestamp())[0]}

    assert in_use(window) <= in_use(Window(window.versions + 1, window.days))
    assert in_use(window) <= in_use(Window(window.versions, window.days + 3))


def test_the_time_counts_and_not_how_it_is_written() -> None:
    older = filed("2026-05-01T11:30:00+02:00", 0)  # 09:30
    newer = filed("2026-05-01T10:00:00Z", 1)
    used, others = split([older, newer], Window(), named=(), now=NOW.timestamp())
    assert (used, others) == ([newer], [older])
    used, others = split([filed("2026-05-01T10:00:20Z", 0), filed("2026-05-01T10:00:20.5Z", 1)], Window(), named=(),
                         now=NOW.timestamp())  # fmt: skip
    assert [row.record.at for row in others] == ["2026-05-01T10:00:20Z"]


def test_a_record_without_a_readable_time_is_in_use_and_hides_no_other() -> None:
    odd, newest = filed("once upon a time", 0), filed(days_ago(20), 1)
    used, others = split([odd, newest], Window(), named=(), now=NOW.timestamp())
    assert {row.name for row in used} == {odd.name, newest.name} and not others


def test_a_version_that_came_back_is_in_use() -> None:
    first, second, again = (filed(days_ago(days), version) for days, version in ((30, 0), (20, 1), (10, 0)))
    used, others = split([first, second, again], Window(), named=(), now=NOW.timestamp())
    assert {row.name for row in used} == {first.name, again.name} and others == [second]
