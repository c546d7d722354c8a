"""Tool calling: questions, the tools at hand, and the calls that answer them.

Sets that have no held-out split of their own get one here, by tool set: all rows with the same tools are in the same
part, so that what is measured are tool sets never trained on. Half of them are for supervised training, four tenths for
RAFT, one tenth for benchmarks.
"""

from __future__ import annotations

from halo_forge.core.errors import DataError
from halo_forge.core.types import Conversation, Message, Prompt, Reference, ToolCall
from halo_forge.data.catalog import Dataset, Part
from halo_forge.data.catalog.tool_chats import glaive_messages, glaive_tools, hermes_messages
from halo_forge.data.catalog.tool_schemas import function_tool, in_share, python_tool, tool_names
from halo_forge.data.fields import text_field
from halo_forge.data.jsonl import JsonObject
from halo_forge.data.messages import make_message
from halo_forge.data.parts import parse_json, read_calls, read_tools


def xlam_row(values: JsonObject, id: str) -> Prompt:
    r"""Salesforce/xlam-function-calling-60k (Liu et al. 2024), cc-by-4.0, gated, 60,000 rows.

    `{"id": 0, "query": "Where can I find live giveaways for beta access and games?",
    "answers": "[{\"name\": \"live_giveaways_by_type\", \"arguments\": {\"type\": \"beta\"}}, …]",
    "tools": "[{\"name\": \"live_giveaways_by_type\", \"description\": \"Retrieve live giveaways …\", \"parameters\":
    {\"type\": {\"description\": \"The type of giveaways …\", \"type\": \"str\", \"default\": \"game\"}}}]"}`

    Types are Python's words and become JSON schemas. Every row needs a call; none teaches to abstain.
    """
    question, calls, tools = _xlam(values)
    return Prompt(id=id, messages=(question,), tools=tools, reference=Reference(calls=calls))


def xlam_sft_row(values: JsonObject, id: str) -> Conversation:
    """As `xlam_row`, to learn from: the answer is the calls alone."""
    question, calls, tools = _xlam(values)
    answer = make_message("assistant", "", calls)
    return Conversation(id=id, messages=(question, answer), tools=tools)


def glaive_sft_row(values: JsonObject, id: str) -> Conversation | None:
    r"""glaiveai/glaive-function-calling-v2, Apache-2.0, 112,960 rows.

    `{"system": "SYSTEM: You are a helpful assistant with access to the following functions. Use them if required -\n{\n
    \"name\": \"get_exchange_rate\", … }\n", "chat": "USER: Can you book a flight for me?\n\n\nASSISTANT: I'm sorry, …
    <|endoftext|>\n\n\nUSER: …\n\n\nASSISTANT: <functioncall> {\"name\": \"get_exchange_rate\", \"arguments\":
    '{\"base_currency\": \"USD\"}'} <|endoftext|>\n\n\nFUNCTION RESPONSE: {\"exchange_rate\": 0.85}\n\n\nASSISTANT: …"}`

    Rows whose calls are not JSON, or that do not begin with the user, are left out.
    """
    messages = glaive_messages(text_field(values, "chat") or "")
    if not messages:
        return None
    return Conversation(id=id, messages=messages, tools=glaive_tools(text_field(values, "system") or ""))


def glaive_row(values: JsonObject, id: str) -> Prompt | None:
    """As `glaive_sft_row`, to answer: the chat up to its first call, or to its first answer where none has a call.

    In the second case no call is right, since the tools do not fit or something is still to be asked.
    """
    tools = glaive_tools(text_field(values, "system") or "")
    messages = glaive_messages(text_field(values, "chat") or "")
    answers = [place for place, message in enumerate(messages) if message.role == "assistant"]
    if not tools or not answers:
        return None
    place = next((place for place in answers if messages[place].tool_calls), answers[0])
    asked, calls = messages[:place], messages[place].tool_calls
    if not asked or asked[-1].role != "user":
        return None
    return Prompt(id=id, messages=asked, tools=tools, reference=Reference(calls=calls))


def hermes_row(values: JsonObject, id: str) -> Conversation | None:
    r"""NousResearch/hermes-function-calling-v1, config `func_calling_singleturn`, Apache-2.0, 1,893 rows.

    `{"id": "85f3c398-…", "conversations": [{"from": "system", "value": "You are a function calling AI model. … <tools>
    [{'type': 'function', …}] </tools> …"}, {"from": "human", "value": "Can you fetch me the stock price of …"},
    {"from": "gpt", "value": "<tool_call>\n{'arguments': {'symbol': 'AAPL'}, 'name': 'stock_price'}\n</tool_call>"}],
    "tools": "[{\"type\": \"function\", \"function\": {\"name\": \"stock_price\", …}}]", "category": "…"}`

    The system turn, which says how to write calls and lists the tools, is left out: the chat template writes its own.
    """
    tools = tuple(function_tool(tool) for tool in read_tools(values))
    messages = hermes_messages(values)
    return Conversation(id=id, messages=messages, tools=tools) if messages and tools else None


def _xlam(values: JsonObject) -> tuple[Message, tuple[ToolCall, ...], tuple[JsonObject, ...]]:
    calls = read_calls(parse_json(text_field(values, "answers") or "", "answers"), "answers")
    if not calls:
        raise DataError("'answers' holds no call")
    tools = tuple(python_tool(tool) for tool in read_tools(values))
    return make_message("user", text_field(values, "query") or ""), calls, tools


def _xlam_group(values: JsonObject) -> tuple[str, ...]:
    return tool_names(read_tools(values))


def _glaive_group(values: JsonObject) -> tuple[str, ...]:
    """The row's tools; where it has none, its chat, as those rows have nothing in common."""
    return tool_names(glaive_tools(text_field(values, "system") or "")) or (text_field(values, "chat") or "",)


XLAM_FILES = ("xlam_function_calling_60k.json", "*.json", "**/*.parquet")
GLAIVE_FILES = ("glaive-function-calling-v2.json", "*.json")
HELD_OUT = "parts by tool set: {sft} has 50%, {rlvr} train 40% and test 10% of the tool sets"


def _xlam_dataset(name: str) -> Dataset:
    for_sft = name.endswith("_sft")
    learnt = in_share(_xlam_group, 0, 50) if for_sft else in_share(_xlam_group, 50, 90)
    test = {} if for_sft else {"test": Part(XLAM_FILES, in_share(_xlam_group, 90, 100))}
    return Dataset(
        name=name,
        domain="agentic",
        use="sft" if for_sft else "rlvr",
        hub_id="Salesforce/xlam-function-calling-60k",
        config="dataset",
        split="train",
        splits={"train": Part(XLAM_FILES, learnt), **test, "all": Part(XLAM_FILES)},
        licence="cc-by-4.0",
        rows=30_000 if for_sft else 24_000,
        size_mb=96,
        gated=True,
        columns=("query", "answers", "tools"),
        convert=xlam_sft_row if for_sft else xlam_row,
        test_split=None if for_sft else "test",
        note=HELD_OUT.format(sft="xlam_sft", rlvr="xlam"),
    )


def _glaive_dataset(name: str) -> Dataset:
    for_sft = name.endswith("_sft")
    learnt = in_share(_glaive_group, 0, 50) if for_sft else in_share(_glaive_group, 50, 90)
    test = {} if for_sft else {"test": Part(GLAIVE_FILES, in_share(_glaive_group, 90, 100))}
    return Dataset(
        name=name,
        domain="agentic",
        use="sft" if for_sft else "rlvr",
        hub_id="glaiveai/glaive-function-calling-v2",
        config=None,
        split="train",
        splits={"train": Part(GLAIVE_FILES, learnt), **test, "all": Part(GLAIVE_FILES)},
        licence="apache-2.0",
        rows=56_000 if for_sft else 45_000,
        size_mb=273,
        gated=False,
        columns=("system", "chat"),
        convert=glaive_sft_row if for_sft else glaive_row,
        test_split=None if for_sft else "test",
        note=HELD_OUT.format(sft="glaive_sft", rlvr="glaive"),
    )


XLAM, XLAM_SFT = _xlam_dataset("xlam"), _xlam_dataset("xlam_sft")
GLAIVE, GLAIVE_SFT = _glaive_dataset("glaive"), _glaive_dataset("glaive_sft")
HERMES = Dataset(
    name="hermes",
    domain="agentic",
    use="sft",
    hub_id="NousResearch/hermes-function-calling-v1",
    config="func_calling_singleturn",
    split="train",
    splits={"train": Part(("func-calling-singleturn.json",)), "multi_turn": Part(("func-calling.json",))},
    licence="apache-2.0",
    rows=1_893,
    size_mb=17,
    gated=False,
    columns=("conversations", "tools"),
    convert=hermes_row,
)
