"""Bodies of servers, read with care."""

from __future__ import annotations

import pytest
from pydantic import JsonValue

from halo_forge.datagen.reply import Reply, UnreadableReply, read_anthropic, read_openai


def openai(content: JsonValue, finish: JsonValue = "stop", usage: JsonValue = None, **message: JsonValue) -> JsonValue:
    return {
        "model": "m",
        "choices": [{"message": {"content": content, **message}, "finish_reason": finish}],
        "usage": usage,
    }


USED: JsonValue = {"prompt_tokens": 3, "completion_tokens": 2}


def test_a_plain_one() -> None:
    assert read_openai(openai("hi", usage=USED)) == Reply("hi", "stop", "m", 3, 2)


@pytest.mark.parametrize(
    ("finish", "read"), [("length", "length"), ("content_filter", "refused"), (None, "unknown"), ("eos", "unknown")]
)
def test_why_it_ended(finish: JsonValue, read: str) -> None:
    assert read_openai(openai("hi", finish)).finish == read


def test_a_refusal() -> None:
    assert read_openai(openai(None, usage=USED, refusal="no")) == Reply("", "refused", "m", 3, 2)


@pytest.mark.parametrize(
    "usage",
    [
        None,
        [],
        "3",
        {"prompt_tokens": -1, "completion_tokens": -5},
        {"prompt_tokens": "3", "completion_tokens": "2"},
        {"prompt_tokens": True, "completion_tokens": True},
        {"prompt_tokens": 0, "completion_tokens": 0},
        {"prompt_tokens": 1.5, "completion_tokens": 2.5},
    ],
)
def test_counts_that_cannot_be_true_are_not_believed(usage: JsonValue) -> None:
    reply = read_openai(openai("hi", usage=usage))
    assert (reply.tokens_in, reply.tokens_out) == (None, None)


def test_an_empty_answer_may_have_taken_no_tokens() -> None:
    reply = read_openai(openai("", usage={"prompt_tokens": 3, "completion_tokens": 0}))
    assert (reply.text, reply.tokens_out) == ("", 0)


@pytest.mark.parametrize(
    "body",
    [None, [], "x", {}, {"choices": []}, {"choices": [1]}, {"choices": [{"message": "x"}]}, {"choices": {}}],
)
def test_what_is_no_completion(body: JsonValue) -> None:
    with pytest.raises(UnreadableReply):
        read_openai(body)


def test_halves_of_surrogate_pairs() -> None:
    assert read_openai(openai("a\ud83d\ude00b\ud800")).text == "a\U0001f600b\ufffd"


def test_anthropics() -> None:
    body: JsonValue = {
        "model": "c",
        "content": [
            {"type": "thinking", "thinking": "x"},
            {"type": "text", "text": "a"},
            {"type": "text", "text": "b"},
        ],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 0, "cache_read_input_tokens": 7, "output_tokens": 4},
    }
    assert read_anthropic(body) == Reply("ab", "stop", "c", 7, 4)
    for reason, finish in (("max_tokens", "length"), ("refusal", "refused"), ("pause_turn", "unknown")):
        assert read_anthropic({**body, "stop_reason": reason}).finish == finish
    with pytest.raises(UnreadableReply):
        read_anthropic({"content": "a"})
