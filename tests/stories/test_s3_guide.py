"""docs/s3.md: whoever types its commands in order must get what it says. moto plays the server."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from botocore.session import get_session

from lobsterdv.stores.bucket import probing
from tests.cli.conftest import Desk, desk
from tests.server import Server

__all__ = ["desk"]
TEXT = (Path(__file__).parents[2] / "docs/s3.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+)\n((?:(?!^## ).*\n)*)", TEXT, re.MULTILINE))
RUN = ("From an account to a first shared dataset", "Policies", "Doctor")


def commands(section: str) -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```", SECTIONS[section], re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line]


def aws(folder: Path, service: str, operation: str, *options: str) -> Any:
    """What the AWS tools would do, which are not installed here."""
    given = dict(zip(options[::2], options[1::2], strict=True))
    client: Any = get_session().create_client(service, region_name="us-east-1")
    arguments = {}
    for name, value in given.items():
        key = "".join(word.title() for word in name.removeprefix("--").split("-"))
        arguments[key] = (folder / value.removeprefix("file://")).read_text() if value.startswith("file://") else value
    try:
        return getattr(client, operation.replace("-", "_"))(**arguments)
    finally:
        client.close()


def type_in(desk: Desk, line: str) -> str:
    words = shlex.split(line)
    target = words[words.index(">") + 1] if ">" in words else ""
    words = words[: words.index(">")] if target else words
    if words[0] == "git":
        return desk.git(*words[1:])
    if words[0] == "aws":
        return json.dumps(aws(desk.here, *words[1:]), default=str)
    assert words[0] == "lobsterdv", line
    printed = desk.ldv(*words[1:])
    if target:
        (desk.here / target).write_text(printed.out)
    return printed.out


def test_the_guide_from_an_account_to_shared_data(desk: Desk, moto: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in moto.environment.items():
        monkeypatch.setenv(name, value)
    desk.write("counts.csv", "1,2\n" * 1000)
    said = {line: type_in(desk, line) for section in RUN for line in commands(section)}
    assert (desk.here.parent / "colleague/counts.csv").read_text() == "1,2\n" * 1000
    (made,) = [out for line, out in said.items() if line.startswith("aws iam create-policy")]
    assert json.loads(made)["Policy"]["PolicyName"] == "lab-writer"
    assert len(said) == 17, "no block of the guide was passed over"
    client = moto.client
    assert client.get_bucket_versioning(Bucket="kessler-lab-data")["Status"] == "Enabled"
    assert not client.list_objects_v2(Bucket="kessler-lab-data", Prefix=f"atlas/{probing.PREFIX}")["KeyCount"]


def test_every_command_of_the_prose_is_one(desk: Desk) -> None:
    from lobsterdv.cli.main import COMMANDS
    from lobsterdv.cli.remotes import remote_command

    for section in (*RUN, "Requests of each command"):
        for words in re.findall(r"`(remote [a-z]+)[` ]", SECTIONS[section]):
            assert words.split()[1] in remote_command.commands, words
        for word in re.findall(r"`lobsterdv ([a-z]+)", SECTIONS[section]):
            assert word in COMMANDS
