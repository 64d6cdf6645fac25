"""Statements as Terraform writes them. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

from lobsterdv.stores.bucket.policies import Statement


def as_terraform(found: Sequence[Statement], name: str) -> str:
    """A policy document and an ``aws_iam_policy`` made of it, both called ``name`` with what Terraform takes for it."""
    label = re.sub(r"[^A-Za-z0-9_]", "_", name)
    lines = [f'data "aws_iam_policy_document" "{label}" {{']
    for statement in found:
        lines += ["  statement {", f"    sid       = {_text(statement.sid)}"]
        lines += [f"    effect    = {_text(statement.effect)}"]
        lines += [*_list("actions", statement.actions), *_list("resources", statement.resources)]
        for operator, key, values in statement.conditions:
            lines += ["    condition {", f"      test     = {_text(operator)}", f"      variable = {_text(key)}"]
            lines += [f"      values   = [{', '.join(map(_text, values))}]", "    }"]
        lines.append("  }")
    lines += ["}", "", f'resource "aws_iam_policy" "{label}" {{', f"  name   = {_text(name)}"]
    lines += [f"  policy = data.aws_iam_policy_document.{label}.json", "}"]
    return "\n".join(lines)


def _list(name: str, values: Sequence[str]) -> Iterator[str]:
    if len(values) == 1:
        yield f"    {name.ljust(9)} = [{_text(values[0])}]"
        return
    yield f"    {name} = ["
    yield from (f"      {_text(value)}," for value in values)
    yield "    ]"


def _text(value: str) -> str:
    """A string of HCL, in which ``${`` and ``%{`` would be expressions."""
    return json.dumps(value).replace("${", "$${").replace("%{", "%%{")
