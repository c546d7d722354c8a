"""Whether a call fits the schema of its tool: the part of JSON Schema that tools are written in.

Read are `type` (a word or a list of them), `enum`, `const`, `properties`, `required`, `additionalProperties`, `items`,
`anyOf` and `oneOf`. A whole number is a `number`; a `boolean` is neither; `float`, `dict`, `tuple` and `any`, which
BFCL's tools use, are understood. What else a schema says is left unread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from halo_forge.core.types import ToolCall

Schema = Mapping[str, JsonValue]
ANYTHING: Schema = {}
WORDS = {
    "float": "number", "double": "number", "int": "integer", "long": "integer", "str": "string", "char": "string",
    "bool": "boolean", "dict": "object", "hashmap": "object", "list": "array", "tuple": "array", "arraylist": "array",
}  # fmt: skip


def find_tool(tools: Sequence[Schema], name: str) -> Schema | None:
    """Return the function of that name, as a schema with `name` and `parameters`."""
    for tool in tools:
        function = tool.get("function", tool)
        if isinstance(function, dict) and function.get("name") == name:
            return function
    return None


def complaint(tools: Sequence[Schema], call: ToolCall) -> str:
    """Say why a call fits no tool; "" when it fits, or when there are no tools to compare with."""
    if not tools:
        return ""
    function = find_tool(tools, call.name)
    if function is None:
        return f"there is no tool {call.name!r}"
    parameters = function.get("parameters")
    schema = parameters if isinstance(parameters, dict) else ANYTHING
    closed = {**schema, "type": "object"}
    # A parameter that the tool does not have is a mistake, whether or not the schema says so.
    if isinstance(schema.get("properties"), dict):
        closed.setdefault("additionalProperties", False)
    return _complaint(closed, call.arguments, call.name)


def _complaint(schema: Schema, value: JsonValue, where: str) -> str:
    words = schema.get("type")
    types = [words] if isinstance(words, str) else words if isinstance(words, list) else []
    if types and not any(_is_a(str(word), value) for word in types):
        return f"{where} must be {' or '.join(map(str, types))}"
    choices = schema.get("enum")
    if isinstance(choices, list) and not any(same(choice, value) for choice in choices):
        return f"{where} must be one of {choices}"
    if "const" in schema and not same(schema["const"], value):
        return f"{where} must be {schema['const']!r}"
    for word in ("anyOf", "oneOf"):
        options = schema.get(word)
        if isinstance(options, list):
            fits = [option for option in options if isinstance(option, dict) and not _complaint(option, value, where)]
            if not fits or (word == "oneOf" and len(fits) > 1):
                return f"{where} fits {len(fits)} of its kinds"
    if isinstance(value, dict):
        return _object_complaint(schema, value, where)
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        items: Schema = schema["items"]  # type: ignore[assignment]
        found = (_complaint(items, item, f"{where}[{place}]") for place, item in enumerate(value))
        return next((reason for reason in found if reason), "")
    return ""


def _object_complaint(schema: Schema, value: Mapping[str, JsonValue], where: str) -> str:
    properties = schema.get("properties")
    known: Mapping[str, JsonValue] = properties if isinstance(properties, dict) else {}
    required = schema.get("required")
    for name in required if isinstance(required, list) else []:
        if isinstance(name, str) and name not in value:
            return f"{where} lacks {name!r}"
    others = schema.get("additionalProperties", True)
    for name, item in value.items():
        inner = known.get(name, others)
        if inner is False:
            return f"{where} has no {name!r}"
        if isinstance(inner, dict) and (reason := _complaint(inner, item, f"{where}.{name}")):
            return reason
    return ""


def _is_a(word: str, value: JsonValue) -> bool:
    match WORDS.get(word.lower(), word.lower()):
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
            return whole and not isinstance(value, bool)
        case "number":
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        case "array":
            return isinstance(value, list)
        case "object":
            return isinstance(value, dict)
        case "null":
            return value is None
    return True


def same(one: JsonValue, other: JsonValue) -> bool:
    """Whether two values are equal as JSON: 1 and 1.0 are, 1 and true are not, objects in any order of keys."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other
