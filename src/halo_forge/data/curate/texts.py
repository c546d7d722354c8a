"""The texts of a row, whatever its form, without making a record of it: a million rows have to go by in minutes."""

from __future__ import annotations

import json
import unicodedata
from typing import NamedTuple

from pydantic import JsonValue

from halo_forge.data.jsonl import JsonObject

ASKED = ("prompt", "question", "query", "problem", "instruction", "input", "text", "description")
ANSWERED = ("completion", "response", "answer", "output", "solution", "code", "canonical_solution")


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
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def _turns(listed: list[JsonValue], completion: JsonValue, beside: str) -> RowText:
    asked: list[str] = []
    rest: list[str] = []
    shown: list[str] = []
    around = [beside] if beside else []
    answered = False
    for turn in [*listed, *_as_turns(completion)]:
        if not isinstance(turn, dict):
            continue
        role, text = turn.get("role"), _content(turn.get("content"), shown)
        calls = turn.get("tool_calls")
        answered = answered or role == "assistant"
        (around if role == "system" else rest if answered else asked).append(text)
        if calls:
            rest.append(json.dumps(calls, sort_keys=True))
    return RowText("\n".join(asked), "\n".join(rest), "\n".join([*around, *shown]), bool(shown))


def _as_turns(completion: JsonValue) -> list[JsonValue]:
    if isinstance(completion, str):
        return [{"role": "assistant", "content": completion}]
    return completion if isinstance(completion, list) else []


def _content(content: JsonValue, shown: list[str]) -> str:
    """Text of a message; its media are added to `shown`."""
    if isinstance(content, str):
        return content
    texts: list[str] = []
    for part in content if isinstance(content, list) else []:
        if isinstance(part, dict) and isinstance(text := part.get("text"), str):
            texts.append(text)
        elif isinstance(part, dict):
            shown.append(str(part.get("sha256") or part.get("path") or json.dumps(part, sort_keys=True)))
    return "".join(texts)
