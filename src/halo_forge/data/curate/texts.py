"""The texts of a row, whatever its form, without making a record of it: a million rows have to go by in minutes."""

from __future__ import annotations

import json
import unicodedata
from typing import NamedTuple

from pydantic import JsonValue

from halo_forge.data.jsonl import JsonObject

ASKED = ("prompt", "question", "query", "problem", "instruction", "input", "text", "description")
ANSWERED = ("completion", "response", "answer", "output", "solution", "code", "canonical_solution")

# Every byte but the blanks of ASCII other than the space and the line break.
NO_BLANK = bytes(byte for byte in range(256) if byte not in b"\t\r\x0b\x0c\x1c\x1d\x1e\x1f")
# As `str.split` has it: bytes between words become a space, all others a letter.
WORD_OR_SPACE = bytes(0x20 if chr(byte).isspace() else 0x61 for byte in range(128)) + bytes(128)


class RowText(NamedTuple):
    """What a row says.

    Args:
        question: what is asked: the turns before the assistant's first, system turns aside.
        rest: the turns after them.
        beside: system turns, tools and media, which many rows share, and which make two with the same words different.
        media: whether it shows images or plays audio.
    """

    question: str
    rest: str
    beside: str
    media: bool

    @property
    def whole(self) -> str:
        """All that is asked and answered."""
        return f"{self.question}\n{self.rest}" if self.rest else self.question


def row_text(values: JsonObject) -> RowText:
    """Read the texts of a row: `messages` (or `prompt` as a list of them), or the columns that datasets use."""
    listed = values.get("messages")
    if not isinstance(listed, list):
        listed = values.get("prompt")
    tools = values.get("tools")
    beside = json.dumps(tools, sort_keys=True) if tools else ""
    if isinstance(listed, list):
        return _turns(listed, values.get("completion"), beside)
    question = "\n".join(text for key in ASKED if isinstance(text := values.get(key), str) and text)
    rest = "\n".join(text for key in ANSWERED if isinstance(text := values.get(key), str) and text)
    return RowText(question, rest, beside, media=False)


def normalised(text: str) -> str:
    """A text as exact duplicates are compared: NFC, without blanks at the ends of lines and blank lines around.

    Indentation and case count: in a program they mean something.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    elif " \n" not in text and not text.encode().translate(None, NO_BLANK):
        return text.strip()
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def count_words(text: str) -> int:
    """Count the words of a text between blanks, as `len(text.split())` does, without making them."""
    if not text.isascii():
        return len(text.split())
    return (b" " + text.encode().translate(WORD_OR_SPACE)).count(b" a")


def _turns(listed: list[JsonValue], completion: JsonValue, beside: str) -> RowText:
    asked: list[str] = []
    rest: list[str] = []
    shown: list[str] = []
    around = [beside] if beside else []
    texts = asked
    for turn in (*listed, *_as_turns(completion)) if completion is not None else listed:
        if not isinstance(turn, dict):
            continue
        role, content, calls = turn.get("role"), turn.get("content"), turn.get("tool_calls")
        text = content if isinstance(content, str) else _content(content, shown)
        if role == "assistant":
            texts = rest
        (around if role == "system" else texts).append(text)
        if calls:
            rest.append(json.dumps(calls, sort_keys=True))
    if shown:
        around += shown
    return RowText("\n".join(asked), "\n".join(rest), "\n".join(around), bool(shown))


def _as_turns(completion: JsonValue) -> list[JsonValue]:
    if isinstance(completion, str):
        return [{"role": "assistant", "content": completion}]
    return completion if isinstance(completion, list) else []


def _content(content: JsonValue, shown: list[str]) -> str:
    """Text of a message in parts; its media are added to `shown`."""
    texts: list[str] = []
    for part in content if isinstance(content, list) else []:
        if isinstance(part, dict) and isinstance(text := part.get("text"), str):
            texts.append(text)
        elif isinstance(part, dict):
            shown.append(str(part.get("sha256") or part.get("path") or json.dumps(part, sort_keys=True)))
    return "".join(texts)
