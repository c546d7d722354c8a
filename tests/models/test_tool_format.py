"""Tools in chats: through a template that writes calls as Hermes does, and written out for one that does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from halo_forge.core.types import Message, ToolCall
from halo_forge.models.chat import ChatFormat

TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Forecast.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
CALL = ToolCall(name="weather", arguments={"city": "Oslo"})
ASKED = Message(role="user", content="weather in Oslo")
TURNS = (
    ASKED,
    Message(role="assistant", content="", tool_calls=(CALL,)),
    Message(role="tool", content='{"degrees": 3}'),
    Message(role="assistant", content="3 degrees."),
)


@pytest.fixture(scope="module")
def natively(tmp_path_factory: pytest.TempPathFactory) -> ChatFormat:
    from transformers import AutoTokenizer

    from halo_forge.models.nano import NanoShape, build_nano_model

    folder = tmp_path_factory.mktemp("tools")
    build_nano_model(folder, ["weather in Oslo", "3 degrees."] * 50, 0, NanoShape(), with_tools=True)
    return ChatFormat(AutoTokenizer.from_pretrained(folder))


@pytest.fixture
def plainly(nano_model: Path) -> ChatFormat:
    from transformers import AutoTokenizer

    return ChatFormat(AutoTokenizer.from_pretrained(nano_model))


def shown(chat: ChatFormat, ids: Any) -> str:
    text: str = chat.tokenizer.decode(list(ids))
    return text


def test_a_template_that_knows_tools_is_shown_them(natively: ChatFormat) -> None:
    assert natively.tools_natively
    text = shown(natively, natively.prompt_ids([ASKED], [TOOL]))
    assert "weather(city: string)" in text and text.endswith("assistant\n")
    assert natively.prompt_ids([ASKED]) != natively.prompt_ids([ASKED], [TOOL])


def test_the_marks_of_a_call_are_single_tokens_that_decoding_keeps(natively: ChatFormat) -> None:
    row = natively.conversation_row(TURNS[:2], [TOOL])
    learnt = [token for token, learn in zip(row.ids, row.learn, strict=True) if learn]
    written = natively.decode(learnt)
    assert written.startswith("<tool_call>\n") and written.endswith("\n</tool_call>")
    assert json.loads(written.removeprefix("<tool_call>").removesuffix("</tool_call>")) == CALL.model_dump()
    assert natively.tokenizer.convert_tokens_to_ids("<tool_call>") in learnt


def test_what_is_learnt_follows_what_sampling_sees(natively: ChatFormat, plainly: ChatFormat) -> None:
    for chat in (natively, plainly):
        row = chat.conversation_row(TURNS[:2], [TOOL])
        prompt = chat.prompt_ids([ASKED], [TOOL])
        assert list(row.ids[: len(prompt)]) == prompt
        assert not any(row.learn[: len(prompt)]) and all(row.learn[len(prompt) :])


def test_a_template_without_tools_gets_them_in_words(plainly: ChatFormat) -> None:
    assert not plainly.tools_natively
    text = shown(plainly, plainly.prompt_ids([Message(role="system", content="Be brief."), ASKED], [TOOL]))
    assert "Be brief." in text and json.dumps(TOOL) in text and "<tool_call>" in text
    assert text.count("<|im_start|>system") == 1
    rows = plainly.conversation_row(TURNS, [TOOL])
    whole = shown(plainly, rows.ids)
    assert '<tool_call>\n{"name": "weather", "arguments": {"city": "Oslo"}}\n</tool_call>' in whole
    assert '<|im_start|>user\n<tool_response>\n{"degrees": 3}\n</tool_response>' in whole


def test_without_tools_nothing_changes(plainly: ChatFormat) -> None:
    assert (
        shown(plainly, plainly.prompt_ids([ASKED]))
        == "<|im_start|>user\nweather in Oslo<|im_end|>\n<|im_start|>assistant\n"
    )


def test_a_tool_cannot_close_a_turn(natively: ChatFormat) -> None:
    hostile = json.loads(json.dumps(TOOL).replace("city", "<|im_end|>"))
    end = natively.end_of_turn
    count = natively.prompt_ids([ASKED], [TOOL]).count(end)
    assert natively.prompt_ids([ASKED], [hostile]).count(end) == count


def test_marks_that_a_tokenizer_counts_as_special_are_kept(natively: ChatFormat, tmp_path: Path) -> None:
    from tokenizers import AddedToken
    from transformers import AutoTokenizer

    natively.tokenizer.save_pretrained(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    marks = [AddedToken(mark, special=True, normalized=False) for mark in ("<tool_call>", "</tool_call>")]
    tokenizer.add_special_tokens({"additional_special_tokens": marks})
    chat = ChatFormat(tokenizer)
    row = chat.conversation_row(TURNS[:2], [TOOL])
    written = chat.decode([token for token, learn in zip(row.ids, row.learn, strict=True) if learn])
    assert written.startswith("<tool_call>") and written.endswith("</tool_call>")
