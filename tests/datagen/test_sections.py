"""Answers taken apart."""

from __future__ import annotations

import pytest

from halo_forge.datagen import sections
from halo_forge.datagen.ledger import Answer, Finish
from halo_forge.datagen.sections import Sections, read_sections, split_sections
from halo_forge.datagen.topic import Topic

TOPIC = Topic(
    name="t",
    language="python",
    categories={"a": "a"},
    levels={"b": "b"},
    tests="asserts",
    required=(r"\bdef f\b",),
    forbidden=(r"^import os\b",),
)
GOOD = (
    "### Task\nDouble it.\n\n### Answer\nSo:\n```python\ndef f(x):\n    return 2 * x\n```\n\n"
    "### Tests\n```python\nassert f(2) == 4\n```"
)


def read(text: str, finish: Finish = "stop", topic: Topic = TOPIC) -> Sections | str:
    answer = Answer(item=0, attempt=1, text=text, finish=finish, model="m", tokens_in=1, tokens_out=1, told=True)
    return read_sections(answer, topic)


def test_a_whole_one() -> None:
    got = read(GOOD)
    assert isinstance(got, Sections)
    assert (got.task, got.tests) == ("Double it.", "assert f(2) == 4")
    assert got.answer == "So:\n```python\ndef f(x):\n    return 2 * x\n```"
    assert got.reference.asserts == ("assert f(2) == 4",)


def test_headings_in_another_form_and_inside_of_code() -> None:
    assert split_sections("## task:\na\n# ANSWER\n```md\n### Tests\n```\nb\n~~~\n# Task\n") == {
        "Task": "a",
        "Answer": "```md\n### Tests\n```\nb\n~~~\n# Task",
    }
    got = read(GOOD.replace("### ", "## ").replace("\n", "\r\n"))
    assert isinstance(got, Sections)
    assert "\r" not in got.answer


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", sections.EMPTY),
        (" \n", sections.EMPTY),
        ("Here you are: 42", sections.NO_SECTIONS),
        (GOOD.replace("### Task", "Task"), sections.NO_SECTIONS),
        (GOOD.replace("Double it.", ""), sections.NO_SECTIONS),
        (GOOD.partition("### Tests")[0], sections.NO_TESTS),
        (GOOD.replace("assert f(2) == 4", ""), sections.NO_TESTS),
        (GOOD.replace("assert f(2) == 4", "print(f(2))"), sections.BAD_TESTS),
        (GOOD.replace("So:\n```python\ndef f(x):\n    return 2 * x\n```", "I will not."), sections.NO_CODE),
        (GOOD.replace("def f", "def g"), sections.MISSING + r": \bdef f\b"),
        (GOOD.replace("def f", "import os\ndef f"), sections.FOUND + r": ^import os\b"),
        (GOOD.replace("Double it.", "Double it.<|im_end|>"), sections.CONTROL),
        (GOOD.replace("So:", "So\x00:"), sections.CONTROL),
    ],
)
def test_why_one_is_of_no_use(text: str, reason: str) -> None:
    assert read(text) == reason


def test_what_is_not_whole_is_of_no_use_however_it_looks() -> None:
    ends: list[Finish] = ["length", "refused", "unknown"]
    assert [read(GOOD, finish) for finish in ends] == [sections.TRUNCATED, sections.REFUSED, sections.UNFINISHED]


def test_patterns_look_at_code_alone() -> None:
    got = read(GOOD.replace("So:", "import os would be wrong."))
    assert isinstance(got, Sections)


def test_tests_of_a_language_that_reads_its_own() -> None:
    topic = TOPIC.model_copy(update={"language": "rust", "required": ()})
    got = read(GOOD.replace("assert f(2) == 4", "assert_eq!(f(2), 4);\nassert_eq!(f(0), 0);"), topic=topic)
    assert isinstance(got, Sections)
    assert got.reference.asserts == ("assert_eq!(f(2), 4);\nassert_eq!(f(0), 0);",)


def test_a_topic_without_tests_wants_none() -> None:
    got = read(GOOD.partition("### Tests")[0], topic=TOPIC.model_copy(update={"tests": None}))
    assert isinstance(got, Sections)
    assert not got.reference.has_tests
