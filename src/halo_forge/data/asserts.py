"""Splitting one text with many asserts into its statements, for Python and for C and C++."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Sequence
from typing import NamedTuple

from halo_forge.core.errors import DataError

# Comments and literals come first, since they may hide a bracket or a semicolon.
C_TOKEN = re.compile(
    r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.[^'\n]*|[^'\\\n])'|[()\[\]{};]|[^\"'()\[\]{};/]+|.", re.DOTALL
)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
C_DIRECTIVE = re.compile(r"^[ \t]*#.*$\n?", re.MULTILINE)
C_INCLUDE = re.compile(r"\s*#\s*include\b")
C_ASSERT = re.compile(r"(?:static_)?assert\b")
C_FUNCTION = re.compile(r"(?!(?:for|if|else|while|do|switch|try)\b)[\w:<>,&*~\s]+\([^(){}]*\)[\w\s]*\{")


class SplitAsserts(NamedTuple):
    """The parts of a text of tests.

    Args:
        setup: imports or includes, to be put before the tests.
        asserts: test statements. A text that does more than assert (loops, variables) stays whole, as one item.
    """

    setup: str
    asserts: tuple[str, ...]


def split_asserts(text: str) -> SplitAsserts:
    """Split a text of tests; what parses as Python is read as Python, anything else as C or C++.

    Raises:
        DataError: it is neither, it holds no assert that would run, or it defines C++ functions.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    tree = _parse_python(text)
    return _split_python(text, tree) if tree is not None else _split_c(text)


def holds_test_functions(text: str) -> bool:
    """Tell whether a text is Python whose tests are functions `test_…`, which the verifier calls one after the other.

    Raises:
        DataError: one of them cannot be called so, or there is more that a test runner would call.
    """
    tree = _parse_python(text) if "def test" in text else None
    functions = [] if tree is None else [node for node in tree.body if isinstance(node, FUNCTIONS)]
    tests = [function for function in functions if function.name.startswith("test")]
    if tree is None or not any(_asserts_when_called(function) for function in tests):
        return False
    for function in tests:
        if not _asserts_when_called(function):
            raise DataError(
                f"the test function '{function.name}' would not test anything when it is called alone; write functions "
                "that take no arguments, use assert, and are neither async, decorated nor generators"
            )
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            raise DataError(f"the tests hold a class '{node.name}', which is not run; write functions such as 'test_a'")
    return True


def _asserts_when_called(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    given = function.args
    needed = len(given.posonlyargs) + len(given.args) - len(given.defaults) + given.kw_defaults.count(None)
    if isinstance(function, ast.AsyncFunctionDef) or function.decorator_list or needed:
        return False
    return _own_nodes(function.body, ast.Assert, ast.Raise) and not _own_nodes(function.body, ast.Yield, ast.YieldFrom)


def _parse_python(text: str) -> ast.Module | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the parser warns of the tests' own escapes, such as "\d"
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def _split_python(text: str, tree: ast.Module) -> SplitAsserts:
    if not _runs_an_assert(tree.body):
        raise DataError("the tests hold no assert that runs; write statements such as 'assert add(1, 2) == 3'")
    imports = [statement for statement in tree.body if isinstance(statement, (ast.Import, ast.ImportFrom))]
    asserts = [statement for statement in tree.body if isinstance(statement, ast.Assert)]
    if len(imports) + len(asserts) < len(tree.body):
        return SplitAsserts("", (text,))
    source = text.encode().split(b"\n")
    setup = "\n".join(_segment(source, statement) for statement in imports)
    return SplitAsserts(setup, tuple(_segment(source, statement) for statement in asserts))


def _runs_an_assert(body: Sequence[ast.stmt]) -> bool:
    """Whether an assert stands outside of inner functions and classes, which nobody might call."""
    return _own_nodes(body, ast.Assert)


def _own_nodes(body: Sequence[ast.stmt], *kinds: type[ast.AST]) -> bool:
    """Tell whether statements hold a node of such a kind outside of inner functions and classes."""
    pending: list[ast.AST] = list(body)
    while pending:
        node = pending.pop()
        if isinstance(node, kinds):
            return True
        if not isinstance(node, (*FUNCTIONS, ast.ClassDef, ast.Lambda)):
            pending.extend(ast.iter_child_nodes(node))
    return False


def _segment(source: list[bytes], statement: ast.stmt) -> str:
    """Cut a statement out of its lines, with the semicolon that C needs and Python allows; offsets count bytes."""
    first, last = statement.lineno - 1, (statement.end_lineno or statement.lineno) - 1
    end = statement.end_col_offset or 0
    if source[last][end:].lstrip().startswith(b";"):
        end = source[last].index(b";", end) + 1
    lines = [*source[first:last], source[last][:end]]
    lines[0] = lines[0][statement.col_offset :]
    return b"\n".join(lines).decode()


def _split_c(text: str) -> SplitAsserts:
    directives = [line.strip() for line in C_DIRECTIVE.findall(text)]
    statements, rest = _c_statements(C_DIRECTIVE.sub("", text))
    if rest or not any(C_ASSERT.search(statement) for statement in statements):
        raise DataError(
            "the tests are neither Python nor C++ statements with asserts; "
            "write 'assert add(1, 2) == 3' or 'assert(add(1, 2) == 3);'"
        )
    if any(C_FUNCTION.match(statement) for statement in statements):
        raise DataError("the tests define C++ functions; put those into 'setup' and keep only statements in 'tests'")
    only_asserts = all(C_ASSERT.match(statement) for statement in statements)
    if only_asserts and all(C_INCLUDE.match(directive) for directive in directives):
        return SplitAsserts("\n".join(directives), tuple(statements))
    return SplitAsserts("", (text,))


def _c_statements(text: str) -> tuple[list[str], str]:
    """Split at semicolons and closing braces outside of brackets, without comments; the second part is unfinished."""
    statements: list[str] = []
    current, depth = "", 0
    for match in C_TOKEN.finditer(text):
        token = match.group()
        current += " " if token.startswith(("//", "/*")) else token
        depth += (token in ("(", "[", "{")) - (token in (")", "]", "}"))
        if depth == 0 and token in (";", "}"):
            statements.append(current.strip())
            current = ""
    return [statement for statement in statements if statement != ";"], current.strip()
