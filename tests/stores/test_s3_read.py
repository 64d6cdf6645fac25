"""If these fail, a broken or lying answer becomes someone's data, or a read never ends."""

from __future__ import annotations

import errno
from collections.abc import Iterator

import pytest

from lobsterdv.errors import CorruptContent, KeyMissing, LocalIOError, Unreachable
from lobsterdv.stores import s3_calls, s3_pace, s3_read
from lobsterdv.stores.s3 import S3Store
from lobsterdv.stores.s3_options import S3Credentials, S3Options
from tests.stores.canned import Answer, Canned, canned, error

WHOLE = b"0123456789"


def part(start: int, body: bytes, **more: int) -> Answer:
    claimed = more.get("claimed")
    span = f"bytes {start}-{start + (claimed or len(body)) - 1}/100"
    return Answer(206, body, {"Content-Range": span}, claimed)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Canned]:
    monkeypatch.setattr(s3_calls.time, "sleep", lambda seconds: None)
    with canned(Answer()) as made:
        yield made


@pytest.fixture
def store(server: Canned) -> Iterator[S3Store]:
    options = S3Options("lab", endpoint_url=server.url, region="us-east-1", attempts=3, read_timeout=5)
    made = S3Store(options, credentials=S3Credentials("a", "b"))
    yield made
    made.close()


def test_a_body_that_breaks_off_is_asked_for_again(server: Canned, store: S3Store) -> None:
    broken = part(5, b"012", claimed=10)
    server.answers[:] = [broken, broken, part(5, WHOLE)]
    assert store.read("k", start=5, length=10) == WHOLE
    assert [request.headers["range"] for request in server.seen] == ["bytes=5-14"] * 3
    server.answers[:] = [Answer(body=b"012", claimed=10), Answer(body=WHOLE)]
    assert store.read_whole("k", limit=10) == WHOLE


def test_a_body_that_always_breaks_off_is_unreachable_not_corrupt(server: Canned, store: S3Store) -> None:
    server.answers[:] = [part(0, b"012", claimed=10)]
    with pytest.raises(Unreachable, match="broke off 3 times"):
        store.read("k", start=0, length=10)
    assert len(server.seen) == 3


def test_a_body_that_drips_is_given_up_and_asked_for_again(server: Canned, monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte a minute kept a pull waiting for ever: no single wait was too long."""
    monkeypatch.setattr(s3_pace, "TIMEOUTS", 0.1)
    options = S3Options("lab", endpoint_url=server.url, region="us-east-1", attempts=2, read_timeout=1)
    slow = S3Store(options, credentials=S3Credentials("a", "b"))
    server.answers[:] = [Answer(body=WHOLE * 9, drip=0.02), Answer(body=WHOLE * 9)]
    assert slow.read_whole("k", limit=90) == WHOLE * 9
    assert len(server.seen) == 2
    server.answers[:] = [Answer(body=WHOLE * 9, drip=0.02)]
    with pytest.raises(Unreachable, match="broke off 2 times"):
        slow.read_whole("k", limit=90)
    slow.close()


def test_a_slow_line_is_waited_for() -> None:
    """Ten connections over 64 kbit/s; what is waited for elsewhere, for a limit of bytes a second, does not count."""
    clock = [0.0]

    def receive(buffer: memoryview) -> int:
        clock[0] += 0.1
        return 80

    read = s3_pace._Pace(receive, 120, lambda: clock[0])
    for _ in range(10_000):
        clock[0] += 59
        assert read(memoryview(bytearray(80))) == 80


class Sink:
    """What it was given, and where."""

    def __init__(self) -> None:
        self.given: list[tuple[int, bytes]] = []

    def __call__(self, at: int, data: memoryview) -> None:
        self.given.append((at, bytes(data)))


def test_in_slices_a_body_that_breaks_off_goes_on_where_it_did(
    server: Canned, store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes that are written twice are hashed anew at the end, from the disk."""
    monkeypatch.setattr(s3_read, "_SLICE", 3)
    server.answers[:] = [part(5, b"0123", claimed=10), part(8, b"3456", claimed=7), part(11, b"6789")]
    sink = Sink()
    store.read_in_slices("k", start=5, length=10, sink=sink)
    assert sink.given == [(0, b"012"), (3, b"345"), (6, b"678"), (9, b"9")]
    assert [request.headers["range"] for request in server.seen] == ["bytes=5-14", "bytes=8-14", "bytes=11-14"]


def test_in_slices_a_body_that_always_breaks_off_is_unreachable(server: Canned, store: S3Store) -> None:
    server.answers[:] = [part(0, b"", claimed=10)]
    with pytest.raises(Unreachable, match="broke off 3 times"):
        store.read_in_slices("k", start=0, length=10, sink=Sink())
    assert len(server.seen) == 3


def test_what_the_sink_raises_ends_the_read(server: Canned, store: S3Store) -> None:
    def full(at: int, data: memoryview) -> None:
        raise LocalIOError("temp", "the disk is full", errno.ENOSPC)

    server.answers[:] = [part(0, WHOLE)]
    with pytest.raises(LocalIOError):
        store.read_in_slices("k", start=0, length=10, sink=full)
    assert len(server.seen) == 1


def test_an_answer_to_the_whole_range_may_be_200(server: Canned, store: S3Store) -> None:
    server.answers[:] = [Answer(body=WHOLE)]
    assert store.read("k", start=0, length=10) == WHOLE


@pytest.mark.parametrize(
    "answer",
    [
        Answer(body=WHOLE),  # the whole value, although a part was asked
        part(4, b"45678"),  # the wrong part
        part(5, b"56789x"),  # more than asked
        part(5, b"567"),  # the value ends early, and says so
        error(416, "InvalidRange"),
    ],
)
def test_other_bytes_than_asked_are_corrupt_at_once(server: Canned, store: S3Store, answer: Answer) -> None:
    server.answers[:] = [answer]
    with pytest.raises(CorruptContent):
        store.read("k", start=5, length=5)
    sink = Sink()
    with pytest.raises(CorruptContent):
        store.read_in_slices("k", start=5, length=5, sink=sink)
    assert len(server.seen) == 2 and not sink.given


def test_a_body_without_a_length_is_measured(server: Canned, store: S3Store) -> None:
    def chunked(body: bytes) -> bytes:
        return b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)

    headers = {"Transfer-Encoding": "chunked"}
    server.answers[:] = [Answer(body=chunked(WHOLE), headers=headers)]
    assert store.read("k", start=0, length=10) == WHOLE
    assert store.read_whole("k", limit=10) == WHOLE
    sink = Sink()
    store.read_in_slices("k", start=0, length=10, sink=sink)
    assert sink.given == [(0, WHOLE)]
    with pytest.raises(CorruptContent):
        store.read("k", start=0, length=9)
    with pytest.raises(CorruptContent):
        store.read_in_slices("k", start=0, length=9, sink=sink)
    assert len(sink.given) == 1, "the last slice is given when it is known to be the last"
    with pytest.raises(CorruptContent):
        store.read_whole("k", limit=9)


def test_a_value_over_the_limit_is_not_read(server: Canned, store: S3Store) -> None:
    server.answers[:] = [Answer(body=b"x", claimed=10**12)]
    with pytest.raises(CorruptContent, match="at most 10 bytes"):
        store.read_whole("k", limit=10)


def page(keys: list[str], more: str = "<IsTruncated>false</IsTruncated>") -> Answer:
    rows = "".join(
        f"<Contents><Key>{key}</Key><Size>1</Size><LastModified>2026-11-23T00:00:00Z</LastModified></Contents>"
        for key in keys
    )
    return Answer(body=f"<ListBucketResult>{more}{rows}</ListBucketResult>".encode())


def test_a_list_that_stops_half_way_is_an_error(server: Canned, store: S3Store) -> None:
    cut = "<IsTruncated>true</IsTruncated>"
    token = cut + "<NextContinuationToken>t</NextContinuationToken>"
    for answers in ([page(["a"], cut)], [page(["a"], token), page(["b"], token)]):
        server.answers[:] = answers
        with pytest.raises(Unreachable, match="broke a list off"):
            list(store.list(""))
    server.answers[:] = [page(["a"], token), error(500, "InternalError")]
    with pytest.raises(Unreachable):
        list(store.list(""))


def test_a_list_takes_what_was_asked_for_alone(server: Canned, store: S3Store) -> None:
    server.answers[:] = [page(["a/", "a/b", "a/c", "b/d", "A/e"])]
    assert [stat.key for stat in store.list("a/", after="a/b")] == ["a/c"]


def test_deleting_what_a_server_does_not_know_is_no_error(server: Canned, store: S3Store) -> None:
    server.answers[:] = [error(404, "NoSuchKey")]
    store.delete("k")
    with pytest.raises(KeyMissing):
        store.read_whole("k", limit=1)
