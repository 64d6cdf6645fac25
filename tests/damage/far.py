"""A remote behind the proxy, a fresh prefix a turn, and commands that run in the nursery against it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.damage.killing import Nursery, Said
from tests.damage.proxy import Exchange, Proxy
from tests.server import Server

BEGIN = "tests.damage.wire_life:begin"


@dataclass
class Far:
    """``env`` is what the processes get; LIFE_PID in it names the file that tells the id of the last one."""

    proxy: Proxy
    nursery: Nursery
    server: Server
    bucket: str
    env: dict[str, str]
    turns: int = 0
    prefix: str = ""
    _seen: dict[str, bytes] = field(default_factory=dict)

    def turn(self, stock: Mapping[str, bytes]) -> str:
        """A fresh prefix with these values."""
        self.turns += 1
        self.prefix = f"turn-{self.turns}"
        for key, data in stock.items():
            self.server.client.put_object(Bucket=self.bucket, Key=f"{self.prefix}/{key}", Body=data)
        return self.prefix

    def fields(self, prefix: str) -> str:
        """The lines of a remote in ``.lobsterdv.yaml``."""
        fields = {
            "url": f"s3://{self.bucket}/{prefix}", "endpoint_url": self.proxy.url, "region": "us-east-1",
            "addressing": "path", "concurrency": "2", "read_timeout": "1",
        }  # fmt: skip
        return "".join(f'    {key}: "{value}"\n' for key, value in fields.items())

    def type(self, words: Sequence[str], root: Path) -> Said:
        (said,) = self.nursery.crowd([words], root, self.env, prepare=BEGIN, may_die=True)
        self.proxy.settle()
        return said

    def ended_at(self, point: int, words: Sequence[str], root: Path, how: signal.Signals) -> Said:
        """A killed process asks for nothing more; one that is interrupted may give back what it has."""

        def gate(number: int) -> bool:
            if number == point:
                os.kill(int(Path(self.env["LIFE_PID"]).read_text()), how)
            return number < point or how == signal.SIGINT

        self.proxy.restart(gate)
        return self.type(words, root)

    def faulted(self, fault: Callable[[int, Exchange], str], words: Sequence[str], root: Path) -> tuple[Said, int]:
        """How it ended, and how many faults struck."""
        self.proxy.restart()
        self.proxy.fault = fault
        said = self.type(words, root)
        return said, sum(bool(exchange.fault) for exchange in self.proxy.exchanges)

    def remote(self, prefix: str = "") -> dict[str, bytes]:
        """What is there now. Bytes with an etag that was seen before are those that were read then."""
        client, prefix = self.server.client, prefix or self.prefix
        found = {}
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=f"{prefix}/"):
            for entry in page.get("Contents", []):
                if entry["ETag"] not in self._seen:
                    body = client.get_object(Bucket=self.bucket, Key=entry["Key"])["Body"].read()
                    self._seen[entry["ETag"]] = body
                found[entry["Key"].removeprefix(f"{prefix}/")] = self._seen[entry["ETag"]]
        return {key: data for key, data in found.items() if not key.startswith(("locks/", "marks/"))}

    def unlock(self) -> None:
        """Whoever was killed has its locks still, for an hour."""
        page = self.server.client.list_objects_v2(Bucket=self.bucket, Prefix=f"{self.prefix}/locks/")
        for entry in page.get("Contents", []):
            self.server.client.delete_object(Bucket=self.bucket, Key=entry["Key"])
