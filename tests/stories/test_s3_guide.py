"""docs/s3.md: whoever types its commands in order must get what it says. moto plays the server."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest
from botocore.session import get_session

from lobsterdv.stores.bucket import probing
from tests.cli.conftest import Desk, desk
from tests.server import Server
from tests.stories.amazon import Log, keys, logging
from tests.stories.test_tiers_of_a_remote import TITLES as TIERS

__all__ = ["desk"]
TEXT = (Path(__file__).parents[2] / "docs/s3.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+)\n((?:(?!^## ).*\n)*)", TEXT, re.MULTILINE))
SECTIONS[""] = TEXT.partition("\n## ")[0]
RUN = (
    "From an account to a first shared dataset", "Settings of a remote", "Policies", "Doctor", "Many remotes",
    "Replication", "Logs",
)  # fmt: skip
DATA, COPY = "kessler-lab-data", "kessler-lab-copy"


def commands(section: str) -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```", SECTIONS[section], re.MULTILINE | re.DOTALL)
    return [re.split(r" +# ", line)[0] for block in blocks for line in block.splitlines() if line]


def test_no_block_of_the_guide_is_left_untyped() -> None:
    with_commands = {name for name in SECTIONS if "```" in SECTIONS[name]}
    assert with_commands == {"", *RUN, *TIERS}, "a section's commands are typed by no test"
    assert TEXT.count("\n```sh\n") * 2 == TEXT.count("\n```"), "a block that is not marked as commands"


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
    if words[0] == "jq":
        out = json.loads((desk.here / words[3]).read_text())
        for name in words[2].split(".")[1:]:
            out = out[name]
    else:
        assert words[0] == "lobsterdv", line
        out = desk.ldv(*words[1:]).out
    if target:
        (desk.here / target).write_text(out)
    return str(out)


def test_how_a_remote_is_added(desk: Desk) -> None:
    desk.ldv("init", "--yes")
    for line in commands(""):
        type_in(desk, line)
    rows = {row["name"]: row for row in desk.json("remote", "list")["report"]["remotes"]}
    assert rows["lab"]["url"] == f"s3://{DATA}/atlas" and rows["uni"]["settings"]["addressing"] == "path"


def test_the_guide_from_an_account_to_shared_data(desk: Desk, moto: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it in order, in one project. What S3 does by itself (copies, logs) is done for it where it would be."""
    monkeypatch.setattr(probing, "LARGE_BYTES", 1 << 10)
    for name, value in moto.environment.items():
        monkeypatch.setenv(name, value)
    desk.write("counts.csv", "1,2\n" * 1000)
    log, said = Log(DATA, "arn:aws:iam::123456789012:user/ada"), {}
    with logging(log):
        for section in RUN:
            for line in commands(section):
                if line.endswith("--since 30d"):
                    desk.write("access.log", log.deliver(moto))
                said[line] = type_in(desk, line)
    assert sum(len(commands(section)) for section in RUN) == 41 and len(said) == 40, "one of them twice"
    assert (desk.here.parent / "colleague/counts.csv").read_text() == "1,2\n" * 1000
    (made,) = [out for line, out in said.items() if line.startswith("aws iam create-policy")]
    assert json.loads(made)["Policy"]["PolicyName"] == "lab-writer"
    assert moto.client.get_bucket_versioning(Bucket=DATA)["Status"] == "Enabled"
    assert not moto.client.list_objects_v2(Bucket=DATA, Prefix=f"atlas/{probing.PREFIX}")["KeyCount"]
    assert "backup" in said["lobsterdv remote sync lab backup"] and keys(moto, COPY) == keys(moto, DATA)
    assert re.search(rf"{COPY} lacks 0 of \d+ keys", said[f"lobsterdv remote replicate lab --to s3://{COPY} --verify"])
    logs = said["lobsterdv remote logs lab --since 30d"]
    assert re.search(r"counts\.csv +\d+ requests", logs) and "user/ada" in logs
    (read,) = json.loads(said["lobsterdv remote logs lab --file access.log --json"])["report"]["datasets"]
    assert read["name"] == "counts.csv" and read["reads"] > 0


def test_every_command_of_the_prose_is_one() -> None:
    """With options that it has, whole or in part, in the text, tables and lists of the guide."""
    from lobsterdv.cli.main import COMMANDS, cli

    text = re.sub(r"^```sh\n.*?^```", "", TEXT.partition("<!-- requests")[0] + TEXT.partition("requests: end -->")[2],
                  flags=re.MULTILINE | re.DOTALL)  # fmt: skip
    found = 0
    for quoted in re.findall(r"`([^`\n]+)`", text):
        words = quoted.removeprefix("lobsterdv ").split()
        if words[0] not in COMMANDS or (len(words) == 1 and not quoted.startswith("lobsterdv ")):
            continue
        command: click.Command | None = cli
        with click.Context(cli) as context:
            while isinstance(command, click.Group) and words and not words[0].startswith("-"):
                command = command.get_command(context, words.pop(0))
        assert command is not None, quoted
        known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        for word in words:
            assert not word.startswith("-") or word.partition("=")[0] in known, (quoted, word)
        found += 1
    assert found > 40
