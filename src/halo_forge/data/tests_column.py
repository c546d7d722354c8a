"""The generic `tests` column: a list of asserts, one text with many asserts, or a list of input and output pairs."""

from __future__ import annotations

from typing import NamedTuple

from pydantic import JsonValue

from halo_forge.core.errors import DataError
from halo_forge.core.types import IoCase
from halo_forge.data.asserts import holds_test_functions, split_asserts
from halo_forge.data.fields import texts_field
from halo_forge.data.jsonl import JsonObject, json_type

FORMS = "a list of asserts, one text with asserts, or a list of {'input', 'output'} objects"


class TaskTests(NamedTuple):
    """What a `tests` column comes to; see `Reference` for the fields."""

    asserts: tuple[str, ...] = ()
    cases: tuple[IoCase, ...] = ()
    check: str | None = None
    setup: str = ""


def read_tests(values: JsonObject, key: str = "tests") -> TaskTests:
    """Return the column's tests; none where it is absent or an empty list.

    A text that defines `check(candidate)`, as HumanEval's do, or functions `test_…` is kept whole.

    Raises:
        DataError: it has none of the three forms, or a text of it holds no assert that would run.
    """
    value = values.get(key)
    if value is None or value == []:
        return TaskTests()
    if isinstance(value, str):
        if defines_check(value) or holds_test_functions(value):
            return TaskTests(check=value)
        setup, asserts = split_asserts(value)
        return TaskTests(asserts=asserts, setup=setup)
    if not isinstance(value, list):
        raise DataError(f"{key!r} must be {FORMS}, not {json_type(value)}")
    if any(isinstance(item, dict) for item in value):
        return TaskTests(cases=tuple(_case(item, f"{key}[{index}]") for index, item in enumerate(value)))
    texts = texts_field(values, key)
    if any(holds_test_functions(text) for text in texts):
        return TaskTests(check="\n\n".join(texts))
    return TaskTests(asserts=texts)


def defines_check(source: str) -> bool:
    """Whether the source defines `check(...)` at its top level."""
    return source.startswith("def check(") or "\ndef check(" in source


def _case(item: JsonValue, where: str) -> IoCase:
    if not isinstance(item, dict):
        raise DataError(f"{where} must be an object with 'input' and 'output' like the others, not {json_type(item)}")
    given, expected = item.get("input"), item.get("output")
    if not isinstance(given, str) or not isinstance(expected, str):
        wrong = "input" if not isinstance(given, str) else "output"
        raise DataError(f"{where}.{wrong} must be a text, not {json_type(item.get(wrong))}")
    return IoCase(input=given, output=expected)
