"""The index is a cache. If these fail, a damaged, locked or read-only index stops work, or a changed file is taken for
unchanged because of what it remembers."""

from __future__ import annotations

import multiprocessing
import os
import random
import sqlite3
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lobsterdv.digest import digest_of
from lobsterdv.events import Event, Warned
from lobsterdv.index import database
from lobsterdv.index.database import SCHEMA_VERSION, Index
from lobsterdv.index.ledger import IndexLedger
from lobsterdv.index.pushed import (
    Pushed,
    forget_marker,
    forget_pushed,
    load_marker,
    load_pushed,
    save_marker,
    save_pushed,
)
from lobsterdv.index.rows import SeenFile
from lobsterdv.index.seen import Seen, digests_of, forget_seen, load_seen, save_seen
from lobsterdv.index.verified import Verified, load_verified, save_verified
from lobsterdv.signature import RACY_NS, Signature, signature_of
from tests.powers import permissions_count

D = digest_of(b"d")
SIGNATURE = Signature(1, 2, 3, 4, 5)
FILE = SeenFile(SIGNATURE, D, b"c" * 16)
SEEN = Seen(10**18, D, {"a": FILE})


@pytest.fixture
def said() -> list[Event]:
    return []


@pytest.fixture
def index(tmp_path: Path, said: list[Event]) -> Iterator[Index]:
    made = Index(tmp_path / "state" / "index.db", said.append)
    yield made
    made.close()


def again(index: Index) -> Index:
    """The index as the next process sees it."""
    index.close()
    return Index(index.path, index.observer)


def use(index: Index) -> bool:
    """Read and write everything; True when what was written is remembered."""
    save_seen(index, "/p", SEEN)
    save_verified(index, [Verified("n", SIGNATURE, b"c" * 16, 5.5)])
    save_pushed(index, "s", [Pushed("a", D, D, D, "2026-09-21T13:33:20Z")])
    save_marker(index, "s", "etag", "id")
    found = (load_seen(index, "/p"), load_verified(index, "n"), load_pushed(index, "s"), load_marker(index, "s"))
    return all(found)


signed = st.integers(-(1 << 63), (1 << 63) - 1)
signatures = st.builds(Signature, signed, signed, signed, signed, signed)
paths = st.text(st.characters(exclude_characters="\n\t"), max_size=8).map(
    lambda t: t.encode(errors="surrogatepass").decode(errors="surrogateescape")
)
checksums = st.binary(min_size=16, max_size=16)
files = st.dictionaries(paths, st.builds(SeenFile, signatures, st.just(D) | st.just(digest_of(b"")), checksums))


@settings(max_examples=60, deadline=None)
@given(files=files, others=st.dictionaries(paths.filter(bool), paths), whole=st.booleans(), at=signed)
def test_what_was_seen_comes_back(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, SeenFile], others: dict[str, str], whole: bool, at: int
) -> None:
    index = Index(tmp_path_factory.getbasetemp() / "seen.db")
    save_seen(index, "/p", Seen(at, D, files, others, whole))
    found = load_seen(again(index), "/p")
    assert found is not None and dict(found.files) == files and dict(found.others) == others
    assert (found.saved_ns, found.digest, found.whole) == (at, D, whole)
    assert digests_of(found) == [files[path].digest for path in sorted(files)]


@pytest.mark.parametrize("field", ["device", "inode"])
def test_large_inodes_as_of_mergerfs_are_no_problem(index: Index, field: str) -> None:
    at = 2 if field == "device" else 1
    fields = [0o100644, *([7] * at)[:-1], (1 << 64) - 5, *[7] * (9 - at)]
    large = signature_of(os.stat_result(fields, {"st_mtime_ns": 7, "st_ctime_ns": 7}))
    save_seen(index, "/p", Seen(1, D, {"a": FILE._replace(signature=large)}))
    save_verified(index, [Verified("n", large, b"c" * 16, 1.0)])
    found = load_seen(index, "/p")
    assert found is not None and found.files["a"].signature == large


def test_the_latest_look_at_a_place_counts_and_can_be_forgotten(index: Index) -> None:
    save_seen(index, "/p", SEEN)
    save_seen(index, "/p", Seen(5, digest_of(b"e"), {}))
    found = load_seen(index, "/p")
    assert found is not None and found.digest == digest_of(b"e") and load_seen(index, "/q") is None
    forget_seen(index, "/p")
    assert load_seen(index, "/p") is None


def test_only_an_unchanged_and_not_racy_signature_is_trusted() -> None:
    seen = Seen(10**18, D, {"a": FILE, "racy": FILE._replace(signature=SIGNATURE._replace(mtime_ns=10**18))})
    assert seen.trusts("a", SIGNATURE) == FILE and seen.trusts("b", SIGNATURE) is None
    for field in Signature._fields:
        assert seen.trusts("a", SIGNATURE._replace(**{field: 99})) is None
    racy = seen.files["racy"].signature
    assert seen.trusts("racy", racy) is None
    edge = SIGNATURE._replace(mtime_ns=10**18 - RACY_NS - 1)
    assert Seen(10**18, D, {"a": FILE._replace(signature=edge)}).trusts("a", edge) is not None


def test_a_racy_file_stays_untrusted_when_its_row_is_saved_later() -> None:
    racy = SIGNATURE._replace(mtime_ns=10**18 - 1)
    seen = Seen(10**18, D, {"a": FILE._replace(signature=racy), "b": FILE})
    later = Seen(10**18 + 10**12, D, seen.carried())
    assert later.trusts("a", racy) is None and later.trusts("b", SIGNATURE) == FILE


def test_verifications_come_back(index: Index) -> None:
    ledger = IndexLedger(index)
    assert ledger.look_up("n") is None
    ledger.note([("n", SIGNATURE, b"c" * 16, 5.25), ("m", SIGNATURE, b"d" * 16, 6.0)])
    assert IndexLedger(again(index)).look_up("n") == (SIGNATURE, b"c" * 16, 5.25)
    ledger.note([])


def test_pushes_and_markers_come_back_per_store_and_can_be_forgotten(index: Index) -> None:
    rows = [Pushed("a", D, D, digest_of(b"%d" % n), f"2026-09-2{9 - n}T00:00:00Z") for n in range(3)]
    save_pushed(index, "s", rows)
    save_pushed(index, "t", rows[:1])
    assert load_pushed(index, "s") == rows[::-1], "oldest first"
    forget_pushed(index, "s", rows[1:2])
    assert load_pushed(index, "s") == [rows[2], rows[0]] and load_pushed(index, "t") == rows[:1]
    save_marker(index, "s", "e", "i")
    assert load_marker(index, "s") == ("e", "i") and load_marker(index, "t") is None
    forget_marker(index, "s")
    assert load_marker(index, "s") is None


@pytest.mark.parametrize(
    "junk", [b"not a database at all, but long enough to look at" * 50, b"SQLite format 3\0" + b"\xff" * 5000]
)
def test_a_damaged_file_is_set_aside_said_and_rebuilt(index: Index, said: list[Event], junk: bytes) -> None:
    assert use(index)
    index.close()
    index.path.write_bytes(junk)
    later = again(index)
    load_seen(later, "/p")
    use(later)
    assert use(later) and index.path.with_name("index.db.damaged").exists()
    assert any(isinstance(e, Warned) and "damaged" in e.message for e in said)
    later.close()


def test_an_empty_file_is_begun_anew(index: Index) -> None:
    index.path.parent.mkdir()
    index.path.touch()
    assert use(index)


@pytest.mark.parametrize("seed", range(23))
def test_random_damage_never_reaches_the_user(index: Index, seed: int) -> None:
    for number in range(40):
        save_seen(index, f"/{number}", Seen(1, D, {f"{i}": FILE for i in range(50)}))
    assert use(index)
    index.close()
    dice = random.Random(seed)
    data = bytearray(index.path.read_bytes())
    for _ in range(30):
        data[dice.randrange(len(data))] = dice.randrange(256)
    if seed % 3 == 0:
        del data[dice.randrange(len(data)) :]
    index.path.write_bytes(data)
    later = again(index)
    for number in range(40):
        found = load_seen(later, f"/{number}")
        assert found is None or all(f == FILE for f in found.files.values()), "wrong facts"
    for _ in range(3):
        use(later)
    assert use(later)
    later.close()


def test_damage_in_the_names_of_tables_is_damage(index: Index) -> None:
    assert use(index)
    index.close()
    data = index.path.read_bytes()
    index.path.write_bytes(data.replace(b"CREATE TABLE verified", b"CREATE \xe3ABLE verified"))
    later = again(index)
    load_seen(later, "/p")
    assert use(later)


def set_state(state: bytes, connection: sqlite3.Connection) -> None:
    connection.execute("update seen set state = ?", (state,))


def test_a_damaged_row_is_not_known_and_costs_nothing_else(index: Index) -> None:
    assert use(index)
    for state in (b"", b"xxxx", bytes(200)):
        index.write(partial(set_state, state))
        assert load_seen(index, "/p") is None
    index.write(lambda connection: connection.execute("update verified set signature = x'00'"))
    assert load_verified(index, "n") is None and load_marker(index, "s") is not None


@pytest.mark.parametrize("version", [0, SCHEMA_VERSION - 1, SCHEMA_VERSION + 1])
def test_the_schema_of_another_version_is_replaced(index: Index, version: int) -> None:
    index.path.parent.mkdir()
    old = sqlite3.connect(index.path)
    old.execute("create table seen (place text, other integer)")
    old.execute("create table something_else (x)")
    old.execute(f"pragma user_version={version}")
    old.commit()
    old.close()
    assert use(index) and use(again(index))


def _hold(path: str, locked: object, release: object) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("begin exclusive")
    locked.set()  # type: ignore[attr-defined]
    release.wait(20)  # type: ignore[attr-defined]
    connection.close()


def test_an_index_locked_by_another_process_delays_but_does_not_stop(
    index: Index, said: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert use(index)
    index.close()
    monkeypatch.setattr(database, "_BUSY_MS", 50)
    context = multiprocessing.get_context("spawn")
    locked, release = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(str(index.path), locked, release))
    other.start()
    try:
        assert locked.wait(20)
        later = again(index)
        save_seen(later, "/new", SEEN)
        load_seen(later, "/p")
        load_pushed(later, "s")
        assert any(isinstance(e, Warned) for e in said)
        assert not index.path.with_name("index.db.damaged").exists(), "busy is not damaged"
    finally:
        release.set()
        other.join()
    later.close()
    assert load_seen(again(index), "/p") is not None


def test_where_nothing_can_be_written_the_index_lives_in_memory(tmp_path: Path, said: list[Event]) -> None:
    (tmp_path / "file").write_bytes(b"")
    index = Index(tmp_path / "file" / "index.db", said.append)
    assert use(index) and len([e for e in said if isinstance(e, Warned)]) == 1, "said once"
    index.close()


def test_a_read_only_folder_is_no_error(index: Index) -> None:
    index.path.parent.mkdir()
    index.path.parent.chmod(0o500)
    with permissions_count():
        assert use(index)
    assert not index.path.exists(), "it lives in memory"
    index.path.parent.chmod(0o700)


def test_threads_share_one_index(index: Index, said: list[Event]) -> None:
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(30):
                save_seen(index, f"/{number}", Seen(turn, D, {"a": FILE}))
                found = load_seen(index, f"/{number}")
                assert found is not None and found.saved_ns == turn
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == [] and said == []


def test_an_interrupted_transaction_leaves_what_was_there(index: Index) -> None:
    assert use(index)

    def fail(connection: sqlite3.Connection) -> None:
        connection.execute("delete from seen")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        index.write(fail)
    assert load_seen(index, "/p") is not None and use(index)


MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
lab:/data /lab nfs4 rw 0 0
/dev/sdb1 /lab/scratch xfs rw 0 0
me@host: /home/me/far\\040away fuse.sshfs rw 0 0
s3fs /bucket fuse.s3fs rw 0 0
gl:/v /gluster fuse.glusterfs rw 0 0
some:thing /new fuse.not-made-yet rw 0 0
plain /plain fuse rw 0 0
/dev/sdc1 /stick fuseblk rw 0 0
/dev/sdd1 /covered ext4 rw 0 0
cloud /covered fuse.rclone rw 0 0
"""


@pytest.mark.parametrize(
    ("place", "is_local"),
    [
        ("/home/you", True),
        ("/lab/project", False),
        ("/labrador", True),
        ("/lab/scratch/project", True),
        ("/home/me/far away/project", False),
        ("/bucket", False),
        ("/gluster/x", False),
        ("/new/x", False),
        ("/plain/x", False),
        ("/stick/x", True),
        ("/covered/x", False),
    ],
)
def test_network_file_systems_are_told_from_local_ones(tmp_path: Path, place: str, is_local: bool) -> None:
    """A write-ahead log on a file system without shared memory is an index that two machines destroy."""
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS)
    assert database._is_local(Path(place), mounts) == is_local


def test_where_nothing_tells_it_is_local(tmp_path: Path) -> None:
    assert database._is_local(tmp_path, tmp_path / "mounts")
