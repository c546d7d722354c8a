"""Tools in a chat: by the model's own template where that writes calls as Hermes does, else by a system turn of ours.

Calls are read in one form, that of Hermes (https://github.com/NousResearch/Hermes-Function-Calling), which Qwen2.5 and
many others are trained on:

    <tool_call>
    {"name": "get_weather", "arguments": {"city": "Oslo"}}
    </tool_call>

A template that leaves tools out, or writes calls in another form, is not shown them: its system turn then says what
`SYSTEM` says, calls of earlier turns are written into their text, and results go back in a user's turn.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from pydantic import JsonValue

from halo_forge.core.types import Message, ToolCall

Tools = Sequence[dict[str, JsonValue]]

CALL_OPEN, CALL_CLOSE = "<tool_call>", "</tool_call>"
SYSTEM = (
    "You may call one or more of the functions below to help with the user's question. Their signatures, as JSON "
    "schemas, are between <tools> and </tools>:\n<tools>\n{tools}\n</tools>\n\n"
    "For each call write a JSON object with its name and arguments between <tool_call> and </tool_call>:\n"
    '<tool_call>\n{{"name": <function-name>, "arguments": <arguments-object>}}\n</tool_call>\n'
    "If none of the functions fits, call none and say so."
)
WRITTEN_CALL = re.compile(r"<tool_call>\s*(\{.*?\})\s*</tool_call>", re.DOTALL)
PROBE_TOOL: dict[str, JsonValue] = {
    "type": "function",
    "function": {
        "name": "probe_of_tools",
        "description": "Looks.",
        "parameters": {"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]},
    },
}
PROBE_CALL = ToolCall(name="probe_of_tools", arguments={"at": "it"})


def writes_calls(tokenizer: Any) -> bool:
    """Whether the chat template shows tools and writes calls as Hermes does."""
    asked = {"role": "user", "content": "a"}
    called = {"role": "assistant", "content": "", "tool_calls": [as_tool_call(PROBE_CALL)]}
    try:
        shown = tokenizer.apply_chat_template([asked], tools=[PROBE_TOOL], tokenize=False, add_generation_prompt=True)
        answered = tokenizer.apply_chat_template([asked, called], tools=[PROBE_TOOL], tokenize=False)
    except Exception:  # noqa: BLE001  a template may raise whatever it likes at what it does not know
        return False
    written = WRITTEN_CALL.findall(answered[len(shown) :])
    try:
        return PROBE_CALL.name in shown and [json.loads(text) for text in written] == [PROBE_CALL.model_dump()]
    except ValueError:
        return False


def as_tool_call(call: ToolCall) -> dict[str, object]:
    """A call as chat templates take it."""
    return {"type": "function", "function": call.model_dump()}


def written_out(messages: Sequence[Message], tools: Tools) -> list[Message]:
    """Write tools, calls and results into the text of turns that every template knows."""
    said = [_spoken(message) for message in messages]
    if not tools:
        return said
    system = SYSTEM.format(tools="\n".join(json.dumps(tool, ensure_ascii=False) for tool in tools))
    if said and said[0].role == "system":
        return [Message(role="system", content=f"{said[0].text}\n\n{system}"), *said[1:]]
    return [Message(role="system", content=system), *said]


def _spoken(message: Message) -> Message:
    if message.role == "tool":
        return Message(role="user", content=f"<tool_response>\n{message.text}\n</tool_response>")
    if not message.tool_calls:
        return message
    calls = [json.dumps(call.model_dump(), ensure_ascii=False) for call in message.tool_calls]
    parts = [message.text] if message.text else []
    parts += [f"{CALL_OPEN}\n{call}\n{CALL_CLOSE}" for call in calls]
    return Message(role=message.role, content="\n".join(parts))
