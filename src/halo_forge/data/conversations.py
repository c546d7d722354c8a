"""Conversations to learn from, for supervised fine-tuning."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from halo_forge.core.errors import DataError
from halo_forge.core.types import Conversation, Message
from halo_forge.data.chatml import parse_chatml
from halo_forge.data.draw import draw
from halo_forge.data.fields import has, id_field, known_keys, text_field
from halo_forge.data.hygiene import clean_row
from halo_forge.data.jsonl import JsonObject, Row
from halo_forge.data.messages import has_turn, holds_control_token, make_message, messages_field, turns_field
from halo_forge.data.parts import anchored, read_audio, read_tools
from halo_forge.data.source import parse_rows

NO_QUESTION = "without text of the user"
NO_ANSWER = "without text of the assistant"
NO_USE = "that the dataset's entry leaves out"
CONTROL_TOKENS = "chat control tokens inside a message"
FORMS = (
    "'messages', 'audio' with 'transcript', 'prompt' with 'completion', 'instruction' with 'output', 'text' in ChatML"
)


class Loaded(NamedTuple):
    """Conversations, and what a notice should say about the file.

    Args:
        conversations: the rows that can be learnt from, in order.
        dropped: reason -> rows left out.
        noted: reason -> rows that were kept as they are and still deserve a word.
        revision: the commit of the Hub repository they came from; None for a file.
    """

    conversations: list[Conversation]
    dropped: dict[str, int]
    noted: dict[str, int]
    revision: str | None = None


def load_conversations(path: Path, *, max_samples: int | None = None, seed: int = 0) -> Loaded:
    """Read supervised rows from a file of any format; rows of different forms may be mixed.

    The forms, first match: `messages`; `audio` (a file's name) and `transcript`, `text` or `answer`; `prompt` and
    `completion` (texts, or lists of messages); `instruction`, `input` and `output`, as in Alpaca; `text` in ChatML.
    `id` names a row, else `line-N`. A row in which nobody asks or the assistant says nothing is dropped and counted.
    Texts are mended as `halo_forge.data.hygiene` says, which is noted.

    Args:
        max_samples: take at most so many, drawn by the seed from the usable rows and kept in the file's order.

    Raises:
        DataError: the file cannot be used, or no row of it can; the text names the line where there is one.
    """
    mended: Counter[str] = Counter()

    def read(row: Row) -> Conversation:
        cleaned = clean_row(row.values)
        mended.update(cleaned.mended)
        return anchored(read_conversation(Row(row.line, cleaned.values)), path.parent)

    rows = (conversation for _, conversation in parse_rows(path, read))
    loaded = select_conversations(rows, str(path), max_samples, seed)
    return loaded._replace(noted=loaded.noted | {f"{reason}, which were mended": n for reason, n in mended.items()})


def select_conversations(
    rows: Iterable[Conversation | None], source: str, max_samples: int | None, seed: int
) -> Loaded:
    """Leave out what cannot be learnt from, with a count, and draw.

    Args:
        rows: None where a row came to nothing.
        source: the file or dataset, for the error text.

    Raises:
        DataError: no row is left.
    """
    usable: list[Conversation] = []
    dropped: Counter[str] = Counter()
    for row in rows:
        if row is None:
            dropped[NO_USE] += 1
        elif reason := why_unusable(row.messages):
            dropped[reason] += 1
        else:
            usable.append(row)
    if not usable:
        reasons = ", ".join(f"{count} {reason}" for reason, count in dropped.items())
        raise DataError(f"{source} holds no row to learn from: {reasons or 'it is empty'}")
    drawn = draw(usable, max_samples, seed)
    flagged = sum(holds_control_token(row.messages) for row in drawn)
    return Loaded(drawn, dict(dropped), {CONTROL_TOKENS: flagged} if flagged else {})


def read_conversation(row: Row) -> Conversation:
    """Make a conversation of one row.

    Raises:
        DataError: it has none of the forms, or is malformed.
    """
    values = row.values
    return Conversation(
        id=id_field(values) or f"line-{row.line}", messages=_read_messages(values), tools=read_tools(values)
    )


def instruction_messages(instruction: str, input: str | None, output: str) -> tuple[Message, ...]:
    """Make the two turns of an Alpaca row; the input, if any, follows the instruction after a blank line."""
    asked = f"{instruction}\n\n{input}" if input and input.strip() else instruction
    return make_message("user", asked), make_message("assistant", output)


def _read_messages(values: JsonObject) -> tuple[Message, ...]:
    if has(values, "messages"):
        return messages_field(values, "messages")
    if (heard := read_audio(values)) is not None:
        said = next((text_field(values, key) for key in ("transcript", "text", "answer") if has(values, key)), None)
        return make_message("user", heard), make_message("assistant", said or "")
    if has(values, "prompt", "completion"):
        return turns_field(values, "prompt", "user") + turns_field(values, "completion", "assistant")
    if has(values, "instruction", "output"):
        instruction, output = text_field(values, "instruction") or "", text_field(values, "output") or ""
        return instruction_messages(instruction, text_field(values, "input"), output)
    if has(values, "text"):
        return parse_chatml(text_field(values, "text") or "")
    raise DataError(f"a row needs {FORMS} (columns it has: {known_keys(values)})")


def why_unusable(messages: Sequence[Message]) -> str | None:
    """Return why nothing can be learnt from turns, or None."""
    if not has_turn(messages, "assistant"):
        return NO_ANSWER
    return None if has_turn(messages, "user") else NO_QUESTION
