"""What a message can hold besides one text: parts with images or audio, calls of tools; and the tools of a row."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pydantic import JsonValue

from halo_forge.core.errors import DataError
from halo_forge.core.types import Conversation, MediaPart, Part, Prompt, TextPart, ToolCall
from halo_forge.data.fields import shortened
from halo_forge.data.jsonl import JsonObject, json_type

KINDS = ("image", "audio")
# Columns whose messages may show or play something.
SPOKEN = ("messages", "prompt", "completion")
R = TypeVar("R", Prompt, Conversation)


def read_content(value: JsonValue, where: str) -> str | tuple[Part, ...]:
    """Return a message's content: one text, or parts.

    A part is `{"text": "…"}` or `{"kind": "image", "path": "…", "sha256": "…"}`; `type` may say the kind, as in the
    messages that chat templates take.

    Raises:
        DataError: it is neither, a part has no such shape, or there is none.
    """
    if isinstance(value, str):
        return value
    if not isinstance(value, list) or not value:
        raise DataError(
            f"{where} must be a text or a list of parts, not {'empty' if value == [] else json_type(value)}"
        )
    return tuple(_part(item, f"{where}[{index}]") for index, item in enumerate(value))


def read_audio(values: JsonObject) -> tuple[Part, ...] | None:
    """Return the column `audio`, a file's name or `{"path", "sha256"}`, as what a message holds; None without one.

    Raises:
        DataError: it is neither.
    """
    value = values.get("audio")
    if value is None:
        return None
    named: JsonObject = {"path": value} if isinstance(value, str) else value if isinstance(value, dict) else {}
    content = read_content([{"kind": "audio", "path": named.get("path"), "sha256": named.get("sha256", "")}], "audio")
    return content if isinstance(content, tuple) else None


def read_calls(value: JsonValue, where: str) -> tuple[ToolCall, ...]:
    """Return calls of tools, `[{"name": "…", "arguments": {…}}, …]`; () for null.

    The name and the arguments may lie under `function`, and the arguments may be a text of JSON, as chat servers
    write them.

    Raises:
        DataError: it is no such list.
    """
    if value is None:
        return ()
    if not isinstance(value, list):
        raise DataError(f"{where} must be a list of calls, not {json_type(value)}")
    return tuple(_call(item, f"{where}[{index}]") for index, item in enumerate(value))


def read_tools(values: JsonObject, key: str = "tools") -> tuple[JsonObject, ...]:
    """Return the tools of a row, a list of JSON schemas or a text that holds one; () where there is none.

    Raises:
        DataError: it is not a list of objects.
    """
    value = values.get(key)
    if value is None or value == "":
        return ()
    listed = parse_json(value, key) if isinstance(value, str) else value
    tools = [tool for tool in listed if isinstance(tool, dict)] if isinstance(listed, list) else None
    if tools is None or not isinstance(listed, list) or len(tools) < len(listed):
        raise DataError(f"{key!r} must list tools as objects, but it is {shortened(value)}")
    return tuple(tools)


def parse_json(text: str, where: str) -> JsonValue:
    """Decode JSON that a row holds as a text.

    Raises:
        DataError: it is not JSON.
    """
    try:
        value: JsonValue = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where!r} is not JSON ({error}): {shortened(text)}") from error
    return value


def anchored(row: R, folder: Path) -> R:
    """Return a row whose media are named by absolute paths, given the folder of its file."""
    return _with_media(row, lambda part: part.model_copy(update={"path": str((folder / part.path).resolve())}))


def without_places(row: R) -> R:
    """Return a row whose media are named by their hashes alone, where those are known."""
    return _with_media(row, lambda part: part.model_copy(update={"path": ""}) if part.sha256 else part)


def reanchored(values: JsonObject, before: Path, now: Path) -> JsonObject:
    """Return a row's values in which media named from one folder are named from another."""
    start = now.resolve()

    def renamed(value: JsonValue) -> JsonValue:
        if isinstance(value, list):
            return [renamed(item) for item in value]
        if not isinstance(value, dict):
            return value
        path = value.get("path")
        if isinstance(path, str) and value.get("kind", value.get("type")) in KINDS and not Path(path).is_absolute():
            return {**value, "path": os.path.relpath((before / path).resolve(), start)}
        return {key: renamed(item) for key, item in value.items()}

    return {key: renamed(value) if key in SPOKEN else value for key, value in values.items()}


def _with_media(row: R, change: Callable[[MediaPart], MediaPart]) -> R:
    if not any(message.media for message in row.messages):
        return row
    messages = []
    for message in row.messages:
        if message.media and not isinstance(message.content, str):
            parts = tuple(change(part) if isinstance(part, MediaPart) else part for part in message.content)
            message = message.model_copy(update={"content": parts})
        messages.append(message)
    return row.model_copy(update={"messages": tuple(messages)})


def _part(item: JsonValue, where: str) -> Part:
    if not isinstance(item, dict):
        raise DataError(f"{where} must be an object with 'text', or with 'kind' and 'path', not {json_type(item)}")
    text = item.get("text")
    if isinstance(text, str):
        return TextPart(text=text)
    kind, path, sha256 = item.get("kind", item.get("type")), item.get("path"), item.get("sha256", "")
    if kind not in KINDS or not isinstance(path, str) or not isinstance(sha256, str):
        raise DataError(
            f"{where} must have 'text', or 'kind' (image or audio) and 'path' (a file), but it is {shortened(item)}"
        )
    if "://" in path:
        raise DataError(
            f"{where} names {shortened(path)}, but addresses are not read while a model trains or is measured: "
            "fetch them once with data prepare --media-urls"
        )
    return MediaPart.model_validate({"kind": kind, "path": path, "sha256": sha256})


def _call(item: JsonValue, where: str) -> ToolCall:
    inner = item.get("function", item) if isinstance(item, dict) else None
    if not isinstance(inner, dict) or not isinstance(inner.get("name"), str):
        raise DataError(f"{where} must be an object with 'name' and 'arguments', but it is {shortened(item)}")
    given = inner.get("arguments", {})
    arguments = parse_json(given, f"{where}.arguments") if isinstance(given, str) else given
    if not isinstance(arguments, dict):
        raise DataError(f"{where}.arguments must be an object, not {json_type(arguments)}")
    return ToolCall(name=str(inner["name"]), arguments=arguments)
