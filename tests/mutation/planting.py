"""Small faults of a module's functions: comparisons, conditions, numbers, operators and statements that are other than
they were. What only words an error or tells an observer is left alone, and what is no code of a function (constants,
fields, signatures)."""

from __future__ import annotations

import ast
import copy
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

SWAPS: Final[dict[type[ast.AST], type[ast.AST]]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}  # fmt: skip
SILENT: Final = {"observer", "observe", "_observer", "tell", "progress", "Warned", "Started", "Advanced", "Finished"}
"""Calls by such names tell, and do nothing."""
Functions = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Mutant:
    """``number`` is that of its node, in the order of ``ast.walk``; ``way`` is what is done to it. ``statement`` is the
    first line of the statement that ``line`` is of."""

    line: int
    statement: int
    number: int
    way: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.way}"


def mutants_of(tree: ast.Module) -> Iterator[Mutant]:
    numbers = {id(node): number for number, node in enumerate(ast.walk(tree))}
    for top in tree.body:
        for function in [top, *(top.body if isinstance(top, ast.ClassDef) else [])]:
            if isinstance(function, Functions):
                for statement in function.body:
                    for node, first in _code(statement, statement.lineno):
                        for way in _ways(node):
                            yield Mutant(getattr(node, "lineno", first), first, numbers[id(node)], way)


def _code(node: ast.AST, first: int) -> Iterator[tuple[ast.AST, int]]:
    """``node`` and what is below it, without words; each with the first line of its statement."""
    first = node.lineno if isinstance(node, ast.stmt) else first
    if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Call) and _name(node.func) in SILENT):
        return
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return
    yield node, first
    if isinstance(node, ast.Raise):  # what it says is not looked at
        return
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "args" if isinstance(node, Functions) else ""):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _code(child, first)


def _name(function: ast.expr) -> str:
    return (
        function.id if isinstance(function, ast.Name) else function.attr if isinstance(function, ast.Attribute) else ""
    )


def _ways(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Compare():
            for at, op in enumerate(node.ops):
                if type(op) in SWAPS:
                    yield f"compare {at}"
        case ast.BoolOp():
            yield "and/or"
        case ast.BinOp() if type(node.op) in SWAPS:
            yield "operator"
        case ast.AugAssign():
            yield "leave out"
            if type(node.op) in SWAPS:
                yield "operator"
        case ast.UnaryOp(op=ast.Not()):
            yield "no not"
        case ast.If() | ast.While() | ast.IfExp():
            yield "condition"
        case ast.Constant(value=bool()):
            yield "true/false"
        case ast.Constant(value=int()):
            yield "one more"
        case ast.Raise() | ast.Delete() | ast.Expr(value=ast.Call()):
            if not (
                isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and _name(node.value.func) in SILENT
            ):
                yield "leave out"
        case ast.Continue():
            yield "break"
        case ast.Return(value=ast.expr()) if not (
            isinstance(node.value, ast.Constant) and node.value.value in (None, False)
        ):
            yield "return nothing"
        case _:
            return


def planted(tree: ast.Module, mutant: Mutant) -> ast.Module:
    """A copy with the fault in it."""
    made = copy.deepcopy(tree)
    node = next(node for number, node in enumerate(ast.walk(made)) if number == mutant.number)
    what, _, at = mutant.way.partition(" ")
    change: dict[str, Callable[[], ast.AST | None]] = {
        "leave out": ast.Pass, "break": ast.Break, "return nothing": lambda: ast.Return(ast.Constant(None)),
        "no not": lambda: getattr(node, "operand", None),
    }  # fmt: skip
    if mutant.way in change:
        new = change[mutant.way]()
        assert new is not None
        return ast.fix_missing_locations(_Swap(node, ast.copy_location(new, node)).visit(made))
    if what == "compare":
        assert isinstance(node, ast.Compare)
        node.ops[int(at)] = SWAPS[type(node.ops[int(at)])]()  # type: ignore[assignment]
    elif mutant.way == "condition":
        assert isinstance(node, ast.If | ast.While | ast.IfExp)
        node.test = ast.copy_location(ast.UnaryOp(ast.Not(), node.test), node.test)
    elif mutant.way in ("and/or", "operator"):
        assert isinstance(node, ast.BoolOp | ast.BinOp | ast.AugAssign)
        node.op = SWAPS[type(node.op)]()  # type: ignore[assignment]
    else:
        assert isinstance(node, ast.Constant) and isinstance(node.value, int)
        node.value = not node.value if mutant.way == "true/false" else node.value + 1
    return ast.fix_missing_locations(made)


class _Swap(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self._old, self._new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        return self._new if node is self._old else self.generic_visit(node)


def functions_in(code: types.CodeType) -> dict[tuple[str, int], types.CodeType]:
    """The code of a module's functions and methods, by name and first line; what lies in them lies in their code."""
    found = {}
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            if const.co_flags & 0x2 and "<locals>" not in const.co_qualname:  # CO_NEWLOCALS: no body of a class
                found[const.co_qualname, const.co_firstlineno] = const
            found |= functions_in(const) if "<locals>" not in const.co_qualname else {}
    return found
