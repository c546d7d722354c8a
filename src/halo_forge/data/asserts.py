"""Splitting one text with many asserts into its statements, for Python and for C and C++."""

from __future__ import annotations

import ast
import re
import warnings
from typing import NamedTuple

from halo_forge.core.errors import DataError

# Comments and literals come first, since they may hide a bracket or a semicolon.
C_TOKEN = re.compile(
    r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.[^'\n]*|[^'\\\n])'|[()\[\]{};]|[^\"'()\[\]{};/]+|.", re.DOTALL
)
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


def _parse_python(text: str) -> ast.Module | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the parser warns of the tests' own escapes, such as "\d"
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def _split_python(text: str, tree: ast.Module) -> SplitAsserts:
    if not _runs_an_assert(tree):
        raise DataError("the tests hold no assert that runs; write statements such as 'assert add(1, 2) == 3'")
    imports = [statement for statement in tree.body if isinstance(statement, (ast.Import, ast.ImportFrom))]
    asserts = [statement for statement in tree.body if isinstance(statement, ast.Assert)]
    if len(imports) + len(asserts) < len(tree.body):
        return SplitAsserts("", (text,))
    source = text.encode().split(b"\n")
    setup = "\n".join(_segment(source, statement) for statement in imports)
    return SplitAsserts(setup, tuple(_segment(source, statement) for statement in asserts))


def _runs_an_assert(tree: ast.Module) -> bool:
    """Whether an assert stands outside of functions and classes, which nobody might call."""
    pending: list[ast.AST] = list(tree.body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Assert):
            return True
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.expr)):
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
