"""Verdicts on calls, BFCL's matching rules, and the ways around them."""

from __future__ import annotations

import json

import pytest

from halo_forge.core.protocols import Submission
from halo_forge.core.types import Message, Prompt, Reference, Stage, ToolCall, Verdict
from halo_forge.verifiers.tools.config import ToolsConfig
from halo_forge.verifiers.tools.reading import read_calls
from halo_forge.verifiers.tools.schema import complaint, same
from halo_forge.verifiers.tools.verifier import ToolsVerifier


def tool(name: str, required: tuple[str, ...] = (), **types: object) -> dict:
    properties = {key: kind if isinstance(kind, dict) else {"type": kind} for key, kind in types.items()}
    parameters = {"type": "object", "properties": properties, "required": list(required)}
    return {"type": "function", "function": {"name": name, "description": "", "parameters": parameters}}


WEATHER = tool("weather", ("city",), city="string", days={"type": "integer", "default": 1}, wind="number")
ALARM = tool("alarm", ("hour",), hour="integer", label="string")
RIGHT = (ToolCall(name="weather", arguments={"city": "New York", "days": 3}),)


def call(name: str, **arguments: object) -> str:
    return f"<tool_call>\n{json.dumps({'name': name, 'arguments': arguments})}\n</tool_call>"


def judge(text: str, right: tuple[ToolCall, ...] | None = RIGHT, **options: object) -> Verdict:
    prompt = Prompt(
        id="p", messages=(Message(role="user", content="?"),), reference=Reference(calls=right), tools=(WEATHER, ALARM)
    )
    (verdict,) = ToolsVerifier(ToolsConfig.model_validate(options)).verify([Submission(prompt, text)])
    return verdict


GOOD = call("weather", city="New York", days=3)


@pytest.mark.parametrize(
    ("text", "reward"),
    [
        (GOOD, 1.0),
        (f"<think>Which one? {call('alarm', hour=3)}</think>{GOOD}", 1.0),
        ('<tool_call>{"arguments": {"days": 3.0, "city": "New York"}, "name": "weather"}</tool_call>', 1.0),
        (call("alarm", hour=3), 0.1),
        (call("weather", city="New York", days=4), 0.45),
        (call("weather", city="Oslo", days=4), 0.3),
        (call("weather", city="New York", days="3"), 0.45),
        (call("weather", city="New York", days=True), 0.45),
        (call("weather", city="New York", days=3, wind=1), 0.5),
        ("", 0.0),
        ("I would rather not.", 0.0),
    ],
)
def test_rewards(text: str, reward: float) -> None:
    verdict = judge(text)
    assert verdict.reward == pytest.approx(reward)
    assert verdict.passed is (reward == 1.0)


@pytest.mark.parametrize(
    "text",
    [
        f"Let me look that up. {GOOD}",  # prose before
        f"{GOOD} Done.",  # prose behind
        f"{GOOD}\n{GOOD}",  # doubled
        f"{GOOD}\n{call('alarm', hour=3)}",  # one more, just in case
        GOOD.removesuffix("</tool_call>"),  # unclosed
        GOOD.replace("<tool_call>", ""),
        GOOD.replace("tool_call>", "toolcall>"),
        f"<tool_call>{GOOD}</tool_call>",  # a tag in a tag
        '<tool_call>{"name": "weather", "arguments": {"city": "New York", "days": 3}, "id": 1}</tool_call>',
        '<tool_call>{"name": "weather", "parameters": {"city": "New York", "days": 3}}</tool_call>',
        '<tool_call>{"name": "weather", "arguments": "{}"}</tool_call>',
        '<tool_call>{"name": "weather", "arguments": {"city": "New York", "days": 3, "days": 4}}</tool_call>',
        '<tool_call>{"name": "weather", "arguments": {"days": NaN}}</tool_call>',
        '<tool_call>{"name": "alarm", "arguments": {}} {"name": "weather", "arguments": {}}</tool_call>',
        f"<tool_call>[{GOOD[12:-13]}]</tool_call>",
        call("weather", city=f"{GOOD}", days=3),  # a call inside of a text
        "<tool_call>" * 2_000 + GOOD,
        '<tool_call>{"name": "weather", "arguments": ' + '{"a": ' * 5_000 + "1" + "}" * 5_000 + "}</tool_call>",
        f"<think>{GOOD}",
        f"```\n{GOOD}\n```",
    ],
)
def test_what_a_program_would_stumble_over_earns_nothing(text: str) -> None:
    verdict = judge(text)
    assert (verdict.reward, verdict.passed) == (0.0, False)
    assert verdict.detail
    assert verdict.scores["full accuracy"] == (0.0, 1.0)


def test_parallel_calls_in_any_order() -> None:
    right = (*RIGHT, ToolCall(name="alarm", arguments={"hour": 7}), ToolCall(name="alarm", arguments={"hour": 8}))
    texts = [GOOD, call("alarm", hour=8), call("alarm", hour=7)]
    assert judge("\n".join(texts), right).passed
    assert judge("".join(reversed(texts)), right).passed
    twice = judge("\n".join([GOOD, texts[1], texts[1]]), right)
    assert twice.reward == pytest.approx(0.3 + 0.3 * 2 / 3)
    assert judge(GOOD, right).reward == 0.0
    assert judge("\n".join([GOOD, GOOD, texts[1]]), right).reward == 0.1


def test_abstention() -> None:
    said = judge("None of my tools can do that.", ())
    assert (said.reward, said.passed, said.scores["irrelevance accuracy"]) == (1.0, True, (1.0, 1.0))
    assert "name accuracy" not in said.scores
    for text in (GOOD, "", "  ", "<tool_call>", "<think>None fits.</think>"):
        assert judge(text, ()).reward == 0.0


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "weather", "arguments": {"city": "Oslo"}}',
        'Then: {"type": "function", "name": "weather", "parameters": {"city": "Oslo"}}',
        '```json\n[{"name": "weather", "arguments": {}}]\n```',
        '<function>{"function": {"name": "weather", "arguments": "{}"}}',
    ],
)
def test_a_call_in_another_form_is_no_abstention(text: str) -> None:
    verdict = judge(text, ())
    assert (verdict.reward, verdict.scores["irrelevance accuracy"], verdict.stage) == (0.0, (0.0, 1.0), Stage.PARSE)
    assert judge(text).reward == 0.0


def test_braces_alone_are_no_call() -> None:
    for text in ("No {tool} fits.", '{"name": "Oslo"} is all I know.', "{" * 500, '{"a": ' * 2_000):
        assert judge(text, ()).passed


def test_scores_say_how_far_it_went() -> None:
    assert judge(GOOD).scores == {
        "name accuracy": (1.0, 1.0), "argument accuracy": (1.0, 1.0), "full accuracy": (1.0, 1.0),
    }  # fmt: skip
    half = judge(call("weather", city="New York", days=4))
    assert half.scores == {
        "name accuracy": (1.0, 1.0), "argument accuracy": (0.5, 1.0), "full accuracy": (0.0, 1.0),
    }  # fmt: skip


def test_a_prompt_that_names_no_calls_is_a_fault_of_ours() -> None:
    verdict = judge(GOOD, None)
    assert verdict.reward is None
    assert "which calls are right" in str(verdict.fault)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        (call("weather", city="new-york", days=3), True),
        (call("weather", city="New_York.", days=3), True),
        (call("weather", city="New Yorks", days=3), False),
        (call("weather", city="New York"), False),  # the default is 1, and 3 is right
        (call("weather", city="New York", days=3.5), False),
        (call("weather", city="New York", days="3"), False),
        (call("weather", city="New York", days=3, sun=True), False),
        (call("Weather", city="New York", days=3), False),
        (call("weather", days=3), False),  # a required one is missing
        (call("weather", city="New York", days=True), False),
        (call("weather", city=["New York"], days=3), False),
        (call("weather", city="new york", days=3.0), True),
        (call("weather", city="N.e-w*Y^o/r_k,", days=3), True),
        (call("weather", city="New York!", days=3), False),  # other marks count
        (f"{call('weather', city='New York', days=3)}{call('alarm', hour=7)}", False),
        ("", False),
    ],
)
def test_bfcl_rules(text: str, right: bool) -> None:
    assert judge(text, match="bfcl").passed is right


def test_bfcl_takes_a_whole_number_for_a_float_and_a_default_for_granted() -> None:
    windy = (ToolCall(name="weather", arguments={"city": "Oslo", "wind": 5.0}),)
    assert judge(call("weather", city="oslo", wind=5), windy, match="bfcl").passed
    assert judge(call("weather", city="oslo", wind=5, days=1), windy, match="bfcl").passed
    assert not judge(call("weather", city="Oslo", wind=5, days=1), windy).passed


def test_bfcl_compares_what_lists_and_objects_hold_in_order() -> None:
    route = tool("route", ("stops",), stops={"type": "array", "items": {"type": "string"}}, how={"type": "object"})
    right = ToolCall(name="route", arguments={"stops": ["Old Town", "Sea-Side"], "how": {"by": "Bus", "seats": 2}})

    def passes(**arguments: object) -> bool:
        prompt = Prompt(
            id="p", messages=(Message(role="user", content="?"),), reference=Reference(calls=(right,)), tools=(route,)
        )
        submission = Submission(prompt, call("route", **arguments))
        (verdict,) = ToolsVerifier(ToolsConfig(match="bfcl")).verify([submission])
        return verdict.passed

    assert passes(stops=["old town", "seaside"], how={"seats": 2, "by": "bus"})
    assert not passes(stops=["Sea-Side", "Old Town"], how={"by": "Bus", "seats": 2})
    assert not passes(stops=["Old Town"], how={"by": "Bus", "seats": 2})
    assert not passes(stops=["Old Town", "Sea-Side"], how={"by": "Bus", "seats": 2, "pets": 1})
    assert not passes(stops="Old Town", how={"by": "Bus", "seats": 2})


def test_bfcl_wants_as_many_parallel_calls_as_are_right() -> None:
    right = (
        ToolCall(name="alarm", arguments={"hour": 7, "label": "Get up"}),
        ToolCall(name="alarm", arguments={"hour": 9}),
    )
    one, other = call("alarm", hour=7, label="get-up"), call("alarm", hour=9)
    assert judge(f"{other}{one}", right, match="bfcl").passed
    for text in (one, f"{one}{other}{other}", f"{one}{one}"):
        assert not judge(text, right, match="bfcl").passed


def test_text_before_a_call_may_be_allowed_and_text_behind_it_never() -> None:
    assert judge(f"One moment.\n{GOOD}", allow_text=True).passed
    assert not judge(f"{GOOD}\nDone.", allow_text=True).passed


def test_equality_as_json() -> None:
    assert same({"a": [1, 2.0]}, {"a": [1.0, 2]})
    assert not same(1, True)
    assert not same([1, 2], [2, 1])
    assert not same("1", 1)


def test_schema_complaints() -> None:
    def said(**arguments: object) -> str:
        return complaint([WEATHER, ALARM], ToolCall(name="weather", arguments=arguments))

    assert said(city="Oslo", days=2) == ""
    assert "lacks 'city'" in said(days=2)
    assert "has no 'town'" in said(city="Oslo", town="Oslo")
    assert "must be integer" in said(city="Oslo", days="2")
    assert "must be integer" in said(city="Oslo", days=True)
    assert said(city="Oslo", wind=2) == ""
    assert "no tool" in complaint([WEATHER], ToolCall(name="rain"))
    listed = tool("pick", ("of",), of={"type": "array", "items": {"enum": ["a", "b"]}})
    assert complaint([listed], ToolCall(name="pick", arguments={"of": ["a", "b"]})) == ""
    assert "one of" in complaint([listed], ToolCall(name="pick", arguments={"of": ["a", "c"]}))


def test_calls_are_read_in_order() -> None:
    found = read_calls(f"Well.\n{GOOD}\n{call('alarm', hour=7)}")
    assert found.before == "Well."
    assert found.calls is not None and [one.name for one in found.calls] == ["weather", "alarm"]
