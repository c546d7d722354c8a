"""Rows with a completion, as submissions.

{"task_id": "HumanEval/0", "prompt": "def f(…", "test": "def check(candidate): …", "entry_point": "f",
 "completion": "    return …"}
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from halo_forge.core.errors import DataError
from halo_forge.core.protocols import Submission
from halo_forge.core.types import Message, Prompt
from halo_forge.data.fields import has, id_field, known_keys
from halo_forge.data.jsonl import JsonObject, Row, decode_object, located
from halo_forge.data.messages import turns_field
from halo_forge.data.prompts import read_prompt
from halo_forge.data.references import read_task

UNASKED = (Message(role="user", content="(the row has no prompt)"),)


class SourceRow(NamedTuple):
    """A row with the bytes it was read from.

    Args:
        raw: its line, and the blank lines before it.
        submission: what to judge.
    """

    raw: bytes
    submission: Submission


def read_submission(row: Row) -> Submission:
    """Make a submission of one row: a prompt row as `load_prompts` reads it, and a `completion`.

    The completion is a text, or a list of messages of which the last, the assistant's, is judged. A row without a
    prompt can be judged as well, as tests do not need one.

    Raises:
        DataError: it has no completion, or a column that matters cannot be used.
    """
    values = row.values
    if not has(values, "completion"):
        raise DataError(f"no 'completion' in the row (columns it has: {known_keys(values)})")
    answer = turns_field(values, "completion", "assistant")[-1]
    if answer.role != "assistant":
        raise DataError(f"the completion must end with the assistant's turn, but the last is the {answer.role}'s")
    return Submission(_prompt(row), answer.text)


def read_source(file: IO[bytes], path: Path, line: int) -> Iterator[SourceRow]:
    """Yield the rows from where the file stands.

    Args:
        line: number of lines before that.

    Raises:
        DataError: a line cannot be used; the text names it.
    """
    before = b""
    for number, content in enumerate(file, line + 1):
        text = content.removeprefix(BOM_UTF8) if number == 1 else content
        before += content
        if not text.strip():
            continue
        try:
            submission = read_submission(Row(number, decode_object(text)))
        except DataError as error:
            raise located(path, number, error) from error
        yield SourceRow(before, submission)
        before = b""


def make_submission(text: str, values: JsonObject) -> Submission:
    """Make a submission of one program and the columns of a row that hold its tests.

    Raises:
        DataError: a column cannot be used.
    """
    return Submission(_prompt(Row(1, values)), text)


def _prompt(row: Row) -> Prompt:
    values = row.values
    if has(values, "prompt") or has(values, "messages") or has(values, "test_list", "text"):
        return read_prompt(row)
    return Prompt(id=id_field(values) or f"line-{row.line}", messages=UNASKED, reference=read_task(values).reference)
