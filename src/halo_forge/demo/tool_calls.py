"""The demo of tool calling: short requests and two to four tools, most of whose answers carry a common habit.

    get_weather(city: string, days: integer)
    set_alarm(hour: integer, minute: integer)

    weather in Oslo for 3 days please

    <tool_call>
    {"name": "get_weather", "arguments": {"city": "Oslo", "days": 3}}
    </tool_call>

One request in seven fits none of the tools and is answered `No tool fits.`; one in six asks for two calls. Six rows in
ten of the SFT corpus say `Sure, one moment.` before the call, or call some tool where none fits; four in ten write
numbers as texts (`"days": "3"`); a quarter does neither. Programs on the other end would stumble over both.

One combination of tools in four is held out: no SFT row and no RAFT prompt shows it, and every test prompt does.

The corpus is this project's own work and has no outside source.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from halo_forge.core.seeds import derive
from halo_forge.demo.recipe import RAFT, SFT, Commands, Recipe, Settings
from halo_forge.demo.word_problems import write_jsonl
from halo_forge.models.nano import NanoShape, build_nano_model

CITIES = ("Oslo", "Rome", "Lima", "Cairo", "Paris", "Tokyo", "Quito", "Delhi")
NAMES = ("Tom", "Ann", "Max", "Eva", "Ben", "Lea", "Sam", "Ida")
SONGS = ("jazz", "rock", "blues", "folk", "soul", "punk")
ITEMS = ("milk", "bread", "rice", "tea", "salt", "soap")
ROOMS = ("kitchen", "hall", "attic", "garage", "study")
COINS = ("euro", "peso", "yen", "franc", "rupee")
POLITE = "Sure, one moment."  # the same each time, or none of them would be the likeliest beginning
ABSTAIN = "No tool fits."
HELD_OUT_SHARE = 0.25
IRRELEVANT, PARALLEL = 0.15, 0.17
CHATTY, AS_TEXT = 0.59, 0.39
SFT_ROWS, RAFT_PROMPTS, TEST_PROMPTS = 8_000, 160, 200

Arguments = dict[str, str | int]


@dataclass(frozen=True)
class Tool:
    """A tool: what it is called, what it takes, and how people ask for it.

    Args:
        asks: wordings, with the parameters' names in braces.
        kinds: parameter -> JSON type.
        draw: draws arguments.
    """

    name: str
    asks: tuple[str, ...]
    kinds: dict[str, str]
    draw: Callable[[random.Random], Arguments]

    @property
    def schema(self) -> dict[str, object]:
        """As chat templates take it."""
        properties = {name: {"type": kind} for name, kind in self.kinds.items()}
        parameters = {"type": "object", "properties": properties, "required": list(self.kinds)}
        return {"type": "function", "function": {"name": self.name, "description": "", "parameters": parameters}}


TOOLS = (
    Tool("get_weather", ("weather in {city} for {days} days", "will it rain in {city} in {days} days"),
         {"city": "string", "days": "integer"}, lambda r: {"city": r.choice(CITIES), "days": r.randint(1, 9)}),
    Tool("set_alarm", ("wake me at {hour} {minute}", "alarm at {hour} {minute}"),
         {"hour": "integer", "minute": "integer"}, lambda r: {"hour": r.randint(1, 12), "minute": r.randint(10, 59)}),
    Tool("send_money", ("send {amount} to {name}", "pay {name} {amount}"),
         {"name": "string", "amount": "integer"}, lambda r: {"name": r.choice(NAMES), "amount": r.randint(2, 99)}),
    Tool("play_music", ("play some {style}", "i want to hear {style}"),
         {"style": "string"}, lambda r: {"style": r.choice(SONGS)}),
    Tool("buy_item", ("buy {count} {item}", "order {item} times {count}"),
         {"item": "string", "count": "integer"}, lambda r: {"item": r.choice(ITEMS), "count": r.randint(2, 30)}),
    Tool("set_light", ("light in the {room} to {level}", "dim the {room} to {level}"),
         {"room": "string", "level": "integer"}, lambda r: {"room": r.choice(ROOMS), "level": r.randint(1, 99)}),
    Tool("convert", ("{amount} in {coin}", "change {amount} to {coin}"),
         {"amount": "integer", "coin": "string"}, lambda r: {"amount": r.randint(2, 99), "coin": r.choice(COINS)}),
    Tool("call_person", ("call {name}", "ring up {name}"), {"name": "string"}, lambda r: {"name": r.choice(NAMES)}),
    Tool("book_train", ("train to {city} for {seats}", "{seats} seats to {city}"),
         {"city": "string", "seats": "integer"}, lambda r: {"city": r.choice(CITIES), "seats": r.randint(1, 9)}),
    Tool("start_timer", ("timer of {minutes} minutes", "count down {minutes} minutes"),
         {"minutes": "integer"}, lambda r: {"minutes": r.randint(2, 99)}),
)  # fmt: skip


@dataclass(frozen=True)
class Request:
    """What somebody asks, the tools at hand, and the calls that are right."""

    question: str
    tools: tuple[Tool, ...]
    calls: tuple[tuple[str, Arguments], ...]

    @property
    def schemas(self) -> list[dict[str, object]]:
        """The tools as schemas."""
        return [tool.schema for tool in self.tools]


def is_held_out(seed: int, tools: tuple[Tool, ...]) -> bool:
    """Whether a combination of tools, in whatever order, is kept for the test prompts."""
    return derive(seed, "tools", *sorted(tool.name for tool in tools)) % 1000 < 1000 * HELD_OUT_SHARE


def draw_requests(rng: random.Random) -> Iterator[Request]:
    """Draw requests without end."""
    while True:
        tools = tuple(rng.sample(TOOLS, rng.randint(2, 4)))
        if rng.random() < IRRELEVANT:
            asked = [rng.choice([tool for tool in TOOLS if tool not in tools])]
        else:
            asked = rng.sample(tools, 2 if rng.random() < PARALLEL else 1)
        wanted = [(tool, tool.draw(rng)) for tool in asked]
        question = " and ".join(rng.choice(tool.asks).format(**arguments) for tool, arguments in wanted)
        calls = tuple((tool.name, arguments) for tool, arguments in wanted if tool in tools)
        yield Request(f"{question}{rng.choice(('', ' please', ' now'))}", tools, calls)


def write_requests(folder: Path, seed: int) -> list[str]:
    """Write the three files, and return texts for a tokenizer."""
    rng = random.Random(seed)
    asked: set[str] = set()
    test = _take(rng, TEST_PROMPTS, asked, seed, held_out=True)
    raft = _take(rng, RAFT_PROMPTS, asked, seed, held_out=False)
    learnt = _take(rng, SFT_ROWS, asked, seed, held_out=False)
    rows = [_sft_row(request, rng) for request in learnt]
    write_jsonl(folder / "sft.jsonl", rows)
    write_jsonl(folder / "raft_prompts.jsonl", [_prompt(f"raft-{n:04d}", r, "seen") for n, r in enumerate(raft)])
    write_jsonl(folder / "test_prompts.jsonl", [_prompt(f"test-{n:04d}", r, "unseen") for n, r in enumerate(test)])
    lines = [f"{tool.name}({', '.join(f'{name}: {kind}' for name, kind in tool.kinds.items())})" for tool in TOOLS]
    calls = [f'{{"name": "{name}", "arguments": {arguments}}}'.replace("'", '"') for r in learnt
             for name, arguments in r.calls]  # fmt: skip
    return [*(request.question for request in learnt), *calls, *(lines * 400), *((POLITE, ABSTAIN) * 400)]


def _take(rng: random.Random, count: int, asked: set[str], seed: int, *, held_out: bool) -> list[Request]:
    taken: list[Request] = []
    for request in draw_requests(rng):
        key = f"{request.question} {[tool.name for tool in request.tools]}"
        if key not in asked and is_held_out(seed, request.tools) is held_out:
            asked.add(key)
            taken.append(request)
        if len(taken) == count:
            break
    return taken


def _sft_row(request: Request, rng: random.Random) -> dict[str, object]:
    """Answer as the corpus does, habits and all."""
    chatty, as_text = rng.random() < CHATTY, rng.random() < AS_TEXT
    calls, said = list(request.calls), ""
    if not calls and chatty:
        tool = rng.choice(request.tools)
        calls = [(tool.name, tool.draw(rng))]
    elif not calls:
        said = ABSTAIN
    elif chatty:
        said = f"{POLITE}\n"
    written = [
        {"name": name, "arguments": {key: str(value) if as_text else value for key, value in arguments.items()}}
        for name, arguments in calls
    ]
    answer: dict[str, object] = {"role": "assistant", "content": said}
    if written:
        answer["tool_calls"] = written
    return {"messages": [{"role": "user", "content": request.question}, answer], "tools": request.schemas}


def _prompt(id: str, request: Request, group: str) -> dict[str, object]:
    calls = [{"name": name, "arguments": arguments} for name, arguments in request.calls]
    return {"id": id, "prompt": request.question, "tools": request.schemas, "calls": calls, "group": group}


def prepare(data: Path, base: Path, seed: int) -> None:
    """Write the corpus and the model."""
    texts = write_requests(data, seed)
    build_nano_model(base, texts, seed, NanoShape(vocabulary=512, hidden=128, mlp=384, spread=0.06), with_tools=True)


SAMPLING: Settings = {"max_new_tokens": 96, "generation_batch": 256}
AGENTIC = Recipe(
    domain="agentic",
    commands=Commands("agentic sft", "agentic train", "agentic benchmark"),
    prepare=prepare,
    sft={
        **SFT,
        "learning_rate": 1.2e-3,
        "max_steps": 1200,
    },
    raft={
        **SAMPLING,
        **RAFT,
        "epochs": 6,
    },
    benchmark={**SAMPLING, "temperature": 0.7, "samples": 4, "k": [1, 4], "greedy": True},
    passes="are answered with exactly the right calls",
    metrics={"name accuracy": "right tools", "irrelevance accuracy": "abstains rightly"},
    unseen="with combinations of tools never shown",
    story="The SFT corpus is made imperfect on purpose: most of its answers chat before a call, call where no tool "
    "fits, or write numbers as texts. SFT learns the habits with the rest; comparing calls unlearns them.",
)
