"""Telling tests that leave nothing behind: those the warm judge can run itself, without a fork of its own."""

from __future__ import annotations

import ast
import builtins

from halo_forge.verifiers.python.outline import BUILTIN_NAMES, Outline

BUILTINS = """
    abs all any ascii bin bool bytearray bytes chr complex dict divmod enumerate filter float frozenset hash hex int
    isinstance issubclass iter len list map max min next object oct ord pow print range repr reversed round set slice
    sorted str sum tuple type zip Ellipsis False None NotImplemented True
"""
EXCEPTIONS = {
    name for name, value in vars(builtins).items() if isinstance(value, type) and issubclass(value, Exception)
}
HARMLESS = EXCEPTIONS | set(BUILTINS.split())
MODULES = set("bisect cmath collections copy heapq itertools math operator re string typing".split())  # noqa: SIM905
FORBIDDEN = (
    ast.ClassDef, ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.Await, ast.Global, ast.Nonlocal, ast.While,
    ast.With,
)  # fmt: skip


def harmless(seen: Outline, stub: str) -> bool:
    """Tell whether running the tests, and the stub before them, changes nothing that outlives their own names.

    Plain data, arithmetic, the builtins and modules listed here, and functions made of these are harmless. Files,
    random numbers, other modules, and attributes of anything that is stored to or spelled with two underscores are not.

    Args:
        seen: the tests.
        stub: the stub as it can be executed.
    """
    nodes = [*seen.nodes, *ast.walk(ast.parse(stub))]
    return not seen.starred and all(map(_is_harmless, nodes))


def _is_harmless(node: ast.AST) -> bool:
    if isinstance(node, ast.Import):
        return all(alias.name in MODULES for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        return node.module in MODULES and node.level == 0
    if isinstance(node, ast.Name):
        return not node.id.startswith("__") and (node.id not in BUILTIN_NAMES or node.id in HARMLESS)
    if isinstance(node, ast.Attribute):
        return not node.attr.startswith("__") and isinstance(node.ctx, ast.Load)
    return not isinstance(node, FORBIDDEN)
