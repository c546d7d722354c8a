"""Calls read out of a completion.

A call is one JSON object between `<tool_call>` and `</tool_call>`, with the keys `name` and `arguments` and no others.
What looks like a call and is none (a tag left open, two objects in one tag, a key twice, an object without the tags)
makes the whole answer unreadable: a model is not to be rewarded for what a program on the other side would stumble
over, nor for keeping silent when it called in a notation of its own.
"""

from __future__ import annotations

import json
import re
from itertools import islice
from typing import NamedTuple

from pydantic import JsonValue

from halo_forge.core.types import ToolCall
from halo_forge.verifiers.extract import without_thoughts

OPEN, CLOSE = "<tool_call>", "</tool_call>"
TAG = re.compile(r"</?\s*tool_call\s*/?>", re.IGNORECASE)
MOST_CALLS = 64
MOST_CHARS = 65_536
DEEPEST = 32


class Answer(NamedTuple):
    """What a completion says.

    Args:
        calls: in order; None when they cannot be read.
        before: text before the first call; all of it where there is no call.
        why_not: what is wrong, for a person.
    """

    calls: tuple[ToolCall, ...] | None
    before: str = ""
    why_not: str = ""


class _Refused(ValueError):
    """This is no call."""


def read_calls(text: str) -> Answer:
    """Read the calls of a completion; thoughts in `<think>` do not count."""
    answer = without_thoughts(text)
    if not TAG.search(answer):
        if _has_bare_call(answer[:MOST_CHARS]):
            return Answer(None, answer.strip(), "a call without its tags")
        return Answer((), answer.strip(), "" if answer.strip() else "nothing is said")
    if len(answer) > MOST_CHARS:
        return Answer(None, why_not=f"longer than {MOST_CHARS} characters")
    before, _, rest = answer.partition(OPEN)
    calls: list[ToolCall] = []
    try:
        if TAG.search(before):
            raise _Refused("a tag that closes nothing, or is misspelt")
        while True:
            inside, closed, rest = rest.partition(CLOSE)
            if not closed:
                raise _Refused("a <tool_call> that is not closed")
            calls.append(_read_call(inside))
            if len(calls) > MOST_CALLS:
                raise _Refused(f"more than {MOST_CALLS} calls")
            if not rest.strip():
                return Answer(tuple(calls), before.strip())
            if not rest.lstrip().startswith(OPEN):
                raise _Refused("text after a call")
            rest = rest.lstrip().removeprefix(OPEN)
    except _Refused as refused:
        return Answer(None, before.strip(), str(refused))


def _has_bare_call(text: str) -> bool:
    """Whether an object stands in the text that says which tool and with what, as other models' forms have it."""
    decoder = json.JSONDecoder()
    for brace in islice(re.finditer(r"\{", text), MOST_CALLS):
        try:
            value, _ = decoder.raw_decode(text, brace.start())
        except (ValueError, RecursionError):
            continue
        if "name" in value and ("arguments" in value or "parameters" in value):
            return True
    return False


def _read_call(text: str) -> ToolCall:
    if TAG.search(text):
        raise _Refused("a tag inside of a call")
    try:
        value: JsonValue = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except _Refused:
        raise
    except (ValueError, RecursionError) as error:
        raise _Refused(f"a call that is no JSON object: {error}") from error
    if not isinstance(value, dict) or value.keys() != {"name", "arguments"}:
        found = ", ".join(value) if isinstance(value, dict) else type(value).__name__
        raise _Refused(f"a call needs 'name' and 'arguments' and nothing else, but has {found or 'nothing'}")
    name, arguments = value["name"], value["arguments"]
    if not isinstance(name, str) or not isinstance(arguments, dict):
        raise _Refused("a call needs a text as 'name' and an object as 'arguments'")
    if _depth(arguments) > DEEPEST:
        raise _Refused(f"arguments deeper than {DEEPEST}")
    return ToolCall(name=name, arguments=arguments)


def _once(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _Refused("a key twice in one object")
    return found


def _no_constant(word: str) -> JsonValue:
    raise _Refused(f"{word} is no JSON")


def _depth(value: JsonValue) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0
