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

from lobsterdv.formats.remote_settings import REMOTE_KEYS
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
    "From an account to a first shared dataset", "Encryption", "Settings of a remote", "Policies", "Doctor",
    "Many remotes", "Replication", "Logs",
)  # fmt: skip
DATA, COPY = "kessler-lab-data", "kessler-lab-copy"


def commands(section: str) -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```", SECTIONS[section], re.MULTILINE | re.DOTALL)
    return [re.split(r" +# ", line)[0] for block in blocks for line in block.splitlines() if line]


def test_no_block_of_the_guide_is_left_untyped() -> None:
    with_commands = {name for name in SECTIONS if "```" in SECTIONS[name]}
    assert with_commands == {"", *RUN, "Bench", *TIERS}, "a section's commands are typed by no test"
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
    """As a shell would, as far as the guide goes: ``>`` and ``$(jq …)``."""
    line = re.sub(r"\$\((.*?)\)", lambda inner: type_in(desk, inner[1]), line)
    words = shlex.split(line)
    target = words[words.index(">") + 1] if ">" in words else ""
    words = words[: words.index(">")] if target else words
    match words:
        case ["git", *rest]:
            out = desk.git(*rest)
        case ["aws", *rest]:
            out = json.dumps(aws(desk.here, *rest), default=str)
        case ["jq", "-r", path, file]:
            out = json.loads((desk.here / file).read_text())
            for name in path.split(".")[1:]:
                out = out[name]
        case ["lobsterdv", *rest]:
            out = desk.ldv(*rest).out
        case _:
            raise AssertionError(line)
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
    assert sum(len(commands(section)) for section in RUN) == 47 and len(said) == 46, "one of them twice"
    assert (desk.here.parent / "colleague/counts.csv").read_text() == "1,2\n" * 1000
    (made,) = [out for line, out in said.items() if line.startswith("aws iam create-policy")]
    assert json.loads(made)["Policy"]["PolicyName"] == "lab-writer"
    assert "kms:GenerateDataKey" in said["lobsterdv remote policy patients --role writer"]
    (rule,) = moto.client.get_bucket_encryption(Bucket="kessler-lab-patients")["ServerSideEncryptionConfiguration"][
        "Rules"
    ]
    assert rule["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"] == "alias/kessler"
    assert moto.client.get_bucket_versioning(Bucket=DATA)["Status"] == "Enabled"
    assert not moto.client.list_objects_v2(Bucket=DATA, Prefix=f"atlas/{probing.PREFIX}")["KeyCount"]
    assert "backup" in said["lobsterdv remote sync lab backup"] and keys(moto, COPY) == keys(moto, DATA)
    assert re.search(rf"{COPY} lacks 0 of \d+ keys", said[f"lobsterdv remote replicate lab --to s3://{COPY} --verify"])
    logs = said["lobsterdv remote logs lab --since 30d"]
    assert re.search(r"counts\.csv +\d+ requests", logs) and "user/ada" in logs
    (read,) = json.loads(said["lobsterdv remote logs lab --file access.log --json"])["report"]["datasets"]
    assert read["name"] == "counts.csv" and read["reads"] > 0


def test_the_measurements(desk: Desk, moto: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """As they are typed, of less data and once; of S3 where a line before the server is asked for, for a folder has
    none, and is quicker."""
    from anndata import AnnData
    from scipy.sparse import csr_matrix

    for name, value in moto.environment.items():
        monkeypatch.setenv(name, value)
    desk.ldv("init", "--yes")
    desk.ldv("remote", "add", "lab", str(desk.here.parent / "disk"))
    desk.ldv("remote", "add", "s3", f"s3://{moto.new_bucket()}/atlas")
    AnnData(csr_matrix((30, 20), dtype="float32")).write_h5ad(desk.here / "counts.h5ad")
    typed = commands("Bench")
    for line in typed:
        more = [] if "counts.h5ad" in line else ["--size", "20kB"]
        more += ["--remote", "s3"] if "--bandwidth" in line else []
        assert "Write" in desk.ldv(*shlex.split(line)[1:], *more, "--repeat", "1").out or "--json" in line
    assert len(typed) == 4


def test_every_setting_of_a_remote_is_in_the_table() -> None:
    rows = re.findall(r"^\| (`.*?) \|", SECTIONS["Settings of a remote"], re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(.*?)`", row)} == set(REMOTE_KEYS) - {"url"}


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
