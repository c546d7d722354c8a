"""The ground truth of a row, in the column sets that datasets use."""

from __future__ import annotations

from typing import NamedTuple, get_args

from pydantic import ValidationError

from halo_forge.core.errors import DataError
from halo_forge.core.types import AnswerMetric, Reference
from halo_forge.data.fields import has, shortened, source_field, text_field, texts_field
from halo_forge.data.jsonl import JsonObject
from halo_forge.data.parts import read_calls
from halo_forge.data.tests_column import defines_check, read_tests

HUMANEVAL_INSTRUCTION = (
    "Complete the Python function below. Answer with the whole function, and the imports it needs, "
    "in one ```python block.\n\n```python\n{stub}\n```"
)
MBPP_INSTRUCTION = (
    "{task}\n\nAnswer with Python code in one ```python block. It has to pass this test:\n\n```python\n{test}\n```"
)


class Task(NamedTuple):
    """What a row asks, where its columns say so better than a bare prompt does, and its ground truth.

    Args:
        instruction: the user's turn, or None to take the row's own prompt or messages.
        reference: what the verifier compares with.
    """

    instruction: str | None
    reference: Reference


def read_task(values: JsonObject) -> Task:
    """Recognise a row by its columns: a serialised `Prompt`, MBPP, HumanEval, else the generic ones.

    In each of them `required` may name what an answer has to use.

    Raises:
        DataError: a column that matters has the wrong type or holds no usable tests.
    """
    task = _task(values)
    required = _required(values)
    return task._replace(reference=task.reference.model_copy(update={"required": required})) if required else task


def _task(values: JsonObject) -> Task:
    if isinstance(values.get("reference"), dict):
        return Task(None, _serialised(values))
    if has(values, "test_list"):
        return _mbpp(values)
    if has(values, "test", "entry_point"):
        return _humaneval(values)
    return Task(None, _generic(values))


def _required(values: JsonObject) -> tuple[str, ...]:
    """Return the names in `required`, given as one text or as a list of them."""
    value = values.get("required")
    return texts_field({"required": [value]} if isinstance(value, str) else values, "required")


def _humaneval(values: JsonObject) -> Task:
    """HumanEval's columns (Chen et al. 2021): task_id, prompt, canonical_solution, test, entry_point.

    Where `prompt` is a text it is the head of the function: it becomes the stub, and the user asks to complete it.
    """
    check = text_field(values, "test") or ""
    if not defines_check(check):
        raise DataError("'test' must define check(candidate), as in HumanEval; for plain asserts name it 'tests'")
    prompt = values.get("prompt")
    stub = prompt if isinstance(prompt, str) else ""
    reference = Reference(
        check=check,
        setup=source_field(values, "setup"),
        entry_point=text_field(values, "entry_point"),
        stub=stub,
        solution=text_field(values, "canonical_solution"),
    )
    return Task(HUMANEVAL_INSTRUCTION.format(stub=stub.strip("\n")) if stub.strip() else None, reference)


def _mbpp(values: JsonObject) -> Task:
    """MBPP's columns (Austin et al. 2021), config `full` (text, test_setup_code) or `sanitized` (prompt, test_imports).

    The user's turn shows the first assert, without which the function's name would be a guess; the paper shows all
    three. As in published scores, `challenge_test_list` is not part of the tests.
    """
    tests = texts_field(values, "test_list")
    if not tests:
        raise DataError("'test_list' is empty; an MBPP row needs at least one assert")
    setup = [source_field(values, "test_imports"), source_field(values, "test_setup_code")]
    reference = Reference(
        asserts=tests,
        setup="\n".join(part for part in setup if part.strip()),
        entry_point=text_field(values, "entry_point"),
        solution=text_field(values, "code"),
    )
    task = values.get("text") if has(values, "text") else values.get("prompt")
    if not isinstance(task, str) or not task.strip():
        return Task(None, reference)
    return Task(MBPP_INSTRUCTION.format(task=task.strip(), test=tests[0].strip()), reference)


def _generic(values: JsonObject) -> Reference:
    tests = read_tests(values)
    entry_point = text_field(values, "entry_point")
    if tests.check is not None and defines_check(tests.check) and entry_point is None:
        raise DataError("'tests' defines check(candidate), so the row needs 'entry_point': the function to hand to it")
    setup = [source_field(values, "setup"), tests.setup]
    return Reference(
        asserts=tests.asserts,
        cases=tests.cases,
        check=tests.check,
        setup="\n".join(part for part in setup if part.strip()),
        entry_point=entry_point,
        solution=text_field(values, "solution"),
        answer=_final_answer(values),
        answers=_answers(values),
        choices=texts_field(values, "choices") if isinstance(values.get("choices"), list) else (),
        metric=_metric(values),
        transcript=_transcript(values),
        calls=read_calls(values["calls"], "calls") if has(values, "calls") else None,
    )


def _final_answer(values: JsonObject) -> str | None:
    """Return the column `answer`, a text or a number; of GSM8K's worked answers what follows `####`."""
    answer = values.get("answer")
    if isinstance(answer, bool) or not isinstance(answer, (str, int, float)):
        return None
    _, mark, last = str(answer).rpartition("####")
    return last.strip().replace(",", "") if mark else str(answer).strip()


def _transcript(values: JsonObject) -> str | None:
    """Return the column `transcript`, or `text` of a row with audio."""
    return text_field(values, "transcript" if has(values, "transcript") or not has(values, "audio") else "text")


def _answers(values: JsonObject) -> tuple[str, ...]:
    """Return the column `answers` where it lists texts; other sets keep other things under that name."""
    listed = values.get("answers")
    texts = isinstance(listed, list) and all(isinstance(item, str) for item in listed)
    return texts_field(values, "answers") if texts else ()


def _metric(values: JsonObject) -> AnswerMetric | None:
    """Return the column `metric` where the row asks a question with an answer to compare.

    Raises:
        DataError: it is none of the metrics.
    """
    name = values.get("metric")
    if name is None or not any(has(values, key) for key in ("answer", "answers")):
        return None
    known: tuple[AnswerMetric, ...] = get_args(AnswerMetric)
    for metric in known:
        if name == metric:
            return metric
    raise DataError(f"'metric' must be one of {', '.join(known)}, but it is {shortened(name)}")


def _serialised(values: JsonObject) -> Reference:
    try:
        return Reference.model_validate(values["reference"])
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(["reference", *(str(part) for part in first["loc"])])
        raise DataError(f"{where}: {first['msg']} (fields it has: {', '.join(Reference.model_fields)})") from error
