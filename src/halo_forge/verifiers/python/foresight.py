"""Foreseeing the calls that tests make, so that they travel to the completion's process in one message.

A verdict never depends on it: the judge executes the tests all the same, and takes an answer only for the very call
that was foreseen. What is foreseen are the calls with literal arguments of statements that run one after the other,
up to the first that cannot be told from the source.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from typing import Any, NamedTuple

from halo_forge.core.types import Reference
from halo_forge.verifiers.python import wire
from halo_forge.verifiers.python.outline import BUILTIN_NAMES, Outline

NUMBER_BITS = 1024
DEFINITIONS = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.Pass, ast.Global)


class Unforeseeable(Exception):
    """From here on the source does not tell which calls are made."""


class Foreseen(NamedTuple):
    """What was foreseen of one prompt's tests.

    Args:
        calls: the JSON of the calls that are made first, `[name, arguments, named arguments]`, in order.
        asserts: the asserts, and `check` the check, without messages that would call the completion: only an assert
            that has failed makes such a call, so it cannot be foreseen.
    """

    calls: list[str]
    asserts: list[str]
    check: str


def foresee(reference: Reference, seen: Outline) -> Foreseen:
    """Return what can be foreseen of tests.

    Args:
        reference: the tests.
        seen: their outline.
    """
    foresight = Foresight(seen, reference.entry_point)
    try:
        for statement in seen.module:
            foresight.statement(statement)
        for function in seen.functions:
            for statement in function.body:
                foresight.statement(statement)
    except Unforeseeable:
        pass
    if not any(is_question(node, seen) for node in seen.nodes):
        return Foreseen(foresight.calls, list(reference.asserts), reference.check or "")
    asserts = [without_questions(text, seen) for text in reference.asserts]
    return Foreseen(foresight.calls, asserts, without_questions(reference.check or "", seen))


def without_questions(source: str, seen: Outline) -> str:
    """Return tests without those assert messages that call the completion."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert) and is_question(node, seen):
            node.msg = None
    return ast.unparse(tree)


def is_question(node: ast.AST, seen: Outline) -> bool:
    """Tell whether a node is an assert whose message would call the completion."""
    if not isinstance(node, ast.Assert) or node.msg is None or isinstance(node.msg, ast.Constant):
        return False
    return any(isinstance(inner, ast.Name) and inner.id in seen.supplied for inner in ast.walk(node.msg))


class Foresight:
    """The calls that follow from the statements read so far.

    Args:
        seen: the tests.
        entry_point: what a candidate is called on the other side.
    """

    def __init__(self, seen: Outline, entry_point: str | None) -> None:
        self.calls: list[str] = []
        self._names = {name: entry_point or name for name in seen.candidates}
        if not seen.starred:
            self._names = {name: name for name in seen.supplied} | self._names
        self._quiet = (BUILTIN_NAMES - self._names.keys()) - seen.own

    def statement(self, node: ast.stmt) -> None:
        """Read one statement."""
        if isinstance(node, DEFINITIONS):
            return
        named = isinstance(node, ast.Assign) and all(isinstance(target, ast.Name) for target in node.targets)
        if isinstance(node, ast.Assert):
            self._expression(node.test)
        elif isinstance(node, ast.Expr) or (isinstance(node, ast.Assign) and named):
            self._expression(node.value)
        elif not self._is_quiet(node):
            raise Unforeseeable

    def _is_quiet(self, node: ast.AST) -> bool:
        """Tell whether something surely calls nothing of the completion's."""
        return not any(
            (isinstance(inner, ast.Name) and inner.id in self._names)
            or (isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name) and inner.func.id not in self._quiet)
            or isinstance(inner, (ast.Return, ast.Raise, ast.Break, ast.Continue, ast.Await, ast.Yield))
            for inner in ast.walk(node)
        )

    def _expression(self, node: ast.expr) -> None:
        """Read an expression in the order of its evaluation."""
        if isinstance(node, ast.Constant):
            return
        if isinstance(node, ast.Call):
            self._call(node)
        elif isinstance(node, (ast.Tuple, ast.List, ast.Set)):
            self._all(node.elts)
        elif isinstance(node, ast.Compare) and len(node.ops) == 1:
            self._all([node.left, *node.comparators])
        elif isinstance(node, ast.BinOp):
            self._all([node.left, node.right])
        elif isinstance(node, ast.UnaryOp):
            self._expression(node.operand)
        elif isinstance(node, ast.Subscript):
            self._all([node.value, node.slice])
        elif isinstance(node, ast.Attribute):
            self._expression(node.value)
        elif not self._is_quiet(node):
            raise Unforeseeable

    def _all(self, nodes: list[ast.expr]) -> None:
        for node in nodes:
            self._expression(node)

    def _call(self, node: ast.Call) -> None:
        function = node.func
        name = function.id if isinstance(function, ast.Name) else ""
        if not name:
            self._expression(function)
        elif name not in self._names and name not in self._quiet:
            raise Unforeseeable
        inner = [*node.args, *(keyword.value for keyword in node.keywords)]
        if name not in self._names:
            self._all(inner)
            return
        try:
            values = [literal(argument) for argument in node.args]
            named_values = {str(keyword.arg): literal(keyword.value) for keyword in node.keywords if keyword.arg}
            if len(named_values) != len(node.keywords):
                raise Unforeseeable
        except (Unforeseeable, ArithmeticError, TypeError):
            self._all(inner)
            raise Unforeseeable from None
        nodes = [wire.encode(given, unforeseeable) for given in (values, named_values)]
        self.calls.append(json.dumps([self._names[name], *nodes]))


def literal(node: ast.expr) -> Any:
    """Return the value of a literal, or of arithmetic with literals.

    Sets are left out, for the order in which they give their items, and so their encoding, differs between processes.
    """
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.List):
        return [literal(item) for item in node.elts]
    if isinstance(node, ast.Tuple):
        return tuple(literal(item) for item in node.elts)
    if isinstance(node, ast.Dict):
        if None in node.keys:
            raise Unforeseeable
        return {literal(key): literal(value) for key, value in zip(node.keys, node.values, strict=True) if key}
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -number(literal(node.operand))
    if isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        return ARITHMETIC[type(node.op)](literal(node.left), literal(node.right))
    raise Unforeseeable


def number(value: Any) -> Any:
    """Return a number, small enough for all arithmetic that a source can ask for."""
    if type(value) not in (int, float) or (type(value) is int and value.bit_length() > NUMBER_BITS):
        raise Unforeseeable
    return value


def added(left: Any, right: Any) -> Any:
    """Return a sum, or one text or list after another."""
    return left + right if type(left) is type(right) and type(left) in (str, list) else number(left) + number(right)


def raised(base: Any, exponent: Any) -> Any:
    """Return a power with a small natural exponent."""
    if type(exponent) is not int or not 0 <= exponent <= NUMBER_BITS:
        raise Unforeseeable
    return number(base) ** exponent


ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: added,
    ast.Sub: lambda left, right: number(left) - number(right),
    ast.Mult: lambda left, right: number(left) * number(right),
    ast.Pow: raised,
}


def unforeseeable(_: object) -> None:
    """Refuse what is not plain data, such as an ellipsis."""
    raise Unforeseeable
