"""The reference part of docs/cli.md, made from the program itself: help texts, reports, errors.

``python -m lobsterdv.cli.reference`` prints it; ``--check FILE`` says whether FILE holds it as it is now,
``--write FILE`` puts it there, between two marker lines.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import click

from lobsterdv import errors
from lobsterdv.cli.jsonout import shown_fields
from lobsterdv.cli.main import COMMANDS, TASKS, cli
from lobsterdv.cli.options import Verb
from lobsterdv.digest import Digest

BEGIN: Final = "<!-- from here on made by `python -m lobsterdv.cli.reference --write docs/cli.md` -->"
END: Final = "<!-- made until here -->"
_WIDTH: Final = 92
_WORDS: Final[Mapping[Any, str]] = {
    str: "text",
    int: "integer",
    float: "number",
    bool: "true | false",
    type(None): "null",
    Path: "absolute path",
    Digest: '"blake3:<64 hex>"',
}


def reference() -> str:
    """The whole generated part, markers included."""
    parts = [BEGIN, "", "## Commands", ""]
    for task in TASKS:
        names = [f"[`{name}`](#lobsterdv-{name})" for name, row in COMMANDS.items() if row.task == task]
        parts.append(f"- {task}: {', '.join(names)}")
    parts += ["", "### lobsterdv", "", *_fenced(_help(cli, []))]
    for path, command in commands():
        parts += ["", f"### lobsterdv {' '.join(path)}", "", *_fenced(_help(command, path))]
        if isinstance(command, Verb):
            parts += ["", "`report` of its JSON document:", "", *_fenced(shape(report_of(command)))]
    return "\n".join([*parts, "", *_errors(), "", END, ""])


def commands() -> Iterator[tuple[list[str], click.Command]]:
    """Every command and subcommand with its path, in the order of ``--help``."""
    context = click.Context(cli, info_name="lobsterdv")
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        yield [name], command
        if isinstance(command, click.Group):
            yield from _below([name], command)


def _below(path: list[str], group: click.Group) -> Iterator[tuple[list[str], click.Command]]:
    for name, command in sorted(group.commands.items()):
        yield [*path, name], command
        if isinstance(command, click.Group):
            yield from _below([*path, name], command)


def report_of(command: Verb) -> type[Any]:
    """The dataclass that a command's JSON document shows."""
    module, _, name = command.report.partition(":")
    found = getattr(import_module(module), name)
    assert isinstance(found, type)
    return found


def shape(kind: Any, indent: str = "") -> str:
    """A type as the JSON it becomes, in words."""
    if kind in _WORDS:
        return _WORDS[kind]
    origin, args = get_origin(kind), get_args(kind)
    if origin is Literal:
        return " | ".join(f'"{value}"' for value in args)
    if origin in (Union, types.UnionType):
        if {list, dict} <= {get_origin(arg) for arg in args}:
            return "any JSON"
        return " | ".join(dict.fromkeys(shape(arg, indent) for arg in args))
    if origin in (list, Sequence, tuple, set, frozenset):
        return f"[{shape(args[0], indent)}, …]"
    if origin in (dict, Mapping):
        return f"{{text: {shape(args[1], indent)}, …}}"
    if is_dataclass(kind) and isinstance(kind, type):
        hints = get_type_hints(kind)
        inner = indent + "  "
        rows = [f'{inner}"{name}": {shape(hints[name], inner)}' for name in shown_fields(kind)]
        return "{\n" + ",\n".join(rows) + f"\n{indent}}}"
    return "any JSON"


def leaves() -> list[type[errors.LobsterError]]:
    """The error classes, in the order of ``errors.__all__``."""
    found: list[type[errors.LobsterError]] = [getattr(errors, name) for name in errors.__all__]
    return [value for value in found if is_dataclass(value)]


def _errors() -> list[str]:
    lines = ["## Errors", "", "| `type` | exit | `facts` |", "|---|---|---|"]
    for kind in leaves():
        assert is_dataclass(kind)
        names = ", ".join(f"`{f.name}`" for f in fields(kind))
        lines.append(f"| `{kind.__name__}` | {kind.exit_code} | {names} |")
    return lines


def _help(command: click.Command, path: Sequence[str]) -> str:
    parent = click.Context(cli, info_name=" ".join(["lobsterdv", *path[:-1]])) if path else None
    settings = {**command.context_settings, "terminal_width": _WIDTH, "max_content_width": _WIDTH}
    name = path[-1] if path else "lobsterdv"
    context = click.Context(command, info_name=name, parent=parent, **settings)
    return "\n".join(line.rstrip() for line in command.get_help(context).splitlines())


def _fenced(text: str) -> list[str]:
    return ["```text", text, "```"]


def replaced(document: str) -> str:
    """A document with its generated part made anew."""
    head, begin, rest = document.partition(BEGIN)
    _, end, tail = rest.partition(END + "\n")
    if not begin or not end:
        return document.rstrip() + "\n\n" + reference()
    return head + reference() + tail


def main(args: Sequence[str]) -> int:
    match args:
        case []:
            print(reference(), end="")
            return 0
        case ["--write", name]:
            path = Path(name)
            path.write_text(replaced(path.read_text(encoding="utf-8")), encoding="utf-8")
            return 0
        case ["--check", name]:
            if reference() in Path(name).read_text(encoding="utf-8"):
                return 0
            print(f"{name} is out of date: python -m lobsterdv.cli.reference --write {name}", file=sys.stderr)
            return 1
    print("usage: python -m lobsterdv.cli.reference [--check FILE | --write FILE]", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
