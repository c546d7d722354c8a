"""Chats with tool calls, written out as text by Glaive and Hermes, as messages with calls."""

from __future__ import annotations

import ast
import json
import re

from pydantic import JsonValue

from halo_forge.core.errors import DataError
from halo_forge.core.types import Message, ToolCall
from halo_forge.data.catalog.tool_schemas import function_tool
from halo_forge.data.fields import shortened
from halo_forge.data.jsonl import JsonObject
from halo_forge.data.messages import make_message
from halo_forge.data.parts import read_calls

GLAIVE_TURN = re.compile(r"(?:\A|\n)\s*(USER|ASSISTANT|FUNCTION RESPONSE):")
GLAIVE_ROLES = {"USER": "user", "ASSISTANT": "assistant", "FUNCTION RESPONSE": "tool"}
GLAIVE_CALL = re.compile(r"<functioncall>(.*)\Z", re.DOTALL)
QUOTED_ARGUMENTS = re.compile(r"(\"arguments\"\s*:\s*)'(.*)'(\s*\})\s*\Z", re.DOTALL)
HERMES_ROLES = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "tool": "tool"}
HERMES_CALL = re.compile(r"<tool_call>\s*(.*?)\s*</tool_call>", re.DOTALL)
HERMES_RESPONSE = re.compile(r"</?tool_response>")


def glaive_tools(system: str) -> tuple[JsonObject, ...]:
    """Return the tools of a Glaive system text: JSON objects one after the other, after the first brace.

    Raises:
        DataError: what stands there is no JSON.
    """
    tools: list[JsonObject] = []
    decoder = json.JSONDecoder()
    place = system.find("{")
    while place >= 0:
        try:
            tool, end = decoder.raw_decode(system, place)
        except ValueError as error:
            raise DataError(f"a tool in 'system' is not JSON: {shortened(system[place:])}") from error
        tools.append(function_tool(tool))
        place = system.find("{", end)
    return tuple(tools)


def glaive_messages(chat: str) -> tuple[Message, ...]:
    """Return the turns of a Glaive chat; () where it does not begin with the user, or a call in it is not JSON."""
    marks = list(GLAIVE_TURN.finditer(chat))
    messages: list[Message] = []
    for mark, following in zip(marks, [*marks[1:], None], strict=True):
        text = chat[mark.end() : following.start() if following else len(chat)]
        text = text.replace("<|endoftext|>", "").strip()
        role = GLAIVE_ROLES[mark[1]]
        found = GLAIVE_CALL.search(text) if role == "assistant" else None
        call = None if found is None else _glaive_call(found[1])
        if found is not None and call is None:
            return ()
        said = text if found is None else text[: found.start()].strip()
        messages.append(make_message(role, said, () if call is None else (call,)))
    return tuple(messages) if messages and messages[0].role == "user" else ()


def hermes_messages(values: JsonObject) -> tuple[Message, ...]:
    """Return the turns of a Hermes row without the system's; () where a call in it cannot be read.

    Raises:
        DataError: `conversations` is not a list of `{"from", "value"}`.
    """
    listed = values.get("conversations")
    if not isinstance(listed, list):
        raise DataError("'conversations' must be a list of {'from', 'value'} objects")
    messages: list[Message] = []
    for item in listed:
        said = item.get("value") if isinstance(item, dict) else None
        if not isinstance(item, dict) or not isinstance(said, str):
            raise DataError(f"a turn must be an object with 'from' and 'value', but it is {shortened(item)}")
        if item.get("from") == "system":
            continue
        role = HERMES_ROLES.get(str(item.get("from")))
        if role is None:
            raise DataError(f"unknown speaker {shortened(item.get('from'))}: expected one of {', '.join(HERMES_ROLES)}")
        calls = _hermes_calls(said) if role == "assistant" else ()
        if calls is None:
            return ()
        text = HERMES_CALL.sub("", said) if calls else said
        messages.append(
            make_message(role, HERMES_RESPONSE.sub("", text).strip() if role == "tool" or calls else text, calls)
        )
    return tuple(messages)


def _glaive_call(text: str) -> ToolCall | None:
    """Read `{"name": "f", "arguments": '{"a": 1}'}`, in which the arguments are JSON between single quotes."""
    text = QUOTED_ARGUMENTS.sub(lambda match: match[1] + match[2].replace("\\'", "'") + match[3], text.strip())
    try:
        return read_calls([json.loads(text)], "call")[0]
    except (ValueError, RecursionError):
        return None


def _hermes_calls(text: str) -> tuple[ToolCall, ...] | None:
    calls: list[ToolCall] = []
    for block in HERMES_CALL.findall(text):
        try:
            calls += read_calls([_literal(block)], "call")
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            return None
    return tuple(calls)


def _literal(text: str) -> JsonValue:
    """Read JSON, or the same written as Python writes it, which many rows have."""
    try:
        found: JsonValue = json.loads(text)
    except ValueError:
        found = json.loads(json.dumps(ast.literal_eval(text)))
    return found
