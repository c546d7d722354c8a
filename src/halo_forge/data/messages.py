"""Lists of messages in rows, and control tokens that have no business inside a message."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import get_args

from pydantic import JsonValue

from halo_forge.core.errors import DataError
from halo_forge.core.types import Message, Part, ToolCall
from halo_forge.data.fields import shortened
from halo_forge.data.jsonl import JsonObject, json_type
from halo_forge.data.parts import read_calls, read_content

ROLES: tuple[str, ...] = get_args(Message.model_fields["role"].annotation)
CONTROL_TOKEN = re.compile(r"<\|[a-z0-9_]+\|>|<(?:start|end)_of_turn>|\[/?INST\]")


def make_message(role: str, content: str | tuple[Part, ...], tool_calls: tuple[ToolCall, ...] = ()) -> Message:
    """Build one message.

    Raises:
        DataError: the role is none of `ROLES`.
    """
    if role not in ROLES:
        raise DataError(f"unknown role {shortened(role)}: choose one of {', '.join(ROLES)}")
    return Message.model_validate({"role": role, "content": content, "tool_calls": tool_calls})


def messages_field(values: JsonObject, key: str) -> tuple[Message, ...]:
    """Return a column that lists messages, `[{"role": "user", "content": "…"}, …]`; further keys of a message are left.

    Raises:
        DataError: it is not such a list, it is empty, or a role is unknown.
    """
    value = values.get(key)
    if not isinstance(value, list) or not value:
        shape = "a non-empty list of {'role', 'content'} objects"
        raise DataError(f"{key!r} must be {shape}, not {'empty' if value == [] else json_type(value)}")
    return tuple(_message(item, f"{key}[{index}]") for index, item in enumerate(value))


def turns_field(values: JsonObject, key: str, role: str) -> tuple[Message, ...]:
    """Return a column that holds either one text, said by `role`, or a list of messages.

    Raises:
        DataError: it is neither.
    """
    value = values.get(key)
    if isinstance(value, str):
        return (make_message(role, value),)
    return messages_field(values, key)


def has_turn(messages: Sequence[Message], role: str) -> bool:
    """Whether somebody in that role says something that is not blank, shows something or calls a tool."""
    return any(m.role == role and (m.text.strip() or m.media or m.tool_calls) for m in messages)


def holds_control_token(messages: Sequence[Message]) -> bool:
    r"""Whether a content holds what a chat template writes around contents, such as `<|im_end|>` or `[INST]`.

    Most tokenizers read such text as the token itself, so that a user's words could end the user's turn.
    """
    return any(writes_control_token(message.text) for message in messages)


def writes_control_token(text: str) -> bool:
    """Whether a text spells such a token."""
    # Most texts hold nothing of the kind, which these tell ten times as fast as the pattern.
    if "<|" not in text and "_of_turn>" not in text and "INST]" not in text:
        return False
    return CONTROL_TOKEN.search(text) is not None


def _message(item: JsonValue, where: str) -> Message:
    if not isinstance(item, dict):
        raise DataError(f"{where} must be an object with 'role' and 'content', not {json_type(item)}")
    role, content = item.get("role"), item.get("content")
    if not isinstance(role, str):
        raise DataError(f"{where}.role must be a text, not {json_type(role)}")
    calls = read_calls(item.get("tool_calls"), f"{where}.tool_calls")
    if content is None and calls:
        content = ""
    return make_message(role, read_content(content, f"{where}.content"), calls)
