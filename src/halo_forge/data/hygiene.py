"""What rows of strangers hold that nobody wants: one place that mends it or keeps it out, and counts it by reason.

Mended, wherever a text is read that a model will see: control characters, byte-order marks and noncharacters are taken
out, halves of surrogate pairs become U+FFFD, and Windows line ends become those of everybody else. Kept out: lines that
are not UTF-8, not JSON, not an object, or longer than 16 MiB, which is never held in memory. Only noted: control tokens
of a chat, which `halo_forge.models.controls` encodes as ordinary text.

Tests, answers and other columns that a model does not see are left to the letter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pydantic import JsonValue

from halo_forge.core.errors import DataError
from halo_forge.data.jsonl import JsonObject, parse_object, read_lines
from halo_forge.data.messages import writes_control_token

CONTROL_CHARACTERS = "control characters"
BYTE_ORDER_MARKS = "byte-order marks inside a text"
NONCHARACTERS = "noncharacters of Unicode"
SURROGATES = "halves of surrogate pairs"
LINE_ENDS = "Windows line ends"
CHAT_TOKENS = "chat control tokens inside a text"

# Columns whose texts a model sees; see `halo_forge.data.conversations` and `halo_forge.data.prompts`.
SEEN = ("messages", "prompt", "completion", "instruction", "input", "output", "text")

MENDED = (
    (LINE_ENDS, re.compile("\r\n?"), "\n"),
    (CONTROL_CHARACTERS, re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"), ""),
    (BYTE_ORDER_MARKS, re.compile("\ufeff"), ""),
    (NONCHARACTERS, re.compile("[\ufdd0-\ufdef\ufffe\uffff]"), ""),
    (SURROGATES, re.compile("[\ud800-\udfff]"), "\ufffd"),
)
UNCLEAN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufeff\ufffe\uffff]")
# Bytes of UTF-8 in which none of these is ever encoded; the others begin one, and many a harmless character.
HARMLESS = bytes(byte for byte in range(256) if byte in b"\t\n" or 0x20 <= byte not in (0x7F, 0xC2, 0xED, 0xEF))
# Escapes of JSON that stand for what is mended, or may.
ESCAPE = re.compile(rb"\\[bfru]")


class Cleaned(NamedTuple):
    """A row as it can be used.

    Args:
        line: its number, counted from 1.
        raw: the line as it was, without its end.
        values: its columns, mended.
        mended: what was mended, in the order of `MENDED`; the row is as it was where there is nothing.
        noted: what was left and still deserves a count.
    """

    line: int
    raw: bytes
    values: JsonObject
    mended: tuple[str, ...] = ()
    noted: tuple[str, ...] = ()


class Broken(NamedTuple):
    """A line of which no row can be made.

    Args:
        line: its number, counted from 1.
        reason: which kind of fault, for counting.
        detail: what exactly, in one sentence.
    """

    line: int
    reason: str
    detail: str


def clean_lines(path: Path) -> Iterator[Cleaned | Broken]:
    """Yield the rows of a JSONL file, mended where that is possible; a line of no use is one `Broken`, never an error.

    Blank lines are passed over.

    Raises:
        DataError: the file itself cannot be read.
    """
    for line in read_lines(path):
        if line.content is None:
            yield Broken(line.number, "too long", f"the line has {line.length:,} bytes; at most 16 MiB are read")
        elif line.content.strip():
            yield clean_line(line.number, line.content)


def clean_line(number: int, raw: bytes) -> Cleaned | Broken:
    """Make a row of one line."""
    raw = raw.rstrip(b"\r\n")
    try:
        values = parse_object(raw, lenient=True)
        row = Cleaned(0, b"", values) if is_harmless(raw) else clean_row(values)
    except DataError as error:
        return Broken(number, _kind(str(error)), str(error))
    return row._replace(line=number, raw=raw)


def is_harmless(raw: bytes) -> bool:
    """Whether a line of JSON can spell nothing that is mended or noted: a quick look that spares most rows the long."""
    if raw.translate(None, HARMLESS) or ESCAPE.search(raw):
        return False
    return b"<|" not in raw and b"_of_turn>" not in raw and b"INST]" not in raw


def clean_row(values: JsonObject) -> Cleaned:
    """Mend the texts of a row that a model will see, and note what stays; columns and roles keep their names."""
    mended: set[str] = set()
    noted: set[str] = set()
    cleaned = {
        _key(key, mended): _cleaned(value, mended, noted) if key in SEEN else _encodable(value, mended)
        for key, value in values.items()
    }
    order = [reason for reason, _, _ in MENDED if reason in mended]
    return Cleaned(0, b"", cleaned if mended else values, tuple(order), tuple(noted))


def clean_text(text: str) -> tuple[str, tuple[str, ...]]:
    """Return a text without what nobody wants in it, and what that was; most texts come back as they are."""
    if not text.encode("utf-8", "surrogatepass").translate(None, HARMLESS) or not UNCLEAN.search(text):
        return text, ()
    reasons = []
    for reason, pattern, by in MENDED:
        text, count = pattern.subn(by, text)
        if count:
            reasons.append(reason)
    return text, tuple(reasons)


def _cleaned(value: JsonValue, mended: set[str], noted: set[str]) -> JsonValue:
    if isinstance(value, str):
        text, reasons = clean_text(value)
        mended.update(reasons)
        if writes_control_token(text):
            noted.add(CHAT_TOKENS)
        return text
    if isinstance(value, list):
        return [_cleaned(item, mended, noted) for item in value]
    if isinstance(value, dict):
        return {_key(key, mended): _cleaned(item, mended, noted) for key, item in value.items()}
    return value


def _encodable(value: JsonValue, mended: set[str]) -> JsonValue:
    """Mend only what cannot be written to a file again."""
    if isinstance(value, str):
        return _key(value, mended)
    if isinstance(value, list):
        return [_encodable(item, mended) for item in value]
    if isinstance(value, dict):
        return {_key(key, mended): _encodable(item, mended) for key, item in value.items()}
    return value


def _key(text: str, mended: set[str]) -> str:
    reason, pattern, by = MENDED[-1]
    if text.isascii() or not pattern.search(text):
        return text
    mended.add(reason)
    return pattern.sub(by, text)


def _kind(detail: str) -> str:
    if "not UTF-8" in detail:
        return "not UTF-8"
    return "not an object" if detail.startswith("expected a JSON object") else "not JSON"
