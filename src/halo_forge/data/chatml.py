r"""ChatML: `<|im_start|>ROLE\nCONTENT<|im_end|>`, one block a turn, as OpenAI published it and Qwen uses it.

Contents are kept to the letter; only white space may stand between two blocks.
"""

from __future__ import annotations

from collections.abc import Sequence

from halo_forge.core.errors import DataError
from halo_forge.core.types import Message
from halo_forge.data.fields import shortened
from halo_forge.data.messages import make_message

START = "<|im_start|>"
END = "<|im_end|>"


def parse_chatml(text: str) -> tuple[Message, ...]:
    """Read the turns of a ChatML text.

    Raises:
        DataError: there is no turn, text stands outside of turns, a turn is not closed, or a role is unknown.
    """
    messages: list[Message] = []
    rest = text.lstrip()
    while rest:
        turn = f"turn {len(messages) + 1}"
        if not rest.startswith(START):
            raise DataError(f"not ChatML: expected {START} before {turn}, found {shortened(rest[:30])}")
        block, end, after = rest.removeprefix(START).partition(END)
        if not end or START in block:
            raise DataError(f"not ChatML: {turn} is not closed by {END}")
        role, newline, content = block.partition("\n")
        if not newline:
            raise DataError(f"not ChatML: {turn} has no line break after its role")
        messages.append(make_message(role.rstrip("\r"), content))
        rest = after.lstrip()
    if not messages:
        raise DataError(f"not ChatML: the text is blank; expected {START}role, a line break, the content and {END}")
    return tuple(messages)


def render_chatml(messages: Sequence[Message]) -> str:
    """Write turns as ChatML; `parse_chatml` gives the same messages back.

    Raises:
        DataError: a content holds one of the two marks, which could not be told from a turn's end, or a message is
            more than a text.
    """
    for message in messages:
        if message.media or message.tool_calls:
            raise DataError(f"a message of the {message.role} holds media or calls, which ChatML cannot carry")
        for mark in (START, END):
            if mark in message.text:
                raise DataError(f"a message of the {message.role} holds {mark}, which ChatML cannot carry")
    return "".join(f"{START}{message.role}\n{message.text}{END}\n" for message in messages)
