"""Refusing tests by which a completion would judge itself.

Where tests use a name that nobody defines but the completion, the completion decides what it does. That is as it
should be for what is tested, and for the classes whose objects it is given. It is not for a comparison:
`assert close(f(1), 2)` hands the expected value to a `close` that can say yes to everything.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from halo_forge.verifiers.python.outline import BUILTIN_NAMES, Outline, is_class_name, root_name

SAME = (ast.Is, ast.IsNot)


def refusal(seen: Outline) -> str | None:
    """Return why tests cannot be left to this verifier, None if they can.

    1. A name of the completion's, other than what is tested, is called with a result of the completion's. What is
       tested is the entry point; without one, the only function that the tests name, or, if they name classes alone,
       those.
    2. A result is compared with data that the completion defines.
    3. Two objects are compared by identity, which is lost between processes.
    """
    screen = Screen(seen)
    for node in seen.nodes:
        reason = screen.reason(node)
        if reason:
            return f"{reason}: `{ast.unparse(node)[:160]}`"
    return None


class Screen:
    """Whose the names and values of the tests are.

    Args:
        seen: the tests.
    """

    def __init__(self, seen: Outline) -> None:
        self._supplied = seen.candidates if seen.starred else seen.supplied
        self._classes = {name for name in self._supplied if is_class_name(name)}
        called = {root_name(node.func) for node in seen.nodes if isinstance(node, ast.Call)} & self._supplied
        functions = called - self._classes
        self._tested = seen.candidates or (called if not functions else functions if len(functions) == 1 else set())
        self._results = {
            argument.arg
            for node in seen.nodes
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)) and node not in seen.functions
            for argument in ast.walk(node.args)
            if isinstance(argument, ast.arg)
        }
        self._objects: dict[str, str] = {}
        self._alone = self._supplied == self._tested
        known = -1
        while not self._alone and known != len(self._results) + len(self._objects):
            known = len(self._results) + len(self._objects)
            for node in seen.nodes:
                self._follow(node)

    def reason(self, node: ast.AST) -> str | None:
        """Return what is wrong with a node, None if nothing is."""
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            if any(isinstance(op, SAME) for op in node.ops) and not any(map(is_singular, sides)):
                return "objects are compared by identity"
            if not self._alone and any(map(self._is_data, sides)) and any(map(self._is_result, sides)):
                return "a result is compared with what the completion itself defines"
        if isinstance(node, ast.Call) and not self._alone:
            name = root_name(node.func)
            name = self._objects.get(name, name)
            arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
            if name in self._supplied - self._tested and any(map(self._is_result, arguments)):
                return f"a result is handed to {name!r}, which the completion itself defines"
        return None

    def _follow(self, node: ast.AST) -> None:
        """Note which variables hold results of the completion's, and which hold objects that the tests build."""
        for value, target in assignments(node):
            names = {inner.id for inner in ast.walk(target) if isinstance(inner, ast.Name)} - self._supplied
            if self._is_result(value):
                self._results |= names
            elif self._is_built(value):
                self._objects |= dict.fromkeys(names, root_name(value))

    def _is_built(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in self._classes

    def _is_result(self, expression: ast.expr) -> bool:
        """Tell whether an expression may hold what the completion has worked out, other than objects just built."""
        return any(
            (isinstance(node, ast.Name) and node.id in self._results)
            or (
                isinstance(node, ast.Call)
                and root_name(node.func) in self._supplied | self._objects.keys()
                and not self._is_built(node)
            )
            for node in ast.walk(expression)
        )

    def _is_data(self, node: ast.expr) -> bool:
        """Tell whether an expression reads a name of the completion's other than to call it."""
        if isinstance(node, ast.Name):
            return node.id in self._supplied
        if isinstance(node, ast.Call):
            name = root_name(node.func)
            inner = [*node.args, *(keyword.value for keyword in node.keywords)]
            return name not in self._supplied | self._objects.keys() and any(map(self._is_data, inner))
        return any(self._is_data(inner) for inner in ast.iter_child_nodes(node) if isinstance(inner, ast.expr))


def assignments(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Yield the values that a node assigns, each with what it assigns it to."""
    if isinstance(node, ast.Assign):
        yield from ((node.value, target) for target in node.targets)
    elif isinstance(node, (ast.AnnAssign, ast.AugAssign, ast.NamedExpr)) and node.value is not None:
        yield node.value, node.target
    elif isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension)):
        yield node.iter, node.target
    elif isinstance(node, ast.withitem) and node.optional_vars is not None:
        yield node.context_expr, node.optional_vars


def is_singular(node: ast.expr) -> bool:
    """Tell whether an expression is a value of which there is one in every process, such as None or a type."""
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "type"
    return isinstance(node, ast.Constant) or (isinstance(node, ast.Name) and node.id in BUILTIN_NAMES)
