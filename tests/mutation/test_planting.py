"""If these fail, `make mutants` counts faults as found that it never planted."""

from __future__ import annotations

import ast
import types
from typing import Any

import pytest

from tests.mutation.__main__ import table
from tests.mutation.planting import functions_in, mutants_of, planted
from tests.mutation.running import Told, swap_code

SOURCE = '''
class Scale:
    def weigh(self, a, b, observer=None):
        """Words."""
        observer and observer("x" * 3)
        if not a:
            raise ValueError("a" + "b")
        while a < 10 and b:
            a += 2
            continue
        return [a for c in (1,) if a == b or c in (True,)]

def words(n):
    return f"{n + 1}"
'''
TREE = ast.parse(SOURCE)
MUTANTS = list(mutants_of(TREE))


def compiled(tree: ast.Module) -> types.CodeType:
    return compile(tree, "scale.py", "exec", dont_inherit=True)


def test_what_is_planted() -> None:
    ways = [(mutant.line, mutant.way) for mutant in MUTANTS]
    assert (6, "condition") in ways and (6, "no not") in ways and (7, "leave out") in ways
    assert (8, "compare 0") in ways and (9, "leave out") in ways and (10, "break") in ways
    assert (11, "true/false") in ways and (11, "and/or") in ways and (11, "return nothing") in ways
    assert not [line for line, way in ways if line == 4 or (line == 7 and way == "operator")]
    assert [way for line, way in ways if line == 14] == ["return nothing"], "what only words is left alone"


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_each_is_another_program(mutant: Any) -> None:
    was = functions_in(compiled(TREE))
    now = functions_in(compiled(planted(TREE, mutant)))
    assert was.keys() == now.keys() == {("Scale.weigh", 3), ("words", 13)}
    assert sum(was[name] != now[name] for name in was) == 1


def test_code_is_swapped_where_it_is_known() -> None:
    space: dict[str, Any] = {}
    exec(compiled(TREE), space)
    known = space["Scale"]().weigh
    assert known(3, 0) == [3]
    (mutant,) = [m for m in MUTANTS if (m.line, m.way) == (11, "return nothing")]
    functions = [space["Scale"].weigh, space["words"]]
    assert swap_code(functions, compiled(planted(TREE, mutant))) == 1
    assert known(3, 0) is None


def test_the_score_is_of_what_anybody_could_notice() -> None:
    told = Told("lobsterdv/durable.py", all=9, planted=4, lived=["line 1: condition"], unreached=["line 1: condition"])
    lines = list(table([told]))
    assert lines[2] == "| `durable.py` | 9 | 4 | 3 | 0 | 1 | 75 % |"
    assert lines[-1] == "lived: lobsterdv/durable.py line 1: condition (no test reaches it)"
