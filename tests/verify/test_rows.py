from __future__ import annotations

import io
from pathlib import Path

import pytest

from halo_forge.core.errors import DataError
from halo_forge.core.types import IoCase
from halo_forge.data.jsonl import JsonObject, Row
from halo_forge.verify.rows import make_submission, read_source, read_submission

CHECK = "def check(candidate):\n    assert candidate(1) == 2\n"


def read(**values: object) -> tuple[str, str, object]:
    submission = read_submission(Row(3, values))  # type: ignore[arg-type]
    return submission.prompt.id, submission.text, submission.prompt.reference


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"prompt": "def f(x):", "test": CHECK, "entry_point": "f", "task_id": "HumanEval/1"}, {"check": CHECK}),
        ({"test": CHECK, "entry_point": "f"}, {"check": CHECK, "stub": ""}),
        ({"text": "Write f.", "test_list": ["assert f(1) == 2"]}, {"asserts": ("assert f(1) == 2",)}),
        ({"test_list": ["assert f(1) == 2"]}, {"asserts": ("assert f(1) == 2",)}),
        ({"prompt": "p", "tests": "assert f(1) == 2"}, {"asserts": ("assert f(1) == 2",)}),
        ({"tests": [{"input": "1", "output": "2"}]}, {"cases": (IoCase(input="1", output="2"),)}),
        ({"reference": {"asserts": ["assert f(1) == 2"]}}, {"asserts": ("assert f(1) == 2",)}),
        ({"messages": [{"role": "user", "content": "p"}], "entry_point": "f"}, {"entry_point": "f"}),
        ({"text": "of no meaning here", "tests": "assert f(1) == 2"}, {"asserts": ("assert f(1) == 2",)}),
        ({}, {"asserts": ()}),
    ],
)
def test_a_prompt_row_with_a_completion(values: JsonObject, expected: dict[str, object]) -> None:
    name, text, reference = read(completion="the answer", **values)
    assert name == values.get("task_id", "line-3")
    assert text == "the answer"
    assert {field: getattr(reference, field) for field in expected} == expected


def test_a_completion_as_messages() -> None:
    turns = [{"role": "assistant", "content": "a"}, {"role": "assistant", "content": "b"}]
    assert read(completion=turns)[1] == "b"
    assert read(completion="")[1] == ""


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"prompt": "p"}, r"no 'completion' in the row \(columns it has: 'prompt'\)"),
        ({"completion": None}, "no 'completion'"),
        ({"completion": 3}, "'completion' must be a non-empty list of .* not a number"),
        ({"completion": [{"role": "user", "content": "x"}]}, "must end with the assistant's turn"),
        ({"completion": "x", "tests": 3}, "'tests' must be"),
        ({"completion": "x", "prompt": " "}, "the prompt is blank"),
    ],
)
def test_rows_that_cannot_be_used(values: JsonObject, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_submission(Row(1, values))


def test_the_bytes_of_the_rows_are_those_of_the_file() -> None:
    content = b'\xef\xbb\xbf{"completion": "a"}\r\n\n  \n{"completion": "b"}\n{"completion": "c"}'
    rows = list(read_source(io.BytesIO(content), Path("in.jsonl"), 0))
    assert b"".join(row.raw for row in rows) == content
    assert [row.submission.prompt.id for row in rows] == ["line-1", "line-4", "line-5"]
    rest = list(read_source(io.BytesIO(content[len(rows[0].raw) :]), Path("in.jsonl"), 1))
    assert [row.submission.prompt.id for row in rest] == ["line-4", "line-5"]


def test_a_bad_line_is_named() -> None:
    rows = read_source(io.BytesIO(b'{"completion": "a"}\n\n{"completion": \n'), Path("in.jsonl"), 10)
    assert next(rows).submission.prompt.id == "line-11"
    with pytest.raises(DataError, match=r"in\.jsonl, line 13: not JSON"):
        next(rows)


def test_one_program_with_its_tests() -> None:
    submission = make_submission("int f();", {"tests": "assert(f() == 1);", "entry_point": "f"})
    assert submission.text == "int f();"
    assert submission.prompt.reference.asserts == ("assert(f() == 1);",)
