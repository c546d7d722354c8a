"""Reading Rust test statements: `assert!(…)`, `assert_eq!(…)`, `assert_ne!(…)`, and statements between them."""

from __future__ import annotations

from halo_forge.verifiers.batch import UnsupportedTests
from halo_forge.verifiers.compiled.asserts import Check, Comparison, Reader, Test
from halo_forge.verifiers.source_tokens import bare, source_tokens
from halo_forge.verifiers.tokens import Token, balanced, closing, joined, outermost, solid, split, top_level

CONSTANTS = frozenset({"true", "false", "None"})
MACROS = {f"{prefix}assert{suffix}" for prefix in ("", "debug_") for suffix in ("", "_eq", "_ne")}
# A program may define macros of these names; the tests mean the standard ones.
STANDARD_MACROS = {"vec", "matches", "format", "concat", "stringify"}
# What a method asks of an option or a result, as a comparison with `None`.
PRESENCE = {"is_some": "!=", "is_none": "==", "is_ok": "!=", "is_err": "=="}
OPTION = "::std::option::Option"
RESULT = "::std::result::Result"


def read_rust_tests(texts: tuple[str, ...], entry_point: str | None) -> tuple[Test, ...]:
    """Take test statements apart.

    Args:
        texts: the statements; one text may hold several.
        entry_point: the program's function that the tests call, if the prompt names it.

    Raises:
        UnsupportedTests: a text has no assertion, or one that cannot be taken apart.
    """
    own = frozenset({entry_point.rpartition("::")[2]} if entry_point else ())
    try:
        return tuple(_test(text, Reader(own, CONSTANTS, _difference, _presence)) for text in texts)
    except ValueError as error:
        raise UnsupportedTests(f"{error} in `{' '.join(texts)}`") from error


def _test(text: str, reader: Reader) -> Test:
    parts = [_standard(token, after) for token, after in _with_next(balanced(source_tokens(text, "rust")))]
    steps: list[str | Check] = []
    for statement in split(parts, ";"):
        if any(token.text in MACROS for _, token in outermost(statement)[:1]):
            steps += _asserted(bare(statement), text, reader)
        elif any(token.text in MACROS for token in statement):
            raise UnsupportedTests(f"`{text}` holds an assertion inside of another statement")
        elif solid(statement):
            steps.append(f"{joined(statement)};")
    if not any(isinstance(step, Check) for step in steps):
        raise UnsupportedTests(f"`{text}` holds no assert!, assert_eq! or assert_ne!")
    return Test(text, tuple(steps))


def _asserted(statement: list[Token], text: str, reader: Reader) -> list[Check]:
    tokens = solid(statement)
    opening = next((position for position, token in enumerate(statement) if token.text in {"(", "[", "{"}), -1)
    if len(tokens) < 3 or tokens[1].text != "!" or closing(statement, opening) != len(statement) - 1:
        raise UnsupportedTests(f"`{text}` is not of the form `assert…!(…);`")
    arguments = _arguments(statement[opening + 1 : -1])
    macro = tokens[0].text.removeprefix("debug_")
    if macro == "assert":
        return reader.checks(arguments[0], text)
    if len(arguments) < 2:
        raise UnsupportedTests(f"`{text}` compares one value")
    return reader.equalities(arguments[0], arguments[1], text, sign="==" if macro == "assert_eq" else "!=")


def _arguments(parts: list[Token]) -> list[list[Token]]:
    """Split at commas outside of brackets, among which count the angles of `::<…>`."""
    cuts, angles, before = [-1], 0, ""
    for position, token in top_level(parts):
        angles += token.text == "<" and (before == "::" or angles > 0)
        angles -= min(angles, {">": 1, ">>": 2}.get(token.text, 0))
        if token.text == "," and not angles:
            cuts.append(position)
        before = token.text
    ends = [*cuts[1:], len(parts)]
    return [bare(parts[start + 1 : end]) for start, end in zip(cuts, ends, strict=True)]


def _difference(parts: list[Token]) -> list[Token] | None:
    """Return `a - b` of `(a - b).abs()`, also of `f64::abs(a - b)`."""
    outer = [(position, token.text) for position, token in top_level(parts)]
    texts = [text for _, text in outer]
    if texts == ["(", ".", "abs", "("]:
        return bare(parts[: outer[1][0]])
    if len(texts) == 4 and texts[0] in {"f64", "f32"} and texts[1:] == ["::", "abs", "("]:
        return bare(parts[outer[3][0] :])
    return None


def _presence(parts: list[Token]) -> Comparison | None:
    """Return `x.is_some()` as what is in `x`, without its content, compared with `None`; likewise for results.

    What the program prints then does not depend on what is asked, and the asking is not left to a type of its own.
    """
    outer = list(top_level(parts))
    if len(outer) < 4 or [token.text for _, token in outer[-3:]][::2] != [".", "("]:
        return None
    (dot, _), (_, method), (opening, _) = outer[-3:]
    if method.text not in PRESENCE or solid(parts[opening + 1 : -1]):
        return None
    value = joined(parts[:dot])
    optional = method.text in ("is_some", "is_none")
    shown = f"{OPTION}::as_ref(&({value}))" if optional else f"{RESULT}::ok({RESULT}::as_ref(&({value})))"
    left = source_tokens(f"{OPTION}::map({shown}, |_| ())", "rust")
    return Comparison(left, PRESENCE[method.text], source_tokens("None", "rust"))


def _with_next(parts: list[Token]) -> list[tuple[Token, str]]:
    return [(token, parts[number + 1].text if number + 1 < len(parts) else "") for number, token in enumerate(parts)]


def _standard(token: Token, after: str) -> Token:
    if token.kind == "name" and after == "!" and token.text in STANDARD_MACROS:
        return Token("name", f"::std::{token.text}")
    return token
