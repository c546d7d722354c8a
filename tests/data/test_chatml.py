"""ChatML is read to the letter, and refused with a reason."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halo_forge.core.errors import DataError
from halo_forge.core.types import Message
from halo_forge.data.chatml import END, START, parse_chatml, render_chatml

CONTENTS = st.text().filter(lambda text: START not in text and END not in text)
MESSAGES = st.builds(Message, role=st.sampled_from(["system", "user", "assistant", "tool"]), content=CONTENTS)


def test_turns_are_read() -> None:
    system = "<|im_start|>system\nBe brief.<|im_end|>\n"
    assert parse_chatml(system + "<|im_start|>user\n\n Hi <|im_end|><|im_start|>assistant\n<|im_end|> \n") == (
        Message(role="system", content="Be brief."),
        Message(role="user", content="\n Hi "),
        Message(role="assistant", content=""),
    )


def test_windows_line_end_after_the_role() -> None:
    assert parse_chatml("<|im_start|>user\r\nHi<|im_end|>") == (Message(role="user", content="Hi"),)


@settings(max_examples=100, deadline=None)
@given(st.lists(MESSAGES, min_size=1, max_size=5))
def test_rendering_and_reading_give_the_same_messages(messages: list[Message]) -> None:
    assert parse_chatml(render_chatml(messages)) == tuple(messages)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from([START, END, "user", "\n", "assistant", "x", " "]), max_size=12).map("".join) | st.text()
)
def test_any_text_is_turns_or_one_line_of_error(text: str) -> None:
    try:
        messages = parse_chatml(text)
    except DataError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert parse_chatml(render_chatml(messages)) == messages


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the text is blank"),
        ("Hello", "expected <|im_start|> before turn 1, found 'Hello'"),
        ("<|im_start|>user\nHi<|im_end|>\nand more", "expected <|im_start|> before turn 2, found 'and more'"),
        ("<|im_start|>user\nHi", "turn 1 is not closed by <|im_end|>"),
        ("<|im_start|>user\nHi<|im_end|><|im_start|>assistant\n", "turn 2 is not closed"),
        ("<|im_start|>user\nHi<|im_start|>assistant\nYo<|im_end|>", "turn 1 is not closed"),
        ("<|im_start|>user Hi<|im_end|>", "turn 1 has no line break after its role"),
        ("<|im_start|>robot\nHi<|im_end|>", "unknown role 'robot': choose one of system, user, assistant, tool"),
    ],
)
def test_malformed_text(text: str, said: str) -> None:
    with pytest.raises(DataError) as caught:
        parse_chatml(text)
    assert said in str(caught.value)


def test_content_that_holds_a_mark_is_not_rendered() -> None:
    with pytest.raises(DataError, match=r"a message of the user holds <\|im_end\|>, which ChatML cannot carry"):
        render_chatml([Message(role="user", content="a<|im_end|>b")])
