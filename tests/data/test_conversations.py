"""Supervised rows in their forms, what is dropped, and what is noted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halo_forge.core.errors import DataError
from halo_forge.core.types import Message
from halo_forge.data import Loaded, load_conversations
from halo_forge.data.conversations import CONTROL_TOKENS, NO_ANSWER, NO_QUESTION, read_conversation
from halo_forge.data.jsonl import Row

WriteRows = Callable[..., Path]
ASKED, ANSWERED = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}
TURNS = (Message(role="user", content="Hi"), Message(role="assistant", content="Yo"))
CHATML = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nYo<|im_end|>\n"
FORMS: list[dict[str, Any]] = [
    {"messages": [ASKED, ANSWERED]},
    {"prompt": "Hi", "completion": "Yo"},
    {"prompt": [ASKED], "completion": [ANSWERED]},
    {"instruction": "Hi", "output": "Yo"},
    {"instruction": "Hi", "input": "", "output": "Yo"},
    {"text": CHATML},
]
KEYS = ["id", "text", "messages", "prompt", "completion", "instruction", "input", "output"]
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers() | st.text(max_size=8) | st.sampled_from(["user", "assistant", CHATML]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["role", "content"]), inner, max_size=2)
    ),
    max_leaves=6,
)


def test_the_forms_say_the_same_and_may_be_mixed(write_rows: WriteRows) -> None:
    loaded = load_conversations(write_rows(*FORMS))
    assert [row.messages for row in loaded.conversations] == [TURNS] * len(FORMS)
    assert [row.id for row in loaded.conversations] == [f"line-{n}" for n in range(1, len(FORMS) + 1)]
    assert loaded[1:] == ({}, {}, None)


def test_columns_filled_with_null_are_absent(write_rows: WriteRows) -> None:
    empty = dict.fromkeys(KEYS)
    loaded = load_conversations(write_rows(*({**empty, **form, "id": n} for n, form in enumerate(FORMS))))
    assert [row.messages for row in loaded.conversations] == [TURNS] * len(FORMS)
    assert loaded.conversations[0].id == "0"


def test_alpaca_input_follows_the_instruction(write_rows: WriteRows) -> None:
    loaded = load_conversations(write_rows({"instruction": "Sum up.", "input": "A text.", "output": "Yo"}))
    assert loaded.conversations[0].messages[0].content == "Sum up.\n\nA text."


def test_alpaca_rows_with_a_rendered_text_beside_are_read_from_their_columns(write_rows: WriteRows) -> None:
    loaded = load_conversations(write_rows({"instruction": "Hi", "output": "Yo", "text": "### Instruction: Hi"}))
    assert loaded.conversations[0].messages == TURNS


def test_rows_that_teach_nothing_are_dropped_and_counted(write_rows: WriteRows) -> None:
    path = write_rows(
        {"prompt": "Hi", "completion": "Yo"},
        {"prompt": "Hi", "completion": " \n"},
        {"messages": [ASKED]},
        {"prompt": "", "completion": "Yo"},
    )
    loaded = load_conversations(path)
    assert [row.id for row in loaded.conversations] == ["line-1"]
    assert loaded.dropped == {NO_ANSWER: 2, NO_QUESTION: 1}


def test_nothing_left_is_an_error(write_rows: WriteRows) -> None:
    with pytest.raises(DataError, match=r"no row to learn from: 2 without text of the assistant$"):
        load_conversations(write_rows({"messages": [ASKED]}, {"prompt": "Hi", "completion": ""}))


@pytest.mark.parametrize("token", ["<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<end_of_turn>", "[/INST]"])
def test_control_tokens_inside_messages_are_noted_and_left(write_rows: WriteRows, token: str) -> None:
    path = write_rows({"prompt": f"What is {token}?", "completion": "Yo"}, {"prompt": "x <| y |>", "completion": "Yo"})
    loaded = load_conversations(path)
    assert loaded.noted == {CONTROL_TOKENS: 1}
    assert loaded.conversations[0].messages[0].content == f"What is {token}?"


def test_max_samples_draws_from_the_usable_rows(write_rows: WriteRows) -> None:
    path = write_rows(*({"prompt": f"task {n}", "completion": "" if n % 2 else "Yo"} for n in range(20)))
    loaded = load_conversations(path, max_samples=6, seed=3)
    assert isinstance(loaded, Loaded)
    assert len(loaded.conversations) == 6
    assert loaded.conversations == sorted(loaded.conversations, key=lambda row: int(row.id.removeprefix("line-")))
    assert loaded == load_conversations(path, max_samples=6, seed=3)
    assert loaded.conversations != load_conversations(path, max_samples=6, seed=4).conversations
    assert loaded.dropped == {NO_ANSWER: 10}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            {"prompt": "a"},
            "a row needs 'messages', 'audio' with 'transcript', 'prompt' with 'completion', 'instruction' with",
        ),
        ({"question": "a"}, "(columns it has: 'question')"),
        ({"text": "Hello"}, "not ChatML: expected <|im_start|> before turn 1"),
        ({"text": 3}, "'text' must be a text, not a number"),
        ({"messages": [{"role": "gpt", "content": "a"}]}, "unknown role 'gpt'"),
        ({"messages": "a"}, "'messages' must be a non-empty list"),
        ({"prompt": 3, "completion": "a"}, "'prompt' must be a non-empty list"),
        ({"prompt": "a", "completion": {}}, "'completion' must be a non-empty list"),
        ({"instruction": ["a"], "output": "b"}, "'instruction' must be a text, not an array"),
        ({"instruction": "a", "input": 3, "output": "b"}, "'input' must be a text, not a number"),
    ],
)
def test_faults_of_a_row(write_rows: WriteRows, row: dict[str, Any], said: str) -> None:
    path = write_rows(FORMS[0], row)
    with pytest.raises(DataError) as caught:
        load_conversations(path)
    assert str(caught.value).startswith(f"{path}, line 2: ")
    assert said in str(caught.value)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), VALUES))
def test_any_row_is_a_conversation_or_one_line_of_error(values: dict[str, Any]) -> None:
    try:
        read_conversation(Row(1, values))
    except DataError as error:
        assert len(str(error).splitlines()) == 1
