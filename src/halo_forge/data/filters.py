"""Which rows a user wants, by values of columns: `level=5`, `difficulty=[easy, hard]`, `contest_date=>=2025-01-01`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import JsonValue

from halo_forge.core.errors import ConfigError

# The longer sign first, since the shorter one begins it.
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
    "!=": lambda a, b: a != b,
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
}


def make_filter(wanted: Mapping[str, JsonValue]) -> Callable[[Mapping[str, Any]], bool]:
    """Make the test whether a row has, in every column named, a value that is wanted.

    Two values are compared as numbers where both are numbers, else as texts. A row without the column has no value that
    is wanted.

    Raises:
        ConfigError: a value is an object, or nothing follows the sign.
    """
    tests = {column: _test(column, value) for column, value in wanted.items()}
    return lambda row: all(row.get(column) is not None and test(row[column]) for column, test in tests.items())


def _test(column: str, wanted: JsonValue) -> Callable[[Any], bool]:
    if isinstance(wanted, dict) or wanted is None:
        raise ConfigError(f"--filter {column}: give a value, a list of values, or a sign and a value such as >=3")
    if isinstance(wanted, list):
        return lambda value: any(_compare(COMPARE["!="], value, item) is False for item in wanted)
    sign = next((sign for sign in COMPARE if isinstance(wanted, str) and wanted.startswith(sign)), None)
    if sign is None:
        return lambda value: not _compare(COMPARE["!="], value, wanted)
    limit = str(wanted).removeprefix(sign).strip()
    if not limit:
        raise ConfigError(f"--filter {column}={wanted}: a value must follow the sign {sign}")
    return lambda value: _compare(COMPARE[sign], value, limit)


def _compare(operation: Callable[[Any, Any], bool], value: Any, other: Any) -> bool:
    try:
        return operation(float(value), float(other))
    except (TypeError, ValueError):
        return operation(_text(value), _text(other))


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
