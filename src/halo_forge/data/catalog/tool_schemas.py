"""Tools as JSON schemas, from the ways in which datasets write them, and the groups by which such sets are split."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from halo_forge.core.errors import DataError
from halo_forge.core.seeds import derive
from halo_forge.data.fields import shortened
from halo_forge.data.jsonl import JsonObject

# Python's words for types, lower-case -> JSON Schema's.
SCALARS = {
    "str": "string", "string": "string", "text": "string", "date": "string", "datetime": "string",
    "int": "integer", "integer": "integer", "long": "integer", "float": "number", "number": "number",
    "double": "number", "decimal": "number", "bool": "boolean", "boolean": "boolean", "none": "null",
}  # fmt: skip
ARRAYS = ("list", "array", "tuple", "set", "sequence", "iterable")
OBJECTS = ("dict", "object", "mapping")
GENERIC = re.compile(r"(?P<outer>\w+)\s*\[(?P<inner>.*)\]", re.DOTALL)
SALT = 20_240_624


def type_schema(words: str) -> JsonObject:
    """Return the JSON schema of a type written as Python has it, such as `List[int]` or `str, optional`.

    What is not known (`Any`, a callable, …) becomes `{}`, which allows everything.
    """
    words = re.sub(r",?\s*optional\s*$", "", words.strip(), flags=re.IGNORECASE).strip().removeprefix("typing.")
    name = words.lower()
    if name in SCALARS:
        return {"type": SCALARS[name]}
    if name in ARRAYS:
        return {"type": "array"}
    if name in OBJECTS:
        return {"type": "object"}
    match = GENERIC.fullmatch(words)
    return _generic_schema(match["outer"].lower(), _arguments(match["inner"])) if match else {}


def _generic_schema(outer: str, inner: list[str]) -> JsonObject:
    if outer == "optional" and inner:
        return type_schema(inner[0])
    if outer == "union":
        options = [type_schema(part) for part in inner if part.lower() != "none"]
        return options[0] if len(options) == 1 else {"anyOf": [*options]} if all(options) else {}
    if outer in ARRAYS:
        items = [type_schema(part) for part in inner if part != "..."]
        alike = bool(items) and all(item == items[0] for item in items)
        return {"type": "array", "items": items[0]} if alike and items[0] else {"type": "array"}
    return {"type": "object"} if outer in OBJECTS else {}


def _arguments(inner: str) -> list[str]:
    """Split `str, List[int]` at the commas outside of brackets."""
    parts, depth, start = [], 0, 0
    for place, letter in enumerate(inner):
        depth += (letter == "[") - (letter == "]")
        if letter == "," and depth == 0:
            parts.append(inner[start:place].strip())
            start = place + 1
    return [*parts, inner[start:].strip()]


def python_tool(tool: JsonObject) -> JsonObject:
    """Make a schema of a tool whose parameters are `{name: {description, type, default?}}`, as in xLAM.

    A parameter that is called optional or has a default is not required.

    Raises:
        DataError: it has no name, or its parameters are not of that shape.
    """
    given = tool.get("parameters") or {}
    if not isinstance(given, dict):
        raise DataError(f"the parameters of a tool must be an object, but they are {shortened(given)}")
    properties: JsonObject = {}
    required: list[str] = []
    for name, parameter in given.items():
        if not isinstance(parameter, dict):
            raise DataError(f"parameter {name!r} of a tool must be an object, but it is {shortened(parameter)}")
        words = str(parameter.get("type") or "")
        kept: JsonObject = {key: parameter[key] for key in ("description", "default") if key in parameter}
        properties[name] = {**type_schema(words), **kept}
        if "default" not in parameter and "optional" not in words.lower():
            required.append(name)
    schema: JsonObject = {"type": "object", "properties": properties, "required": [*required]}
    return function_tool({**tool, "parameters": schema})


def function_tool(tool: JsonObject) -> JsonObject:
    """Put a tool into the shape that chat templates take: `{"type": "function", "function": {…}}`.

    Raises:
        DataError: it has no name.
    """
    inner = tool.get("function", tool)
    if not isinstance(inner, dict) or not isinstance(inner.get("name"), str):
        raise DataError(f"a tool must have a name, but it is {shortened(tool)}")
    parameters = inner.get("parameters") or {"type": "object", "properties": {}}
    function: JsonObject = {
        "name": inner["name"],
        "description": inner.get("description") or "",
        "parameters": parameters,
    }
    return {"type": "function", "function": function}


def tool_names(tools: Iterable[JsonObject]) -> tuple[str, ...]:
    """Return the names of tools, whether or not in the shape of chat templates, sorted."""
    inner = (tool.get("function", tool) for tool in tools)
    return tuple(sorted(str(tool.get("name")) for tool in inner if isinstance(tool, dict)))


def in_share(names: Callable[[JsonObject], tuple[str, ...]], first: int, end: int) -> Callable[[JsonObject], bool]:
    """Make the test whether a row's group is among hundredths `first` to `end - 1` of all groups.

    Rows of the same group always fall into the same hundredth, in every version of the dataset.

    Args:
        names: row -> its group, such as the names of its tools.
    """
    return lambda values: first <= derive(SALT, *names(values)) % 100 < end
