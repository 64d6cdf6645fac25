"""docs/safety.md may promise only what a test proves. If this fails, a promise has lost its proof."""

from __future__ import annotations

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parent
TEXT = (TESTS.parent / "docs/safety.md").read_text(encoding="utf-8")
PROOFS = re.findall(r"`([\w/]+\.py)::(\w+)`", TEXT)
ADVERSARIES = (
    "Crash and power loss", "Full disk", "A bucket reader", "A bucket writer", "A bucket deleter",
    "A hostile git contributor", "A hostile cache co-tenant", "A network attacker", "A compromised client",
    "Others at the same time", "A network and a server that fail", "Consent that is withdrawn",
)  # fmt: skip


def test_every_proof_exists() -> None:
    assert len(PROOFS) > 30
    for name, function in PROOFS:
        tree = ast.parse((TESTS / name).read_text(encoding="utf-8"))
        assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, (name, function)


def test_every_promise_names_its_proof() -> None:
    sections = dict(re.findall(r"^## (.+)\n((?:(?!^## ).*\n)*)", TEXT, re.MULTILINE))
    for adversary in ADVERSARIES:
        assert any(title.startswith(adversary) for title in sections), adversary
    for title, body in sections.items():
        for promised in re.findall(r"^Promised.*?(?=^Not promised|\Z)", body, re.MULTILINE | re.DOTALL):
            for line in re.split(r"^- ", promised, flags=re.MULTILINE)[1:] or [promised]:
                assert re.search(r"`[\w/]+\.py::\w+`", line), (title, line)
