"""Images, audio, calls and tools in rows, and files that were written before there were any."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from halo_forge.core.errors import DataError
from halo_forge.core.types import Conversation, MediaPart, Message, Prompt, Reference, TextPart, ToolCall
from halo_forge.data import load_conversations, load_prompts, prompts_hash
from halo_forge.data.parts import read_calls, read_content, read_tools

TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
# A prompt and a conversation as they were written before messages had parts.
OLD_PROMPT = '{"id":"a","messages":[{"role":"user","content":"Hi"}],"reference":{"asserts":["assert f()"],"cases":[],"check":null,"setup":"","entry_point":null,"required":[],"stub":"","solution":null},"group":null}'  # noqa: E501
OLD_HASH = "eb0a9a7aa71feb4d624a3fe1b4f2ac55632589165e6d451c057061366d6f664c"


def test_a_file_written_before_reads_as_it_did() -> None:
    old = Prompt.model_validate_json(OLD_PROMPT)
    assert old == Prompt(
        id="a", messages=(Message(role="user", content="Hi"),), reference=Reference(asserts=("assert f()",))
    )
    assert old.messages[0].text == "Hi"
    assert old.messages[0].media == ()
    assert prompts_hash([old]) == OLD_HASH


def test_parts_calls_and_tools_survive_a_file(write_rows: Callable[..., Path]) -> None:
    image = MediaPart(kind="image", path="/rows.media/a.png", sha256="ab")
    asked = Message(role="user", content=(image, TextPart(text="What is "), TextPart(text="this?")))
    call = ToolCall(name="look", arguments={"at": [1, 2.5, None], "deep": {"x": True}})
    prompt = Prompt(
        id="a",
        messages=(asked,),
        tools=(TOOL,),
        reference=Reference(answer="7", answers=("7", "7"), choices=("7", "8"), transcript="seven", calls=(call,)),
    )
    assert asked.text == "What is this?"
    assert asked.media == (image,)
    assert load_prompts(write_rows(json.loads(prompt.model_dump_json()))) == [prompt]
    row = Conversation(
        id="c",
        messages=(asked, Message(role="assistant", content="", tool_calls=(call,)), Message(role="tool", content="{}")),
        tools=(TOOL,),
    )
    assert load_conversations(write_rows(json.loads(row.model_dump_json()))).conversations == [row]


def test_the_forms_of_chat_servers_are_read() -> None:
    content = [{"type": "image", "path": "a.png"}, {"type": "text", "text": "Hi"}]
    assert read_content(content, "content") == (MediaPart(kind="image", path="a.png"), TextPart(text="Hi"))
    calls: list[Any] = [
        {"id": "1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}},
        {"name": "stop"},
    ]
    assert read_calls(calls, "calls") == (ToolCall(name="add", arguments={"a": 1}), ToolCall(name="stop"))
    assert read_tools({"tools": json.dumps([TOOL])}) == (TOOL,)
    assert read_tools({"tools": None}) == read_tools({"tools": ""}) == read_tools({}) == ()


@pytest.mark.parametrize(
    ("read", "value", "text"),
    [
        (read_content, [3], "x[0] must be an object with 'text', or with 'kind' and 'path', not a number"),
        (read_content, [{"kind": "video", "path": "a"}], "x[0] must have 'text', or 'kind' (image or audio)"),
        (read_calls, {"name": "a"}, "x must be a list of calls, not an object"),
        (read_calls, [{"arguments": {}}], "x[0] must be an object with 'name' and 'arguments', but it is"),
        (read_calls, [{"name": "a", "arguments": "{"}], "'x[0].arguments' is not JSON ("),
        (read_calls, [{"name": "a", "arguments": "[]"}], "x[0].arguments must be an object, not an array"),
    ],
)
def test_what_cannot_be_read_is_named(read: Callable[[Any, str], object], value: Any, text: str) -> None:
    with pytest.raises(DataError) as caught:
        read(value, "x")
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize("value", ["{", "{}", [3], 3])
def test_tools_that_are_no_list_of_objects(value: Any) -> None:
    with pytest.raises(DataError, match="'tools'"):
        read_tools({"tools": value})
