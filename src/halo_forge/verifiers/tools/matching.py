"""How far calls agree with the right ones.

Calls are matched without order, each with at most one right call. Two rules say when a call is right:

- `json`, for sets with one right answer, such as xLAM (Liu et al. 2024, arXiv 2406.18518): the same name and arguments
  that are equal as JSON.
- `bfcl`, after the checker of the Berkeley Function Calling Leaderboard
  (https://github.com/ShishirPatil/gorilla, `bfcl_eval/eval_checker/ast_eval/ast_checker.py`): the exact name; every
  required parameter and none unknown; the type of the schema, where a whole number may stand for a float; texts
  compared without ` ,./-_*^`, in lower case and with one kind of quotes. BFCL lists several right values for an
  argument and marks optional ones; here there is one, and an optional argument may be left out on either side when
  the right value is the schema's default.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pydantic import JsonValue

from halo_forge.core.types import ToolCall
from halo_forge.verifiers.tools.config import Match
from halo_forge.verifiers.tools.schema import Schema, complaint, find_tool, same

LEFT_OUT = re.compile(r"[ ,./\-_*^]")


class Agreement(NamedTuple):
    """How far the calls of an answer are right.

    Args:
        names: the same tools are called, each as often.
        arguments: share of the arguments that are right, over those of both sides: 0 to 1.
        exact: every call is right.
    """

    names: bool
    arguments: float
    exact: bool


def agreement(calls: Sequence[ToolCall], right: Sequence[ToolCall], tools: Sequence[Schema], match: Match) -> Agreement:
    """Compare calls with the right ones, neither of which is empty."""
    names = sorted(call.name for call in calls) == sorted(call.name for call in right)
    if not names:
        return Agreement(names=False, arguments=0.0, exact=False)
    pairs = _paired(calls, right, tools, match)
    shares = [_share(call, wanted, tools, match) for call, wanted in pairs]
    fits = match == "json" or not any(complaint(tools, call) for call in calls)
    return Agreement(True, sum(shares) / len(shares), fits and all(share == 1.0 for share in shares))


def _paired(
    calls: Sequence[ToolCall], right: Sequence[ToolCall], tools: Sequence[Schema], match: Match
) -> list[tuple[ToolCall, ToolCall]]:
    """Pair calls of equal names, the best agreements first."""
    ranked = sorted(
        ((-_share(call, wanted, tools, match), i, j) for i, call in enumerate(calls) for j, wanted in enumerate(right)
         if call.name == wanted.name)
    )  # fmt: skip
    taken_calls: set[int] = set()
    taken_right: set[int] = set()
    pairs = []
    for _, i, j in ranked:
        if i not in taken_calls and j not in taken_right:
            taken_calls.add(i)
            taken_right.add(j)
            pairs.append((calls[i], right[j]))
    return pairs


def _share(call: ToolCall, right: ToolCall, tools: Sequence[Schema], match: Match) -> float:
    """Share of the arguments named on either side that are right."""
    defaults = _defaults(find_tool(tools, call.name)) if match == "bfcl" else {}
    given, wanted = ({**defaults, **side.arguments} for side in (call, right))
    names = given.keys() | wanted.keys()
    equal = loosely_same if match == "bfcl" else same
    agreeing = sum(name in given and name in wanted and equal(given[name], wanted[name]) for name in names)
    return agreeing / len(names) if names else 1.0


def _defaults(function: Schema | None) -> Mapping[str, JsonValue]:
    parameters = function.get("parameters") if function is not None else None
    properties = parameters.get("properties") if isinstance(parameters, dict) else None
    if not isinstance(properties, dict):
        return {}
    return {name: item["default"] for name, item in properties.items() if isinstance(item, dict) and "default" in item}


def loosely_same(one: JsonValue, other: JsonValue) -> bool:
    """Equal as JSON, with texts as BFCL compares them."""
    if isinstance(one, str) and isinstance(other, str):
        return _plain(one) == _plain(other)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(loosely_same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(loosely_same, one, other))
    return same(one, other)


def _plain(text: str) -> str:
    return LEFT_OUT.sub("", text).lower().replace("'", '"')
