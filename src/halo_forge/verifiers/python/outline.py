"""What the source of a prompt's Python tests tells: what runs in which order, and which names are whose."""

from __future__ import annotations

import ast
import builtins
from typing import NamedTuple

from halo_forge.core.types import Reference

BUILTIN_NAMES = frozenset(dir(builtins))


class Outline(NamedTuple):
    """The tests of one prompt.

    Args:
        module: the statements that run first, in order: setup, asserts, the top level of the check.
        functions: what is called afterwards, in order: `check`, or the functions `test_…`.
        candidates: names that stand for the entry point: its own, and the parameter of `check`.
        supplied: names that only the completion can define, the candidates included.
        own: names that the stub or the tests define.
        starred: something is imported by `*`, so that nobody can tell whose a name is.
        nodes: every node of `module`.
    """

    module: tuple[ast.stmt, ...]
    functions: tuple[ast.FunctionDef, ...]
    candidates: frozenset[str]
    supplied: frozenset[str]
    own: frozenset[str]
    starred: bool
    nodes: tuple[ast.AST, ...]


def outline(reference: Reference) -> Outline | None:
    """Return what can be told of the tests, None if they are not valid Python."""
    try:
        stub = ast.walk(ast.parse(standalone(reference.stub)))
        module = [statement for source in (reference.setup, *reference.asserts) for statement in ast.parse(source).body]
        check = ast.parse(reference.check or "").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    module += check
    nodes = [node for statement in module for node in ast.walk(statement)]
    names = Names()
    for node in (*stub, *nodes):
        names.add(node)
    functions = [statement for statement in check if isinstance(statement, ast.FunctionDef)]
    run = [function for function in functions if function.name == "check"][-1:]
    parameters = {argument.arg for function in run for argument in function.args.args}
    run = run or [function for function in functions if function.name.startswith("test")]
    candidates = parameters | ({reference.entry_point} if reference.entry_point else set())
    own = names.bound - parameters
    read = {node.id for node in nodes if isinstance(node, ast.Name)}
    supplied = read - own - BUILTIN_NAMES - {"__name__"} | candidates or read - own
    return Outline(
        tuple(module), tuple(run), frozenset(candidates), frozenset(supplied), frozenset(own - candidates),
        names.starred, tuple(nodes),
    )  # fmt: skip


class Names:
    """The names that nodes bind, in whatever scope."""

    def __init__(self) -> None:
        self.bound: set[str] = set()
        self.starred = False

    def add(self, node: ast.AST) -> None:
        """Note what one node binds."""
        if isinstance(node, ast.Name):
            if not isinstance(node.ctx, ast.Load):
                self.bound.add(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            self.bound.add(node.name)
        elif isinstance(node, ast.arg):
            self.bound.add(node.arg)
        elif isinstance(node, ast.alias):
            self.bound.add((node.asname or node.name).partition(".")[0])
            self.starred |= node.name == "*"
        elif isinstance(node, ast.ExceptHandler) and node.name:
            self.bound.add(node.name)


def standalone(stub: str) -> str:
    """Return a stub as it can be executed: one that ends at the head of a function gets a body."""
    try:
        compile(stub, "<stub>", "exec", dont_inherit=True)
    except SyntaxError:
        last = stub.rstrip().rpartition("\n")[2]
        indentation = last[: len(last) - len(last.lstrip())]
        whole = f"{stub.rstrip()}\n{indentation}    pass\n"
        try:
            compile(whole, "<stub>", "exec", dont_inherit=True)
        except (SyntaxError, ValueError):
            return stub
        return whole
    except (ValueError, RecursionError, MemoryError):
        return stub
    return stub


def helpers_of(stub: str, entry_point: str | None) -> str:
    """Return what a stub offers beside the head of the entry point, which a completion or the tests replace.

    Args:
        stub: as it can be executed.
        entry_point: the function it is the head of.
    """
    try:
        tree = ast.parse(stub)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return stub
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    rest = [node for node in tree.body if not (isinstance(node, definitions) and node.name == entry_point)]
    return stub if len(rest) == len(tree.body) else ast.unparse(ast.Module(rest, tree.type_ignores))


def root_name(node: ast.expr) -> str:
    """Return the name that a chain of attributes, items and calls starts from, `""` if it starts otherwise."""
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Call)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def is_class_name(name: str) -> bool:
    """Tell whether a name is spelled as that of a class."""
    return name.lstrip("_")[:1].isupper()
