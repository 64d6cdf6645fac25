"""If these fail, an interrupted upload of terabytes starts from nothing, or mixes old bytes with new ones."""

from __future__ import annotations

import os

import pytest

from lobsterdv.stores.s3 import S3Store
from tests.contracts.test_store_contract import together
from tests.server import Server

MIB = 1 << 20


@pytest.fixture(params=["moto", pytest.param("seaweedfs", marks=pytest.mark.s3)])
def server(request: pytest.FixtureRequest) -> Server:
    made: Server = request.getfixturevalue(request.param)
    return made


def send_all(store: S3Store, key: str, data: bytes, *, numbers: list[int] | None = None) -> None:
    upload = store.upload(key, len(data))
    size = upload.part_size
    for number in numbers if numbers is not None else range(upload.part_count):
        upload.send(number, data[number * size : (number + 1) * size])
    if numbers is None:
        upload.complete()


def parts_sent(store: S3Store) -> list[int]:
    """The numbers of the parts that travel from now on."""
    sent: list[int] = []
    client = store._calls._connected().client
    client.meta.events.register_first(
        "before-parameter-build.s3.UploadPart",
        lambda params, **_: sent.append(params["PartNumber"] - 1),
        unique_id=f"count-{id(sent)}",
    )
    return sent


def test_an_interrupted_upload_goes_on_where_it_stopped(server: Server) -> None:
    store = server.store(server.new_bucket(), "p", part_size=5 * MIB)
    data = os.urandom(17 * MIB)
    send_all(store, "a/k", data, numbers=[0, 2])  # and then the process died
    sent = parts_sent(store)
    send_all(store, "a/k", data)
    assert sent == [1, 3]
    assert store.read_whole("a/k", limit=len(data)) == data
    assert not store._calls._connected().client.list_multipart_uploads(Bucket=store.options.bucket).get("Uploads")


def test_parts_with_other_bytes_are_sent_again(server: Server) -> None:
    store = server.store(server.new_bucket(), "p", part_size=5 * MIB)
    old, new = os.urandom(5 * MIB), os.urandom(5 * MIB)
    send_all(store, "k", old + old, numbers=[0, 1])
    sent = parts_sent(store)
    send_all(store, "k", old + new)
    assert sent == [1]
    assert store.read_whole("k", limit=10 * MIB) == old + new


def test_an_upload_cut_differently_is_left_alone(server: Server) -> None:
    bucket = server.new_bucket()
    data = os.urandom(12 * MIB)
    send_all(server.store(bucket, part_size=6 * MIB), "k", data, numbers=[0])
    store = server.store(bucket, part_size=5 * MIB)
    sent = parts_sent(store)
    send_all(store, "k", data)
    assert sent == [0, 1, 2]
    assert store.read_whole("k", limit=12 * MIB) == data


def test_a_key_that_begins_alike_is_another_key(server: Server) -> None:
    store = server.store(server.new_bucket(), part_size=5 * MIB)
    send_all(store, "ab", bytes(6 * MIB), numbers=[0])
    sent = parts_sent(store)
    send_all(store, "a", bytes(6 * MIB))
    assert sent == [0, 1]


def test_many_senders_of_one_value_all_succeed(server: Server) -> None:
    bucket = server.new_bucket()
    data = os.urandom(11 * MIB)
    together(4, lambda number: send_all(server.store(bucket, part_size=5 * MIB), "k", data))
    assert server.store(bucket).read_whole("k", limit=len(data)) == data
