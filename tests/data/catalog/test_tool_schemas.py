"""Python's words for types become JSON schemas, and groups of tools stay together."""

from __future__ import annotations

from typing import Any

import pytest

from halo_forge.core.errors import DataError
from halo_forge.data.catalog.tool_schemas import function_tool, in_share, python_tool, tool_names, type_schema


@pytest.mark.parametrize(
    ("words", "schema"),
    [
        ("str", {"type": "string"}),
        ("int, optional", {"type": "integer"}),
        ("float", {"type": "number"}),
        ("bool,optional", {"type": "boolean"}),
        ("List[int]", {"type": "array", "items": {"type": "integer"}}),
        ("List[List[float]], optional", {"type": "array", "items": {"type": "array", "items": {"type": "number"}}}),
        ("Dict[str, Any]", {"type": "object"}),
        ("Tuple[int, int]", {"type": "array", "items": {"type": "integer"}}),
        ("Tuple[int, str]", {"type": "array"}),
        ("List[Union[int, float]]", {"type": "array", "items": {"anyOf": [{"type": "integer"}, {"type": "number"}]}}),
        ("Optional[str]", {"type": "string"}),
        ("Union[str, None]", {"type": "string"}),
        ("set", {"type": "array"}),
        ("Callable[[float], float]", {}),
        ("Any", {}),
        ("", {}),
    ],
)
def test_types(words: str, schema: dict[str, Any]) -> None:
    assert type_schema(words) == schema


def test_what_is_optional_or_has_a_default_is_not_required() -> None:
    parameters = {
        "a": {"type": "str", "description": "first"},
        "b": {"type": "int, optional", "description": "second"},
        "c": {"type": "str", "description": "third", "default": "x"},
    }
    tool = python_tool({"name": "f", "description": "does", "parameters": parameters})
    assert tool == {
        "type": "function",
        "function": {
            "name": "f",
            "description": "does",
            "parameters": {
                "type": "object",
                "properties": {
                    "a": {"type": "string", "description": "first"},
                    "b": {"type": "integer", "description": "second"},
                    "c": {"type": "string", "description": "third", "default": "x"},
                },
                "required": ["a"],
            },
        },
    }
    assert tool_names([tool, {"name": "a"}]) == ("a", "f")
    with pytest.raises(DataError, match="must have a name"):
        function_tool({"description": "nothing"})


def test_parts_share_no_group_and_leave_none_out() -> None:
    rows: list[dict[str, Any]] = [{"tools": [f"tool_{n % 200}"], "n": n} for n in range(1000)]
    shares = [in_share(lambda row: tuple(row["tools"]), *share) for share in ((0, 50), (50, 90), (90, 100))]  # type: ignore[arg-type, misc]
    parts = [[row for row in rows if share(row)] for share in shares]
    assert sum(len(part) for part in parts) == 1000
    groups = [{row["tools"][0] for row in part} for part in parts]
    assert not groups[0] & groups[1] and not groups[1] & groups[2] and not groups[0] & groups[2]
    assert len(parts[0]) > len(parts[1]) > len(parts[2]) > 0
