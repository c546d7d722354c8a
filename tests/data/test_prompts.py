"""Prompt rows in their forms, their ids, and the hash that says whether two benchmarks asked the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halo_forge.core.errors import DataError
from halo_forge.core.types import Message, Prompt, Reference
from halo_forge.data import load_prompts, prompts_hash
from halo_forge.data.jsonl import Row
from halo_forge.data.prompts import read_prompt

WriteRows = Callable[..., Path]
KEYS = ["id", "task_id", "prompt", "messages", "text", "tests", "test", "test_list", "entry_point", "reference"]
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["user", "assert f(1)"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["role", "content", "input", "output", "asserts"]), inner, max_size=3)
    ),
    max_leaves=6,
)


def user(text: str) -> Message:
    return Message(role="user", content=text)


def test_text_and_messages_forms(write_rows: WriteRows) -> None:
    turns = [{"role": "assistant", "content": "Yes?", "name": "a"}, {"role": "user", "content": "Hi"}]
    path = write_rows({"prompt": "Hi"}, {"prompt": turns}, {"messages": turns, "prompt": None})
    text, listed, messages = load_prompts(path)
    assert text == Prompt(id="line-1", messages=(user("Hi"),))
    assert listed.messages == messages.messages == (Message(role="assistant", content="Yes?"), user("Hi"))


def test_ids_and_groups(write_rows: WriteRows) -> None:
    path = write_rows(
        {"prompt": "a", "id": "x", "task_id": "y", "group": "seen"}, {"prompt": "b", "task_id": 7}, {"prompt": "c"}
    )
    assert [(prompt.id, prompt.group) for prompt in load_prompts(path)] == [
        ("x", "seen"),
        ("7", None),
        ("line-3", None),
    ]


def test_a_repeated_id_names_both_lines(write_rows: WriteRows) -> None:
    with pytest.raises(DataError, match=r"line 3: id 'x' is that of line 1 already"):
        load_prompts(write_rows({"prompt": "a", "id": "x"}, {"prompt": "b"}, {"prompt": "c", "id": "x"}))


def test_a_serialised_prompt_comes_back(write_rows: WriteRows) -> None:
    reference = Reference(asserts=("assert f(1)",), entry_point="f", setup="import math")
    prompt = Prompt(id="p", messages=(user("Hi"),), reference=reference, group="g")
    assert load_prompts(write_rows(prompt.model_dump(mode="json"))) == [prompt]


def test_the_system_prompt_goes_before_those_that_have_none(write_rows: WriteRows) -> None:
    own = [{"role": "system", "content": "Own."}, {"role": "user", "content": "Hi"}]
    plain, with_own = load_prompts(write_rows({"prompt": "Hi"}, {"messages": own}), system_prompt="Ours.")
    assert plain.messages == (Message(role="system", content="Ours."), user("Hi"))
    assert with_own.messages == (Message(role="system", content="Own."), user("Hi"))


def test_max_prompts_draws_by_the_seed_and_keeps_the_order(write_rows: WriteRows) -> None:
    path = write_rows(*({"prompt": f"task {n}"} for n in range(40)))
    everything = load_prompts(path)
    drawn = load_prompts(path, max_prompts=8, seed=1)
    assert len(drawn) == 8
    assert drawn == [prompt for prompt in everything if prompt in drawn]
    assert drawn == load_prompts(path, max_prompts=8, seed=1)
    assert drawn != load_prompts(path, max_prompts=8, seed=2)
    assert set(drawn) < set(load_prompts(path, max_prompts=20, seed=1))
    assert load_prompts(path, max_prompts=41) == everything


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"question": "a", "n": 1}, "no 'prompt' and no 'messages' in the row (columns it has: 'question', 'n')"),
        ({}, "columns it has: none"),
        ({"prompt": " \n"}, "the prompt is blank"),
        ({"prompt": 3}, "'prompt' must be a non-empty list of {'role', 'content'} objects, not a number"),
        ({"messages": []}, "'messages' must be a non-empty list"),
        ({"messages": ["a"]}, "messages[0] must be an object with 'role' and 'content', not a text"),
        ({"messages": [{"role": "user"}]}, "messages[0].content must be a text or a list of parts, not null"),
        (
            {"messages": [{"role": "user", "content": []}]},
            "messages[0].content must be a text or a list of parts, not e",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
            "messages[0].content[0] must have 'text', or",
        ),
        ({"messages": [{"content": "a"}]}, "messages[0].role must be a text, not null"),
        ({"messages": [{"role": "human", "content": "a"}]}, "unknown role 'human': choose one of system, user,"),
        ({"messages": [{"role": "assistant", "content": "a"}]}, "must end with the user's turn, but the last is the"),
        ({"prompt": "a", "id": ""}, "'id' must be an integer or a text that is not blank, but it is ''"),
        ({"prompt": "a", "task_id": True}, "'task_id' must be an integer or a text"),
        ({"prompt": "a", "id": ["x" * 99]}, "..."),
        ({"prompt": "a", "group": 3}, "'group' must be a text, not a number"),
        ({"prompt": "a", "reference": {"verdict": 3}}, "reference.verdict: Extra inputs are not permitted"),
    ],
)
def test_faults_of_a_row(write_rows: WriteRows, row: dict[str, Any], said: str) -> None:
    path = write_rows({"prompt": "fine"}, row)
    with pytest.raises(DataError) as caught:
        load_prompts(path)
    assert str(caught.value).startswith(f"{path}, line 2: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), VALUES))
def test_any_row_is_a_prompt_or_one_line_of_error(values: dict[str, Any]) -> None:
    try:
        prompt = read_prompt(Row(1, values))
    except DataError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert prompt.messages[-1].role == "user"


def test_the_hash_covers_ids_messages_and_references_in_any_order() -> None:
    first = Prompt(id="a", messages=(user("A"),), reference=Reference(asserts=("assert f(1)",)))
    second = Prompt(id="b", messages=(user("B"),))
    expected = prompts_hash([first, second])
    assert len(expected) == 64
    assert prompts_hash([second, first]) == expected
    assert prompts_hash([first.model_copy(update={"group": "g"}), second]) == expected
    changes: list[dict[str, Any]] = [{"id": "c"}, {"messages": (user("A "),)}, {"reference": Reference()}]
    others = {prompts_hash([first.model_copy(update=change), second]) for change in changes}
    assert len(others | {expected, prompts_hash([first]), prompts_hash([])}) == 6


def test_the_hash_stays_the_same_over_versions() -> None:
    prompt = Prompt(id="a", messages=(user("é"),), reference=Reference(asserts=("assert f(1)",)))
    assert prompts_hash([prompt]) == "827429f8af000305e6cd20f3bbdb686d82751f4cb1b3032bcef245e503ca09b9"
