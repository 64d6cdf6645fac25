"""Every request of push, fetch, pull, verify --repair and remote gc over S3, killed or interrupted at, or answered
wrongly. Afterwards an independent reader finds everything whole that a remote or a cache names, and the same command
succeeds.

The default suite takes some of the cases; ``make test-faults`` takes every request, with every kind of fault.
``make test-faults-s3`` does the same in front of SeaweedFS, which takes hours, so it is thinner there: every request is
killed at and interrupted at, and meets every kind of fault by one verb; the other verbs meet that kind at some.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.damage import faults
from tests.damage.counting import Counters
from tests.damage.far import Far
from tests.damage.killing import Nursery, Said
from tests.damage.oracle import Wrong, check_cache, check_remote
from tests.damage.proxy import Exchange, proxy_to
from tests.ops.lab import Lab
from tests.properties.trees import picture
from tests.servers import Server

COMMANDS = {
    "push": ["push"],
    "fetch": ["fetch"],
    "pull": ["pull"],
    "repair": ["verify", "--remote", "--read-data", "--repair"],
    "gc": ["remote", "gc", "--yes"],
}
DOCUMENTED = {1, 3, 4, 6}
"""How a command may end that did not succeed (DESIGN.md, exit codes)."""
SOME = 3
"""Kill points of each verb in the default suite; of faults it takes one request of a push and of a pull each."""
MAY_MISS = {"error in 200", *faults.LISTS}
"""One request of a push and of a pull may have an answer without a body, or an empty list: requests do not tell. Where
SeaweedFS is asked to write, all of these answers are empty: an error in a 200 is moto's to say."""
long = pytest.param(True, marks=pytest.mark.faults)


@dataclass
class Line:
    """Two clones of a project whose remotes lie behind a proxy, one prefix each."""

    owner: Lab
    guest: Path
    far: Far
    is_slow: bool = False
    stocked: dict[str, bytes] = field(default_factory=dict)
    _requests: dict[str, list[Exchange]] = field(default_factory=dict)

    def requests_of(self, verb: str, kind: str) -> int:
        """How many it takes, unharmed, that such a fault may strike."""
        if verb not in self._requests:
            self._requests[verb] = self.goes_on(verb, self.begin(verb), "unharmed")
        return sum(faults.may_strike(kind, request.verb, request.target) for request in self._requests[verb])

    def chosen(self, kind: str) -> Iterator[tuple[str, list[int]]]:
        """Verbs with those of their requests that meet this fault in the long form: all, but on a slow server; there,
        too, if it can be seen in the answers alone which of them it can strike."""
        counts = {verb: count for verb in COMMANDS if (count := self.requests_of(verb, kind))}
        for number, verb in enumerate(counts):
            whole = not self.is_slow or kind in MAY_MISS or number == faults.KINDS.index(kind) % len(counts)
            yield verb, some(counts[verb], whole)

    def begin(self, verb: str) -> Path:
        """A fresh remote, as ``verb`` should find it; returns where to type it."""
        if verb in ("push", "gc"):
            for left in (self.owner.root / ".git/lobsterdv").glob("index.db*"):
                left.unlink()  # it knows other prefixes with the same store id
        stock = {} if verb == "push" else dict(self.stocked)
        if verb == "repair":  # an object is gone, another is damaged
            gone, bad, *_ = sorted(key for key in stock if key.startswith("objects/"))
            del stock[gone]
            stock[bad] = stock[bad][:-1] + bytes([stock[bad][-1] ^ 1])
        prefix = self.far.turn(stock)
        root = self.guest if verb in ("fetch", "pull") else self.owner.root
        if root == self.guest:
            shutil.rmtree(root / ".git/lobsterdv", ignore_errors=True)
            shutil.rmtree(root / "d", ignore_errors=True)
            (root / "f.bin").unlink(missing_ok=True)
        config = self.owner.read(".lobsterdv.yaml").decode().split("remote:")[0]
        (root / ".lobsterdv.yaml").write_text(f"{config}remote: r\nremotes:\n  r:\n{self.far.fields(prefix)}")
        return root

    def judge(self, verb: str, root: Path, case: str, *, after_success: bool) -> None:
        """By the oracle: I2-I4. A remote that was damaged before its repair is whole after its success only."""
        if verb != "repair" or after_success:
            pointers = {name: self.owner.read(f"{name}.ldv.yaml") for name in ("d", "f.bin")}
            try:
                check_remote(self.far.remote(), pointers if after_success else {})
            except Wrong as error:
                raise AssertionError(f"{case}: {error}") from error
        check_cache(root / ".git/lobsterdv/cache")
        if verb == "pull" and after_success:
            for name in ("d", "f.bin"):
                assert picture(root / name) == picture(self.owner.path(name)), case

    def goes_on(self, verb: str, root: Path, case: str) -> list[Exchange]:
        """The same command again, over a line that is well: it succeeds and everything is there."""
        self.far.proxy.restart()
        said = self.far.type(COMMANDS[verb], root)
        if verb == "gc" and said.code == 6:  # who was killed has the lock still: it is refused until the lock is old
            assert said.errors == ["Busy"], (case, said)
            self.far.unlock()
            said = self.far.type(COMMANDS[verb], root)
        if verb == "repair" and said.code == 3:  # what it found and healed is exit 3; nothing is left to heal
            said = self.far.type(COMMANDS[verb], root)
        assert said.code == 0, (case, said)
        self.judge(verb, root, case, after_success=True)
        return list(self.far.proxy.exchanges)


@pytest.fixture(scope="module", params=["moto", pytest.param("seaweedfs", marks=pytest.mark.s3)])
def line(request: pytest.FixtureRequest, nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """One for all tests: each begins with a fresh prefix, and ends with a push or pull that is whole."""
    server: Server = request.getfixturevalue(request.param)
    folder = tmp_path_factory.mktemp("line")
    lab = Lab.create(folder / "lab", home=folder / "home")
    with proxy_to(server.endpoint_url) as proxy, pytest.MonkeyPatch.context() as patch:
        patch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1)
        lab.write("f.bin", os.urandom(600_000))
        lab.version("d", {str(n): f"{n}" * 99 for n in range(20)}, "one")
        lab.add("f.bin")
        lab.commit()
        guest = lab.clone(folder / "guest")
        guest.close()
        lab.project.close()
        env = {**lab.env, **Server("proxied", proxy.url, server.access_key, server.secret_key).environment}
        env |= {"LIFE_PID": str(folder / "pid"), "LIFE_PAGE": "1"}  # there are lists of two and three keys
        takes_any_part = request.param == "moto"  # SeaweedFS refuses those below 5 MiB
        if takes_any_part:
            env["LIFE_PARTS"] = "yes"
        far = Far(proxy, nursery, server, server.new_bucket(), env)
        made = Line(lab, guest.root, far, is_slow=request.param == "seaweedfs")
        root = made.begin("push")
        made.goes_on("push", root, "the first push")
        assert takes_any_part == any("uploadId=" in exchange.target for exchange in proxy.exchanges)
        made.stocked = made.far.remote()
        yield made


def some(count: int, whole: bool) -> list[int]:
    points = list(range(1, count + 1))
    return points if whole else points[:: -(-count // SOME)]


@pytest.mark.parametrize("whole", [False, long])
@pytest.mark.parametrize("verb", COMMANDS)
def test_killed_at_a_request(verb: str, whole: bool, line: Line, counters: Counters) -> None:
    root = line.begin(verb)
    requests = line.goes_on(verb, root, "unharmed")
    sent_in_all = sum(e.sent for e in requests if e.verb == "PUT" and "/objects/" in e.target)
    count, killed = len(requests), 0
    for point in some(count, whole):
        root = line.begin(verb)
        case = f"{verb} killed at request {point} of {count}"
        with counters.trying(f"kill -9 at an S3 request of {verb}") as attempt:
            said = line.far.ended_at(point, COMMANDS[verb], root, signal.SIGKILL)
            before = list(line.far.proxy.exchanges)
            attempt.times = int(said.code == -1)
            killed += attempt.times
            assert said.code in (-1, 0), (case, said)
            line.judge(verb, root, case, after_success=False)
            after = line.goes_on(verb, root, case)
        if verb == "push":
            there = sum(e.sent for e in before if e.is_done and e.verb == "PUT" and "/objects/" in e.target)
            again = sum(e.sent for e in after if e.verb == "PUT" and "/objects/" in e.target)
            assert again <= sent_in_all - there, case
    assert killed >= min(count, SOME) - 1


@pytest.mark.parametrize("whole", [False, long])
@pytest.mark.parametrize("verb", COMMANDS)
def test_interrupted_at_a_request(verb: str, whole: bool, line: Line, counters: Counters) -> None:
    count = len(line.goes_on(verb, line.begin(verb), "unharmed"))
    codes = set()
    for point in range(1, count + 1) if whole else [count // 2]:
        root = line.begin(verb)
        case = f"{verb} interrupted at request {point} of {count}"
        with counters.trying(f"Ctrl-C at an S3 request of {verb}"):
            said = line.far.ended_at(point, COMMANDS[verb], root, signal.SIGINT)
            codes.add(said.code)
            assert said.code in (130, 0, 3), (case, said)
            assert "Traceback" not in said.err + said.out, (case, said)
            line.judge(verb, root, case, after_success=said.code == 0)
            line.goes_on(verb, root, case)
    assert 130 in codes


def faulted(line: Line, verb: str, kind: str, first: int, times: int) -> tuple[Said, int, str]:
    """Do ``verb`` with so many faults from request ``first`` on, of those that they may strike. Returns how it ended,
    and the faults that struck."""
    root = line.begin(verb)
    case = f"{verb}, {kind} at request {first}, {times} times"
    turns = itertools.count(1)

    def fault(number: int, exchange: Exchange) -> str:
        strikes = faults.may_strike(kind, exchange.verb, exchange.target) and first <= next(turns) < first + times
        return kind if strikes else ""

    said, struck = line.far.faulted(fault, COMMANDS[verb], root)
    assert said.code in DOCUMENTED | {0}, (case, said)
    assert "Traceback" not in said.err + said.out, (case, said)
    assert "InternalError" not in [error["type"] for error in json.loads(said.out)["errors"]], (case, said)
    line.judge(verb, root, case, after_success=said.code == 0)
    if said.code or verb == "pull":
        line.goes_on(verb, root, case)
    return said, struck, case


def short(line: Line, kind: str) -> Iterator[tuple[str, list[int]]]:
    """One request of a push and of a pull: others for each kind."""
    for verb in ("push", "pull"):
        count = line.requests_of(verb, kind)
        yield verb, [1 + faults.KINDS.index(kind) * 3 % count] if count else []


@pytest.mark.parametrize("whole", [False, long])
@pytest.mark.parametrize("kind", faults.KINDS)
def test_a_fault_at_a_request(kind: str, whole: bool, line: Line, counters: Counters) -> None:
    """A success that is one, or an error that says so and that the same command gets over."""
    struck_in_all = absorbed = 0
    for verb, points in line.chosen(kind) if whole else short(line, kind):
        for first in points:
            with counters.trying(f"S3 fault, {kind}: absorbed, or told and gone on from") as attempt:
                said, struck, _ = faulted(line, verb, kind, first, times=1)
                attempt.times = struck
            struck_in_all += struck
            absorbed += bool(struck) and said.code == 0
    assert struck_in_all or (kind in MAY_MISS and not whole) or (kind == "error in 200" and line.is_slow)
    with counters.trying("S3 faults, of these absorbed", absorbed):
        pass


@pytest.mark.parametrize("whole", [False, long])
@pytest.mark.parametrize("kind", ["500", "reset before", "truncated", pytest.param("503", marks=pytest.mark.faults)])
def test_four_in_a_row(kind: str, whole: bool, line: Line, counters: Counters) -> None:
    """As many as there are attempts after the first: nobody notices."""
    met = 0
    for verb in ("push", "pull"):
        count = line.requests_of(verb, kind)
        for first in some(count, kind == "500" or not line.is_slow) if whole else [count // 2 or 1]:
            with counters.trying("S3 faults, four in a row: absorbed") as attempt:
                said, struck, case = faulted(line, verb, kind, first, times=4)
                assert said.code == 0, (case, said)
                attempt.times = int(struck == 4)
            met += attempt.times
    assert met
