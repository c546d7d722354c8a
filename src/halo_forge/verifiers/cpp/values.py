"""Values of C and C++ programs: as the driver prints them, as tests write them, and how they compare."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable
from operator import eq, ge, gt, le, lt, ne
from typing import Any, NamedTuple

from halo_forge.verifiers.cpp.tokens import tokens, trimmed
from halo_forge.verifiers.tokens import Token

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {"==": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge}
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
ESCAPE = re.compile(r"\\(x[0-9a-fA-F]+|[0-7]{1,3}|.)", re.DOTALL)
INTEGER = re.compile(r"(0[xX][0-9a-fA-F]+|0[bB][01]+|\d+)([uUlLzZ]*)")
FLOAT = re.compile(r"((?:\d+\.\d*|\.\d+|\d+(?=[eE]))(?:[eE][+-]?\d+)?)([fFlL]?)")
INT_BITS = 32
WIDTHS = (8, 16, 32, 64)
MAX_DEPTH = 100


class Number(NamedTuple):
    """An arithmetic value; `bits` of a floating one is 0."""

    value: int | float
    signed: bool = True
    bits: int = 0


class Items(NamedTuple):
    """A container, a pair or a tuple; the order of an unordered container does not count."""

    items: tuple[Value, ...]
    ordered: bool = True


class Pointer(NamedTuple):
    """A pointer, of which only nullness is known."""

    null: bool


Value = Number | Items | Pointer | bytes


def printed_value(line: str) -> Value:
    """Read a value as the driver prints it.

    Raises:
        ValueError: it is none; the program may have written to the driver's descriptor.
    """
    try:
        return _value(json.loads(line), 0)
    except (ValueError, RecursionError, OverflowError) as error:
        raise ValueError("not a value the driver prints") from error


def _value(node: Any, depth: int) -> Value:
    match node:
        case ["list" | "bag" as kind, *items] if depth < MAX_DEPTH:
            return Items(tuple(_value(item, depth + 1) for item in items), ordered=kind == "list")
        case ["s", str(text)]:
            return bytes.fromhex(text)
        case ["p", 0 | 1 as null]:
            return Pointer(bool(null))
        case ["f", str(text)]:
            return Number(float.fromhex(text))
        case ["i", int(bits), int(value)] if bits in WIDTHS and -1 << (bits - 1) <= value < 1 << (bits - 1):
            return Number(value, bits=bits)
        case ["u", int(bits), int(value)] if bits in WIDTHS and 0 <= value < 1 << bits:
            return Number(value, signed=False, bits=bits)
    raise ValueError("unknown kind of value")


def literal_value(text: str) -> Value | None:
    """Read a literal as C and C++ write it, or return None for any other expression, and for one that fits no type."""
    try:
        return _literal([token for token in trimmed(tokens(text)) if token.kind != "space"])
    except (ValueError, OverflowError):
        return None


def _literal(parts: list[Token]) -> Value | None:
    if parts and all(part.kind == "string" for part in parts):
        pieces = [_string(part.text) for part in parts]
        return None if None in pieces else b"".join(piece for piece in pieces if piece is not None)
    sign = 1
    while len(parts) > 1 and parts[0].text in ("-", "+"):
        sign = -sign if parts[0].text == "-" else sign
        parts = parts[1:]
    if len(parts) != 1:
        return None
    number = _single(parts[0])
    if isinstance(number, Number):
        return number if sign == 1 else _negated(number)
    return number if sign == 1 else None


def _single(token: Token) -> Value | None:
    words: dict[str, Value] = {
        "true": Number(1, bits=8),
        "false": Number(0, bits=8),
        "nullptr": Pointer(null=True),
        "NULL": Pointer(null=True),
    }
    if token.kind == "name":
        return words.get(token.text)
    if token.kind == "char":
        content = _unescaped(token.text[1:-1]) if token.text.startswith("'") else ""
        return Number(_as_signed(ord(content), 8), bits=8) if len(content) == 1 and ord(content) < 256 else None
    text = token.text.replace("'", "")
    if match := FLOAT.fullmatch(text):
        value = float(match[1])
        return Number(struct.unpack("f", struct.pack("f", value))[0] if match[2] in "fF" and match[2] else value)
    if match := INTEGER.fullmatch(text):
        return _integer(match[1], match[2].lower())
    return None


def _integer(digits: str, suffix: str) -> Number:
    lowered = digits.lower()
    base = 16 if lowered.startswith("0x") else 2 if lowered.startswith("0b") else 8 if digits.startswith("0") else 10
    value = int(lowered.removeprefix("0x").removeprefix("0b") if base in (2, 16) else digits, base)
    if value >= 1 << max(WIDTHS):
        raise OverflowError("no type holds it")
    signed = "u" not in suffix
    bits = 64 if "l" in suffix or "z" in suffix or value >= 1 << (31 if signed and base == 10 else 32) else 32
    if base != 10 and signed and value >= 1 << (bits - 1):
        signed = False
    return Number(value, signed, bits)


def _negated(number: Number) -> Number:
    if number.bits == 0 or number.signed:
        return number._replace(value=-number.value, bits=number.bits and max(number.bits, INT_BITS))
    return number._replace(value=-int(number.value) % (1 << number.bits))


def _string(text: str) -> bytes | None:
    """Return the bytes of a plain or raw string literal; wide ones are not read."""
    if text.startswith('R"'):
        tag = text[2 : text.index("(")]
        return text[text.index("(") + 1 : -len(tag) - 2].encode()
    return _unescaped(text[1:-1]).encode("utf-8", "surrogateescape") if text.startswith('"') else None


def _unescaped(text: str) -> str:
    def replaced(found: re.Match[str]) -> str:
        code = found[1]
        if code[0] == "x" and len(code) > 1:
            return chr(int(code[1:], 16) & 0xFF)
        if code[0] in "01234567":
            return chr(int(code, 8) & 0xFF)
        return ESCAPES.get(code, code)

    return ESCAPE.sub(replaced, text)


def holds(left: Value, sign: str, right: Value, tolerance: Value | None = None) -> bool:
    """Compare two values as C++ would.

    Args:
        left: what the program computed.
        sign: the comparison.
        right: what was expected.
        tolerance: largest difference allowed between two numbers, compared by `sign`.
    """
    if tolerance is not None:
        numbers = isinstance(left, Number) and isinstance(right, Number) and isinstance(tolerance, Number)
        return numbers and COMPARISONS[sign](abs(left.value - right.value), tolerance.value)  # type: ignore[union-attr]
    if sign in ("==", "!="):
        return _same(left, right) == (sign == "==") and not (sign == "!=" and _unlike(left, right))
    if isinstance(left, Number) and isinstance(right, Number):
        return COMPARISONS[sign](*_common(left, right))
    if isinstance(left, bytes) and isinstance(right, bytes):
        return COMPARISONS[sign](left, right)
    return False


def _same(left: Value, right: Value) -> bool:
    if isinstance(left, Number) and isinstance(right, Number):
        first, second = _common(left, right)
        return first == second
    if isinstance(left, Items) and isinstance(right, Items):
        if left.ordered != right.ordered or len(left.items) != len(right.items):
            return False
        if left.ordered:
            return all(map(_same, left.items, right.items))
        shown = _canonical(right)
        return "nan" not in shown and _canonical(left) == shown  # a NaN equals nothing, not even itself
    return type(left) is type(right) and left == right


def _unlike(left: Value, right: Value) -> bool:
    """Tell whether two values are of different kinds, whose inequality says nothing."""
    left_kind, right_kind = (side.ordered if isinstance(side, Items) else None for side in (left, right))
    return left_kind != right_kind


def _canonical(value: Value) -> str:
    """Return a text that equal values of one type share; a program can choose hashes that collide, but no texts."""
    match value:
        case Number(number):
            return str(int(number)) if number == number // 1 else float(number).hex()
        case Items(items, ordered):
            texts = map(_canonical, items)
            return f"[{','.join(texts)}]" if ordered else f"{{{','.join(sorted(texts))}}}"
        case Pointer(null):
            return f"*{int(null)}"
        case _:
            return f'"{value.hex()}"'


def _common(left: Number, right: Number) -> tuple[int | float, int | float]:
    """Apply the usual arithmetic conversions (C++17 [expr.arith.conv])."""
    if left.bits == 0 or right.bits == 0:
        return left.value, right.value
    bits = max(left.bits, right.bits, INT_BITS)
    if any(not side.signed and side.bits == bits for side in (left, right)):
        return int(left.value) % (1 << bits), int(right.value) % (1 << bits)
    return left.value, right.value


def _as_signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >= 1 << (bits - 1) else value
