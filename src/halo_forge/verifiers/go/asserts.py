"""Reading Go test statements.

A text holds statements, one a line or separated by `;`. These are assertions:

- `assert Add(1, 2) == 3`, `assert(Add(1, 2) == 3)`;
- a comparison, `Add(1, 2) == 3`, or a negation, `!IsOdd(2)`;
- a call alone, `IsOdd(3)`, when the text holds nothing else;
- `if Add(1, 2) != 3 { t.Fatal("…") }`, with the condition turned round; also `if got := Add(1, 2); got != 3 { … }`.

The others run before them, such as `s := NewStack()`. Slices, maps and structs compare by content, as
`reflect.DeepEqual` does, which may also be written; unlike there, `==` takes a nil slice for an empty one.
"""

from __future__ import annotations

from collections.abc import Iterator

from halo_forge.verifiers.batch import UnsupportedTests
from halo_forge.verifiers.compiled.asserts import MIRRORED, Check, Comparison, Reader, Test
from halo_forge.verifiers.source_tokens import bare, source_tokens
from halo_forge.verifiers.tokens import Token, balanced, closing, joined, solid, split, top_level

CONSTANTS = frozenset({"true", "false", "nil"})
FAILING = {"Error", "Errorf", "Fatal", "Fatalf", "Fail", "FailNow", "panic", "Exit"}
ASSIGNING = {":=", "="}
DEEP, LOOSE = ["reflect", ".", "DeepEqual", "("], (["slices", ".", "Equal", "("], ["maps", ".", "Equal", "("])


def read_go_tests(texts: tuple[str, ...], entry_point: str | None) -> tuple[Test, ...]:
    """Take test statements apart.

    Args:
        texts: the statements; one text may hold several.
        entry_point: the program's function that the tests call, if the prompt names it.

    Raises:
        UnsupportedTests: a text has no assertion, or one that cannot be taken apart.
    """
    own = frozenset({entry_point.rpartition(".")[2]} if entry_point else ())
    reader = Reader(own, CONSTANTS, _difference, _comparison)
    try:
        return tuple(_test(text, reader) for text in texts)
    except ValueError as error:
        raise UnsupportedTests(f"{error} in `{' '.join(texts)}`") from error


def _test(text: str, reader: Reader) -> Test:
    statements = list(_statements(balanced(source_tokens(text, "go"))))
    steps = [step for statement in statements for step in _steps(statement, text, reader, alone=len(statements) == 1)]
    if not any(isinstance(step, Check) for step in steps):
        raise UnsupportedTests(f"`{text}` asserts nothing")
    return Test(text, tuple(steps))


def _statements(parts: list[Token]) -> Iterator[list[Token]]:
    """Yield the statements; a line ends one unless an operator or an open bracket carries it on."""
    current: list[Token] = []
    depth = 0
    for token in parts:
        opens, closes = token.text in {"(", "[", "{"}, token.text in {")", "]", "}"}
        depth += (token.kind == "sign") * (opens - closes)
        words = [before.text for before in solid(current)]
        header = words[:1] in (["if"], ["for"], ["switch"]) and "{" not in words
        ended = token.text == ";" and not header
        ended |= token.kind == "space" and "\n" in token.text and not _carries_on(words)
        if depth == 0 and ended:
            if words:
                yield bare(current)
            current = []
        else:
            current.append(token)
    if solid(current):
        yield bare(current)


def _carries_on(words: list[str]) -> bool:
    return not words or words[-1] in {"&&", "||", "==", "!=", "<", ">", "<=", ">=", "+", "-", "*", "/", ",", ".", "!"}


def _steps(statement: list[Token], text: str, reader: Reader, *, alone: bool) -> list[str | Check]:
    outer = [(position, token.text) for position, token in top_level(statement)]
    words = [word for _, word in outer]
    if words[0] == "if":
        return _condition(statement, text, reader)
    if words[0] == "assert":
        return [*reader.checks(statement[outer[0][0] + 1 :], text)]
    assigns = bool(ASSIGNING & set(words))
    if not assigns and (alone or words[0] == "!" or set(words) & set(MIRRORED)):
        return [*reader.checks(statement, text)]
    if any(token.text in FAILING | {"assert"} for token in statement):
        raise UnsupportedTests(f"`{text}` holds an assertion inside of another statement")
    return [joined(statement)]


def _condition(statement: list[Token], text: str, reader: Reader) -> list[str | Check]:
    opening = next((position for position, token in top_level(statement) if token.text == "{"), -1)
    body = {token.text for token in statement[opening:]}
    if opening < 0 or closing(statement, opening) != len(statement) - 1 or not body & FAILING:
        raise UnsupportedTests(f"`{text}` is not of the form `if … {{ t.Fatal(…) }}`")
    *before, condition = split(statement[1:opening], ";")
    return [*(joined(part) for part in before), *reader.denied(condition, text)]


def _difference(parts: list[Token]) -> list[Token] | None:
    """Return `a - b` of `math.Abs(a - b)`."""
    outer = list(top_level(parts))
    if [token.text for _, token in outer] == ["math", ".", "Abs", "("]:
        return bare(parts[outer[3][0] :])
    return None


def _comparison(parts: list[Token]) -> Comparison | None:
    """Return both sides of a call that compares by content, and whether their types must be the same."""
    outer = list(top_level(parts))
    words = [token.text for _, token in outer]
    if words != DEEP and words not in LOOSE:
        return None
    sides = [bare(side) for side in split(parts[outer[3][0] + 1 : -1], ",")]
    return Comparison(sides[0], "==", sides[1], words == DEEP) if len(sides) == 2 else None
