"""url: a link that gives other bytes than the version, or none, is worse than no link."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from lobsterdv.digest import digest_of
from lobsterdv.errors import (
    Archived,
    CorruptContent,
    LobsterError,
    MissingContent,
    NotARemote,
    NotTracked,
    NotVerbatim,
    Refused,
)
from lobsterdv.formats.layout import object_key
from lobsterdv.formats.table import RAW, ZSTD, Content, Extent, StoredObject
from lobsterdv.manager import DataManager
from lobsterdv.ops.url import UrlReport, how_stored, url
from lobsterdv.stores.base import Stat
from lobsterdv.stores.memory import MemoryStore
from tests.ops.lab import Lab
from tests.ops.watching import WatchedStore

NOISE = random.Random(1).randbytes(300_000)


@pytest.fixture
def shelf(lab: Lab, tmp_path: Path) -> Path:
    """A remote that is a directory; a file and a directory are tracked."""
    (tmp_path / "shelf").mkdir()
    config = lab.read(".lobsterdv.yaml").decode()
    lab.write(".lobsterdv.yaml", f'{config}remote: shelf\nremotes:\n  shelf:\n    url: "{tmp_path}/shelf"\n')
    lab.reopen()
    lab.write("f.csv", "gene,count\n" * 1000)
    lab.write("d/noise", NOISE)
    lab.write("d/small", "s" * 50)
    lab.write("d/other", "o" * 60)
    lab.write("d/empty", "")
    lab.path("d/link").symlink_to("small")
    lab.add("f.csv", "d")
    lab.commit(tag="v1")
    return tmp_path / "shelf"


def find(lab: Lab, name: str, **options: str) -> UrlReport:
    return url(lab.project, name, observer=lab.observe, **options)


def error_at(lab: Lab, name: str, **options: str) -> LobsterError:
    with pytest.raises(LobsterError) as caught:
        find(lab, name, **options)
    return caught.value


def how(lab: Lab, name: str) -> str:
    error = error_at(lab, name)
    assert isinstance(error, NotVerbatim), error
    return error.how


def test_a_plain_push_gives_every_file_a_url(lab: Lab, shelf: Path) -> None:
    lab.push(plain=True)
    for name in ("f.csv", "d/noise", "d/small", "d/other"):
        report = find(lab, name)
        assert Path(report.url).read_bytes() == lab.read(name)
        assert (report.size, report.digest) == (len(lab.read(name)), digest_of(lab.read(name)))
        assert report.url == f"{shelf}/{object_key(report.digest)}"
    assert how(lab, "d/empty") == "empty"


def test_files_that_are_stored_otherwise_have_none_until_they_are_pushed_plain(lab: Lab, shelf: Path) -> None:
    lab.push()
    assert how(lab, "f.csv") == "compressed"
    assert how(lab, "d/small") in ("packed", "compressed")
    lab.push(plain=True)
    assert Path(find(lab, "f.csv").url).read_bytes() == lab.read("f.csv")
    assert Path(find(lab, "d/small").url).read_bytes() == lab.read("d/small")


def test_an_old_version(lab: Lab, shelf: Path) -> None:
    lab.push(plain=True)
    old = lab.read("f.csv")
    lab.write("f.csv", "changed")
    lab.add("f.csv")
    assert isinstance(error_at(lab, "f.csv"), MissingContent), "it was not pushed"
    assert Path(find(lab, "f.csv", rev="v1").url).read_bytes() == old


def test_from_a_clone_that_has_nothing(lab: Lab, shelf: Path, tmp_path: Path) -> None:
    lab.push(plain=True)
    lab.git("commit", "-qam", "remote")
    clone = lab.clone(tmp_path / "clone")
    assert Path(find(clone, "d/noise").url).read_bytes() == NOISE
    with DataManager(clone.root) as dm:
        assert Path(dm.url("d/noise", rev="v1")).read_bytes() == NOISE
    assert not (clone.project.cache.folder / "files").exists()
    clone.close()


def test_what_has_no_one_url(lab: Lab, shelf: Path) -> None:
    assert isinstance(error_at(lab, "f.csv"), NotARemote), "nothing was pushed at all"
    lab.push(plain=True)
    for name in ("d", "d/link"):
        error = error_at(lab, name)
        assert isinstance(error, Refused) and error.code == "directory"
    for name in ("nothing", "d/nothing", ""):
        assert isinstance(error_at(lab, name), NotTracked)


def test_an_object_that_is_lost_or_cut_short_is_not_handed_out(lab: Lab, shelf: Path) -> None:
    lab.push(plain=True)
    path = Path(find(lab, "f.csv").url)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1])
    assert isinstance(error_at(lab, "f.csv"), CorruptContent)
    path.unlink()
    assert isinstance(error_at(lab, "f.csv"), MissingContent)


class Glacier(MemoryStore):
    def head(self, key: str) -> Stat:
        stat = super().head(key)
        return Stat(stat.key, stat.size, stat.modified, stat.etag, archived=key.startswith("objects/"))


def test_an_archived_object_is_said_to_be(lab: Lab) -> None:
    store = Glacier()
    lab.use(MemoryStore())
    lab.write("f.csv", NOISE)
    lab.add("f.csv")
    lab.push(plain=True)
    for stat in lab.project.store(lab.project.remote()).list(""):
        store.put(stat.key, lab.project.store(lab.project.remote()).read_whole(stat.key, limit=1 << 20))
    lab.reopen().use(store)
    assert isinstance(error_at(lab, "f.csv"), Archived)


def test_no_content_is_read(lab: Lab) -> None:
    store = WatchedStore(MemoryStore())
    lab.use(store)
    lab.write("f.csv", NOISE)
    lab.add("f.csv")
    lab.push(plain=True)
    store.forget()
    find(lab, "f.csv")
    assert store.count()["head"] == 2, "the marker and the object"
    assert not [call for call in store.calls if call.verb.startswith("read")]


@pytest.mark.parametrize(
    ("expected", "lengths", "extents"),
    [
        ("verbatim", [5, 5], [(0, 2, 10, RAW)]),
        ("packed", [5, 5], [(0, 2, 11, RAW)]),
        ("packed", [5, 5], [(1, 2, 11, RAW)]),
        ("compressed", [5, 5], [(0, 2, 10, ZSTD)]),
        ("compressed", [5, 5], [(0, 1, 5, RAW), (0, 1, 4, ZSTD)]),
        ("ranges", [5, 5], [(0, 1, 10, RAW), (5, 1, 10, RAW)]),
        ("empty", [], []),
    ],
)
def test_how_a_content_is_stored(expected: str, lengths: list[int], extents: list[tuple[int, int, int, str]]) -> None:
    found = tuple(Extent(StoredObject(digest_of(b""), size, codec), at, n) for at, n, size, codec in extents)
    names = [digest_of(b"%d" % n) for n in range(len(lengths))]
    assert how_stored(Content(digest_of(b"x"), sum(lengths), 14, lengths, names, lengths, found)) == expected
