"""remote doctor's second part: what may be done there, and what the server does, found out by doing it below
``probe/``."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

from lobsterdv.errors import Denied, LobsterError
from lobsterdv.ops.doctor import Finding, State
from lobsterdv.stores.bucket import probing
from lobsterdv.stores.bucket.asking import Unsupported, reason
from lobsterdv.stores.bucket.probing import Algorithm
from lobsterdv.stores.capabilities import Capabilities, Checking
from lobsterdv.stores.s3_calls import S3Calls

_SLOW: Final = 1e6  # bytes a second
_FAR_S: Final = 0.3
_CHECKING: Final[dict[Checking, str]] = {
    "verified": "a wrong one is refused",
    "taken": "taken, and a wrong one too: nothing is compared",
    "refused": "not known there: lobsterdv goes on without",
}


def probe_findings(calls: S3Calls, name: str, *, now: Callable[[], float], into: list[Finding]) -> Capabilities:
    """Append findings on each permission and each thing that servers do or do not do. What was learnt."""
    probes = _Probes(calls, name, into)
    if probes.may_write():
        probes.reading()
        probes.conditions()
        for algorithm in ("CRC32", "CRC64NVME", "XXHASH128"):
            probes.checksum(algorithm)
        probes.parts()
        probes.speed(now)
        probes.removing()
    probes.versions()
    return probes.learnt


@dataclass
class _Probes:
    calls: S3Calls
    name: str
    into: list[Finding]
    learnt: Capabilities = field(default_factory=Capabilities)

    def may_write(self) -> bool:
        try:
            probing.write(self.calls)
        except Denied as error:
            detail = f"{error.action} is denied: you can pull and not push, and the rest needs a write to try"
            self._add("write", "warning", detail, self._role("writer"))
            return False
        except LobsterError as error:
            self._add("write", "failed", str(error), self._again())
            return False
        self._add("write", "ok", "s3:PutObject")
        return True

    def reading(self) -> None:
        try:
            whole, ranged = probing.read(self.calls), probing.read_range(self.calls)
        except LobsterError as error:
            self._add("read", "failed", reason(error), self._role("reader"))
            return
        self.learnt = replace(self.learnt, ranges=ranged)
        if whole:
            self._add("read", "ok", "s3:GetObject")
        else:
            self._add("read", "failed", "other bytes come back than were sent", self._again())
        wrong = "other bytes come back than were asked for: files cannot be read in part"
        self._add("ranged reads", "ok" if ranged else "failed", "a range holds its bytes" if ranged else wrong)

    def conditions(self) -> None:
        try:
            kept = probing.keeps_existing(self.calls)
        except LobsterError as error:
            self._add("conditional writes", "unknown", reason(error))
            return
        self.learnt = replace(self.learnt, conditional_put=kept)
        no = "not done here: an existing value is written again. lobsterdv does not rely on it"
        self._add("conditional writes", "ok", "an existing value is kept" if kept else no)

    def checksum(self, algorithm: Algorithm) -> None:
        label = f"checksum {algorithm}"
        try:
            found = probing.checksum(self.calls, algorithm)
        except LobsterError as error:
            self._add(label, "unknown", reason(error))
            return
        if algorithm == "CRC32":
            self.learnt = replace(self.learnt, crc32=found)
        elif algorithm == "CRC64NVME":
            self.learnt = replace(self.learnt, crc64nvme=found)
        else:
            self.learnt = replace(self.learnt, xxhash128=found)
        if not found:
            self._add(label, "unknown", "this boto3 does not know it", "pip install -U boto3")
        elif algorithm == "CRC32" and found != "verified":
            self._add(label, "warning", f"{_CHECKING[found]}. Whatever comes back is hashed here all the same")
        else:
            self._add(label, "ok", _CHECKING[found])

    def parts(self) -> None:
        try:
            probing.send_parts(self.calls)
        except Unsupported as error:
            self.learnt = replace(self.learnt, multipart=False)
            self._add("multipart", "failed", f"{error}: large files cannot be pushed", self._again())
        except LobsterError as error:
            self._add("multipart", "failed", reason(error), self._role("writer"))
        else:
            self.learnt = replace(self.learnt, multipart=True)
            self._add("multipart", "ok", "begun, listed, made whole, given up")

    def speed(self, now: Callable[[], float]) -> None:
        try:
            found = probing.measure(self.calls, now)
        except LobsterError as error:
            self._add("speed", "unknown", reason(error))
            return
        detail = f"{found.latency * 1000:.0f} ms a request, the median of 5"
        if found.latency < _FAR_S:
            self._add("latency", "ok", detail)
        else:
            self._add("latency", "warning", f"{detail}: the server is far away, or busy")
        detail = f"{found.up / 1e6:.1f} MB/s up, {found.down / 1e6:.1f} MB/s down, in one connection"
        if min(found.up, found.down) >= _SLOW:
            self._add("throughput", "ok", detail)
        else:
            self._add("throughput", "warning", f"{detail}: slow", "lobsterdv push -j 32   (more connections at once)")

    def removing(self) -> None:
        try:
            probing.remove(self.calls)
        except Denied:
            left = f"denied, as it should be for writers: {', '.join(probing.KEYS)} stay. Only gc and forget delete"
            self._add("delete", "ok", left)
        except LobsterError as error:
            self._add("delete", "unknown", reason(error))
        else:
            self._add("delete", "ok", "s3:DeleteObject: you can run remote gc and forget")

    def versions(self) -> None:
        """Learns quietly; the protections tell."""
        with suppress(LobsterError):
            self.learnt = replace(self.learnt, versioning=probing.keeps_versions(self.calls))

    def _add(self, name: str, state: State, detail: str, fix: str = "") -> None:
        self.into.append(Finding(name, state, detail, fix))

    def _role(self, role: str) -> str:
        return f"lobsterdv remote policy {self.name} --role {role}   (for whoever may give it)"

    def _again(self) -> str:
        return f"lobsterdv selftest --remote {self.name}"
