from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halo_forge.core.types import Message, Prompt, Stage, Verdict
from halo_forge.rollout.wire import Refusal, Result, Task, Unframer, framed


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))), st.data())
def test_messages_arrive_however_the_stream_is_cut(texts: list[str], data: st.DataObject) -> None:
    stream = b"".join(framed(Refusal(error="", text=text)) for text in texts)
    unframer, got = Unframer(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        got += [Refusal.model_validate_json(message).text for message in unframer.feed(stream[:size])]
        stream = stream[size:]
    assert got == texts


def test_a_reader_that_stops_between_two_messages_loses_none() -> None:
    unframer = Unframer()
    stream = b"".join(framed(Refusal(error="", text=text)) for text in "abc")
    assert b'"a"' in next(unframer.feed(stream))
    assert [Refusal.model_validate_json(message).text for message in unframer.feed(b"")] == ["b", "c"]


def test_nonsense_is_refused_before_memory_is_spent_on_it() -> None:
    with pytest.raises(ValueError, match="4294967295 bytes"):
        list(Unframer().feed(b"\xff" * 8))


def test_records_survive_the_way() -> None:
    prompt = Prompt(id="p", messages=(Message(role="user", content="ü\n\0"),))
    verdict = Verdict(reward=None, passed=False, stage=Stage.RUN, fault="x", wall_s=0.1)
    for record in (Task(number=7, prompt=prompt, text="int main() {}"), Result(number=7, verdict=verdict)):
        (message,) = Unframer().feed(framed(record))
        assert type(record).model_validate_json(message) == record
