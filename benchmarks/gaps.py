"""How wide a gap between two wanted runs of an object is cheaper read along than asked around: measured, both ways.

Many pairs of 64 KiB with a gap between them are read as two ranges each and as one, by as many threads as a pull has,
from a server on this machine and over slower lines. Prints a table; ``lobsterdv.blobs.ranges.GAP_BYTES`` is the rule.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import boto3
import peers
import report

from lobsterdv.stores.line import counting
from lobsterdv.stores.link import Link
from lobsterdv.stores.s3 import S3Store
from lobsterdv.stores.s3_options import S3Credentials, S3Options

RUN = 64 << 10
PAIRS = 100
GAPS_KIB = (0, 16, 32, 64, 128, 256, 512, 1024)
THREADS = 10  # the default `concurrency` of a remote
LINES = ((100.0, 0.030), (1000.0, 0.010))  # Mbit/s, seconds of a round trip
BUCKET, KEY = "gaps", "object"


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks/gaps.py", description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=5, metavar="N", help="repetitions (5); medians are printed")
    parser.add_argument("--peers", type=Path, default=peers.DEFAULT_PEERS, metavar="DIR", help="a ready environment")
    options = parser.parse_args()
    if options.peers == peers.DEFAULT_PEERS:
        peers.prepare(options.peers)
    data = os.urandom(16 << 20)
    with peers.running_server("seaweedfs", peers.locate(options.peers), len(data)) as server:
        client = boto3.client(
            "s3", endpoint_url=server.url, region_name="us-east-1",
            aws_access_key_id=peers.ACCESS_KEY, aws_secret_access_key=peers.SECRET_KEY,
        )  # fmt: skip
        client.create_bucket(Bucket=BUCKET)
        client.put_object(Bucket=BUCKET, Key=KEY, Body=data)
        rows = list(_rows("this machine", server.url, options.repeat, len(data)))
        for megabits, round_trip in LINES:
            link = Link(megabits, round_trip, on=True)
            with counting(server.port, link) as proxy:
                rows += _rows(link.text, proxy.url, options.repeat, len(data))
    print(report.table([["line", "gap, KiB", "two reads, ms", "one read, ms", "one : two"], *rows]))
    return 0


def _rows(line: str, url: str, repeat: int, size: int) -> Iterator[list[str]]:
    options = S3Options(bucket=BUCKET, endpoint_url=url, region="us-east-1", addressing="path", concurrency=THREADS)
    store = S3Store(options, credentials=S3Credentials(peers.ACCESS_KEY, peers.SECRET_KEY))
    try:
        for gap in (kib << 10 for kib in GAPS_KIB):
            times: dict[bool, list[float]] = {True: [], False: []}
            for turn in range(2 * repeat):
                joined = turn % 2 == 0
                times[joined].append(_seconds(store, gap, size, joined=joined))
            two, one = (median(times[joined]) * 1000 / PAIRS for joined in (False, True))
            yield [line, f"{gap >> 10}", f"{two:.2f}", f"{one:.2f}", f"{one / two:.2f}"]
    finally:
        store.close()


def _seconds(store: S3Store, gap: int, size: int, *, joined: bool) -> float:
    starts = [number * (size - 2 * RUN - gap) // PAIRS for number in range(PAIRS)]
    if joined:
        spans = [(start, 2 * RUN + gap) for start in starts]
    else:
        spans = [span for start in starts for span in ((start, RUN), (start + RUN + gap, RUN))]
    begun = time.monotonic()
    with ThreadPoolExecutor(THREADS) as pool:
        for data in pool.map(lambda span: store.read(KEY, start=span[0], length=span[1]), spans):
            assert data
    return time.monotonic() - begun


if __name__ == "__main__":
    sys.exit(main())
