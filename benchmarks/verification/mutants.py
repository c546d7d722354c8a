"""Small deterministic mistakes in Python programs: the wrong answers that a checker of programs is measured on.

    for mutant in mutants(source, 4, seed=0):
        print(mutant.deed, mutant.source)

Each mutant differs from the program in one place: a comparison flipped, a constant changed, an operator exchanged, a
condition negated, a statement left out, or None returned. Some of them are still right, some do not end; what they are
is for an interpreter to say.
"""

from __future__ import annotations

import ast
import copy
import random
from collections.abc import Callable, Iterator
from typing import NamedTuple

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.Div: ast.Mult,
    ast.Mod: ast.FloorDiv, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.BitXor: ast.BitOr,
}  # fmt: skip


class Mutant(NamedTuple):
    """A changed program.

    Args:
        source: the whole program.
        deed: what was changed, and the line of the original it was changed in.
    """

    source: str
    deed: str


class Change(NamedTuple):
    """One possible mistake.

    Args:
        deed: what it does.
        line: the line it is made in.
        apply: makes it in the tree that the change was found in.
    """

    deed: str
    line: int
    apply: Callable[[], None]


def mutants(source: str, count: int, seed: int, only: str | None = None) -> list[Mutant]:
    """Return different mutants of a program, the same ones for the same seed.

    Args:
        source: the program.
        count: how many at most.
        seed: which.
        only: the function to make mistakes in, None for all functions; in a program that repeats the helpers of its
            prompt, those stay as they were.

    Raises:
        SyntaxError: the program is not valid Python.
    """
    whole = ast.parse(source)
    plain = ast.unparse(whole)
    numbers = list(range(sum(1 for _ in changes(whole, only))))
    random.Random(f"{seed}: {source}").shuffle(numbers)
    found: dict[str, str] = {}
    for number in numbers:
        if len(found) == count:
            break
        tree = copy.deepcopy(whole)
        change = list(changes(tree, only))[number]
        change.apply()
        changed = ast.unparse(ast.fix_missing_locations(tree)) + "\n"
        if changed.rstrip() != plain:
            found.setdefault(changed, f"{change.deed} in line {change.line}")
    return [Mutant(changed, deed) for changed, deed in found.items()]


def changes(tree: ast.AST, only: str | None = None) -> Iterator[Change]:
    """Yield the mistakes that can be made in the functions of a program, in a fixed order."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef) and only in (None, function.name):
            for node in ast.walk(function):
                yield from _expression_changes(node)
                yield from _statement_changes(node)


def _expression_changes(node: ast.AST) -> Iterator[Change]:
    if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARISONS:
        flipped = COMPARISONS[type(node.ops[0])]()
        yield Change("flip a comparison", node.lineno, lambda: node.ops.__setitem__(0, flipped))
    elif isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        yield Change("exchange an operator", node.lineno, _setting(node, "op", OPERATORS[type(node.op)]()))
    elif isinstance(node, ast.BoolOp):
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield Change("exchange and with or", node.lineno, _setting(node, "op", other))
    elif isinstance(node, ast.Constant) and isinstance(node.value, (bool, int, str)):
        yield Change("change a constant", node.lineno, _setting(node, "value", _another(node.value)))


def _statement_changes(node: ast.AST) -> Iterator[Change]:
    if isinstance(node, (ast.If, ast.While)):
        negated = ast.UnaryOp(ast.Not(), node.test)
        yield Change("negate a condition", node.lineno, _setting(node, "test", negated))
    if isinstance(node, ast.Return) and node.value is not None:
        yield Change("return None", node.lineno, _setting(node, "value", ast.Constant(None)))
    if isinstance(node, (ast.FunctionDef, ast.For, ast.While, ast.If)):
        for number, statement in enumerate(node.body):
            if not isinstance(statement, (ast.FunctionDef, ast.Pass)):
                yield Change("leave a statement out", statement.lineno, _leaving_out(node.body, number))


def _setting(node: ast.AST, field: str, value: object) -> Callable[[], None]:
    return lambda: setattr(node, field, value)


def _leaving_out(body: list[ast.stmt], number: int) -> Callable[[], None]:
    return lambda: body.__setitem__(number, ast.Pass())


def _another(value: bool | int | str) -> bool | int | str:
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int) else f"{value}x" if value != "x" else ""
