"""What each command asks of S3: every request, counted by kind, in one story (``recorded_story``) told to moto.

``python -m tests.recorder --write docs/s3.md`` writes the table; ``--check`` compares it.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import botocore.client

from tests.recorded_story import PREFIX, tell
from tests.server import Server, moto_server

BEGIN, END = "<!-- requests: begin (made by tests/recorder.py) -->", "<!-- requests: end -->"


@dataclass(frozen=True, order=True)
class Request:
    """``where`` is the kind of key: the first part below the remote's prefix, or the bucket; of another bucket than
    the remote's with its name before it."""

    operation: str
    where: str
    has_version: bool = False


@dataclass
class Recorder:
    """The requests of each command, by its label, in the order in which they were first typed. ``others`` are buckets
    besides the remote's, and what they are called."""

    bucket: str
    others: dict[str, str] = field(default_factory=dict)
    seen: dict[str, Counter[Request]] = field(default_factory=dict)
    outside: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    label: str = ""

    def note(self, operation: str, parameters: Mapping[str, Any]) -> None:
        if not self.label:
            return
        key = str(parameters.get("Key", parameters.get("Prefix", "")))
        if operation == "GetCallerIdentity":
            return  # of another service, and allowed to everybody
        if "Key" in parameters and not key.startswith(f"{PREFIX}/"):
            self.outside.append((operation, parameters))
        where = key.removeprefix(f"{PREFIX}/").split("/")[0] if "/" in key else ""
        if where.startswith("selftest-"):
            where = "selftest-…"
        other = self.others.get(str(parameters.get("Bucket")))
        where = ("files" if "Key" in parameters else "") if other == "logs" else where
        where = where or "the bucket"
        where = f"{other}: {where}" if other else where
        self.seen[self.label][Request(operation, where, "VersionId" in parameters)] += 1


@contextmanager
def recording(recorder: Recorder) -> Iterator[None]:
    """Hear of every request of every client in this process, as it is asked for: retries count once."""
    real = botocore.client.BaseClient._make_api_call

    def heard(self: Any, operation_name: str, api_params: Any) -> Any:
        recorder.note(operation_name, api_params)
        return real(self, operation_name, api_params)

    with patch.object(botocore.client.BaseClient, "_make_api_call", heard):
        yield


def record(server: Server, folder: Path) -> Recorder:
    """The story. ``server`` is a moto server of this process."""
    with ExitStack() as stack:
        environment = server.environment | {
            "HOME": str(folder), "PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@lab",
            "GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@lab", "LOBSTERDV_JOBS": "2",
        }  # fmt: skip
        stack.callback(os.chdir, os.getcwd())
        stack.enter_context(patch.dict(os.environ, environment, clear=True))
        recorder = Recorder("requests-of-each-command")
        stack.enter_context(recording(recorder))
        tell(server, folder, recorder)
        assert not recorder.outside, recorder.outside
        return recorder


def table(recorder: Recorder) -> str:
    """Markdown: a row a command."""
    lines = ["| command | requests | which |", "|---|---|---|"]
    for label, seen in recorder.seen.items():
        if not seen:
            continue
        kinds: dict[str, dict[str, int]] = {}
        for request, times in sorted(seen.items()):
            kinds.setdefault(request.operation + (" (a version)" if request.has_version else ""), {})[request.where] = (
                times
            )
        told = "; ".join(
            f"{operation} {', '.join(f'{where} {times}' for where, times in places.items())}"
            for operation, places in kinds.items()
        )
        lines.append(f"| `{label}` | {sum(seen.values())} | {told} |")
    silent = ", ".join(f"`{label}`" for label, seen in recorder.seen.items() if not seen)
    lines.append(f"| {silent} | 0 | |")
    return "\n".join(lines)


def replaced(document: str, recorder: Recorder) -> str:
    head, begin, rest = document.partition(BEGIN)
    _, end, tail = rest.partition(END)
    assert begin and end, "the document has no place for the table"
    return f"{head}{BEGIN}\n{table(recorder)}\n{END}{tail}"


def main(args: list[str]) -> int:
    with tempfile.TemporaryDirectory() as folder, moto_server() as server:
        recorder = record(server, Path(folder))
    match args:
        case []:
            sys.stdout.write(table(recorder) + "\n")
            return 0
        case ["--write", name]:
            Path(name).write_text(replaced(Path(name).read_text(), recorder))
            return 0
        case ["--check", name]:
            return int(replaced(Path(name).read_text(), recorder) != Path(name).read_text())
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
