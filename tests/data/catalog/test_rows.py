"""What each dataset's rows become, on rows in the shape of the real ones."""

from __future__ import annotations

import base64
import json
import pickle
import zlib
from typing import Any

import pytest

from halo_forge.core.errors import DataError
from halo_forge.core.types import Conversation, MediaPart, Prompt, Reference, TextPart, ToolCall
from halo_forge.data.catalog import find_dataset
from halo_forge.data.catalog.reasoning import last_box

IMAGE = {"kind": "image", "path": "a.media/1.png", "sha256": "1"}
SOUND = {"kind": "audio", "path": "a.media/1.flac", "sha256": "1"}
GLAIVE_SYSTEM = (
    "SYSTEM: You are a helpful assistant with access to the following functions. Use them if required -\n"
    '{\n    "name": "rate",\n    "description": "Get it",\n    "parameters": {"type": "object", "properties": {}}\n}\n'
    '{"name": "news", "description": "Get news", "parameters": {}}\n'
)
GLAIVE_CHAT = (
    "USER: What is the rate?\n\n\nASSISTANT: From which currency? <|endoftext|>\n\n\nUSER: The dollar's\n\n\n"
    'ASSISTANT: <functioncall> {"name": "rate", "arguments": \'{"base": "USD", "of": "Côte d\\\'Or"}\'} <|endoftext|>'
    '\n\n\nFUNCTION RESPONSE: {"rate": 0.85}\n\n\nASSISTANT: It is 0.85. <|endoftext|>'
)


def convert(name: str, use: Any = None, **values: Any) -> Any:
    return find_dataset(name).conversion(use)[1](values, "x")


def turns(row: Conversation | Prompt) -> list[tuple[str, str]]:
    return [(message.role, message.text) for message in row.messages]


def test_gsm8k() -> None:
    values = {"question": "How many clips?", "answer": "48/2 = <<48/2=24>>24 clips.\nAll: <<1+2=3>>1,072.\n#### 1,072"}
    prompt = convert("gsm8k", **values)
    assert prompt.reference.answer == "1072"
    assert turns(prompt)[0][1].startswith("How many clips?\n\n")
    assert "\\boxed{}" in turns(prompt)[0][1]
    learnt = convert("gsm8k_sft", **values)
    assert turns(learnt)[1][1] == "48/2 = 24 clips.\nAll: 1,072.\n\nThe answer is $\\boxed{1072}$."
    with pytest.raises(DataError, match="must end with '#### '"):
        convert("gsm8k", question="a", answer="no mark")


def test_metamath() -> None:
    row = convert("metamath", query="How far?", response="It is far.\n#### \\sqrt{41}\nThe answer is: $\\sqrt{41}$")
    assert turns(row)[1][1] == "It is far.\n\nThe answer is $\\boxed{\\sqrt{41}}$."
    assert convert("metamath", query="How far?", response="It is far.") is None


@pytest.mark.parametrize(
    ("text", "box"),
    [
        ("so \\boxed{2} or \\boxed{\\frac{1}{\\{2}}.", "\\frac{1}{\\{2}"),
        ("\\fbox{3}", "3"),
        ("$\\boxed 7$", "7"),
        ("none", None),
    ],
)
def test_the_last_box(text: str, box: str | None) -> None:
    assert last_box(text) == box


def test_mathematics() -> None:
    row = convert("math", problem="P", solution="\\boxed{1} then $\\boxed{\\frac{1}{2}}$.", level="Level 5", type="A")
    assert (row.reference.answer, row.group) == ("\\frac{1}{2}", "Level 5")
    assert convert("math", problem="P", solution="no box", level="Level 5", type="A") is None
    assert convert("math500", problem="P", answer="x", level=2).group == "Level 2"
    assert convert("aime", Problem="P", Answer=33).reference.answer == "33"
    assert convert("aime25", problem="P", answer="070").reference.answer == "70"
    with pytest.raises(DataError, match="from 0 to 999"):
        convert("aime", Problem="P", Answer="x")


def test_codeforces() -> None:
    asked, answer = {"role": "user", "content": "Sum?"}, "<think>\nlong\n</think>\n\nSo:\n```cpp\nint main(){}\n```"
    values = {
        "messages": [asked, {"role": "assistant", "content": answer}],
        "examples": [{"input": "1 2", "output": "3"}],
        "finish_reason": "stop",
    }
    assert turns(convert("codeforces_cpp", **values))[1] == ("assistant", "So:\n```cpp\nint main(){}\n```")
    assert convert("codeforces_cpp", **{**values, "finish_reason": "length"}) is None
    task = convert("codeforces_python", "rlvr", **values)
    assert turns(task) == [("user", "Sum?")]
    assert task.reference.cases[0].output == "3"
    assert convert("codeforces_cpp", "rlvr", **{**values, "examples": None}) is None
    with pytest.raises(DataError, match="is for sft and rlvr, not for benchmark"):
        convert("codeforces_cpp", "benchmark", **values)


def packed(tests: object) -> str:
    return base64.b64encode(zlib.compress(pickle.dumps(json.dumps(tests)))).decode()


def test_livecodebench() -> None:
    case = {"input": "1\n", "output": "2\n", "testtype": "stdin"}
    values = {
        "question_content": "Add one.",
        "question_id": "1_A",
        "difficulty": "easy",
        "public_test_cases": json.dumps([case]),
        "private_test_cases": packed([{**case, "input": "5\n", "output": "6\n"}]),
    }
    row = convert("livecodebench", **values)
    assert row.id == "lcb-1_A"
    assert [test.output for test in row.reference.cases] == ["2\n", "6\n"]


def test_a_method_of_livecodebench_is_called_with_its_arguments() -> None:
    tests = [
        {"input": '[1, 2]\n"a"', "output": "[2, 4]", "testtype": "functional"},
        {"input": "[]\nnull", "output": "true", "testtype": "functional"},
    ]
    values = {
        "question_content": "Double each.",
        "question_id": "3",
        "starter_code": "class Solution:\n    def double(self, values: List[int], word: str) -> List[int]:\n        ",
        "metadata": '{"func_name": "double"}',
        "public_test_cases": json.dumps(tests),
        "private_test_cases": "[]",
    }
    row = convert("livecodebench", **values)
    assert row.reference.asserts == (
        "assert Solution().double([1, 2], 'a') in ([2, 4], (2, 4))",
        "assert Solution().double([], None) == True",
    )
    assert row.reference.entry_point == "Solution" and "from typing import *" in row.reference.stub
    assert "class Solution:" in row.messages[0].text and "[2, 4]" not in row.messages[0].text
    with pytest.raises(DataError, match="func_name"):
        convert("livecodebench", **{**values, "metadata": "{}"})


def test_a_packed_test_that_would_run_code_is_refused() -> None:
    hostile = base64.b64encode(zlib.compress(b"cos\nsystem\n(S'touch /tmp/owned'\ntR.")).decode()
    values = {"question_content": "a", "question_id": "b", "public_test_cases": "[]", "private_test_cases": hostile}
    with pytest.raises(DataError, match=r"asks for os\.system"):
        convert("livecodebench", **values)


def test_xlam() -> None:
    values = {
        "query": "Which games?",
        "answers": '[{"name": "live", "arguments": {"type": "beta"}}, {"name": "live", "arguments": {"type": "game"}}]',
        "tools": '[{"name": "live", "description": "d", "parameters": {"type": {"description": "t", "type": "str"}}}]',
    }
    prompt = convert("xlam", **values)
    calls = (ToolCall(name="live", arguments={"type": "beta"}), ToolCall(name="live", arguments={"type": "game"}))
    assert prompt.reference.calls == calls
    assert prompt.tools[0]["function"]["parameters"]["required"] == ["type"]
    learnt = convert("xlam_sft", **values)
    assert (learnt.messages[1].tool_calls, learnt.messages[1].text, learnt.tools) == (calls, "", prompt.tools)


def test_glaive() -> None:
    learnt = convert("glaive_sft", system=GLAIVE_SYSTEM, chat=GLAIVE_CHAT)
    assert [message.role for message in learnt.messages] == [
        "user",
        "assistant",
        "user",
        "assistant",
        "tool",
        "assistant",
    ]
    call = ToolCall(name="rate", arguments={"base": "USD", "of": "Côte d'Or"})
    assert learnt.messages[3].tool_calls == (call,)
    assert turns(learnt)[4:] == [("tool", '{"rate": 0.85}'), ("assistant", "It is 0.85.")]
    assert [tool["function"]["name"] for tool in learnt.tools] == ["rate", "news"]
    prompt = convert("glaive", system=GLAIVE_SYSTEM, chat=GLAIVE_CHAT)
    assert (prompt.reference.calls, len(prompt.messages)) == ((call,), 3)
    declined = convert(
        "glaive", system=GLAIVE_SYSTEM, chat="USER: Book a flight\n\n\nASSISTANT: I cannot. <|endoftext|>"
    )
    assert (declined.reference.calls, len(declined.messages)) == ((), 1)
    assert convert("glaive_sft", system="", chat="USER: a\n\n\nASSISTANT: <functioncall> {broken") is None


def test_hermes() -> None:
    tool = {"type": "function", "function": {"name": "price", "description": "d", "parameters": {"type": "object"}}}
    said = "<tool_call>\n{'arguments': {'symbol': 'AAPL'}, 'name': 'price'}\n</tool_call>\n"
    talk = [
        ("system", "<tools> […] </tools>"),
        ("human", "Price?"),
        ("gpt", said),
        ("tool", "<tool_response>\n3\n</tool_response>"),
    ]
    row = convert(
        "hermes", conversations=[{"from": who, "value": text} for who, text in talk], tools=json.dumps([tool])
    )
    assert turns(row) == [("user", "Price?"), ("assistant", ""), ("tool", "3")]
    assert row.messages[1].tool_calls == (ToolCall(name="price", arguments={"symbol": "AAPL"}),)
    assert row.tools == (tool,)


def test_speech() -> None:
    heard = convert("librispeech", audio=SOUND, text="CHAPTER SIXTEEN", id="374-180298-0000")
    assert heard.messages[0].content == (MediaPart.model_validate(SOUND),)
    assert (heard.id, heard.reference.transcript) == ("374-180298-0000", "CHAPTER SIXTEEN")
    assert turns(convert("librispeech_sft", audio=SOUND, text="CHAPTER", id="1"))[1] == ("assistant", "chapter")
    assert convert("common_voice", path=SOUND, sentence="Hello.").reference.transcript == "Hello."
    assert turns(convert("common_voice", "sft", path=SOUND, sentence="Hello."))[1] == ("assistant", "Hello.")
    assert convert("speech_commands", audio=SOUND, label=1).reference.answer == "no"
    assert convert("speech_commands", audio=SOUND, label="cat").reference.answer == "cat"
    assert convert("speech_commands", audio=SOUND, label=35) is None


def test_images() -> None:
    picture = MediaPart.model_validate(IMAGE)
    answers = ["dakota"] * 9 + ["nikon"]
    asked = convert("textvqa", image=IMAGE, question="What brand?", answers=answers)
    assert asked.messages[0].content[0] == picture
    assert turns(asked)[0][1] == "What brand?\nAnswer the question using a single word or phrase."
    assert (asked.reference.answers, asked.reference.metric) == (tuple(answers), "vqa")
    document = convert("docvqa", image=IMAGE, question="What?", answers=["0.28"]).reference
    assert (document.answers, document.metric) == (("0.28",), "anls")
    chart = convert("chartqa", image=IMAGE, query="How many?", label=["14"], human_or_machine=1)
    assert (chart.reference.answer, chart.reference.metric, chart.group) == ("14", "relaxed", "augmented")
    assert turns(convert("realworldqa", image=IMAGE, question="Where?\nA. Left", answer="A"))[0][1] == "Where?\nA. Left"
    vista = convert(
        "mathvista",
        decoded_image=IMAGE,
        query="Hint: …",
        answer="1.2",
        choices=["1", "1.2"],
        question_type="multi_choice",
    )
    assert (vista.reference.choices, vista.reference.metric, vista.group) == (("1", "1.2"), "choice", "multi_choice")
    counted = convert(
        "mathvista", decoded_image=IMAGE, query="Hint: …", answer="1.2", choices=None, answer_type="float"
    )
    assert counted.reference.metric == "number"


def test_the_options_of_realworldqa_are_read_from_its_questions() -> None:
    def reference(question: str, answer: str) -> Reference:
        return convert("realworldqa", image=IMAGE, question=question, answer=answer).reference

    listed = reference("Where?\n\nA. Left.\nB. Straight on\nC. Right\nPlease answer with the letter.", "B")
    assert listed == Reference(answer="Straight on", choices=("Left.", "Straight on", "Right"), metric="choice")
    assert reference("Is it red? Please answer with a single word.", "No") == Reference(answer="No", metric="exact")
    assert reference("Which?\nA. One\nC. Two", "C") == Reference(answer="C", metric="exact")


@pytest.mark.parametrize("said", ["<image>\nWhat?", "What?\n<image>"])
def test_llava(said: str) -> None:
    talk = [{"from": "human", "value": said}, {"from": "gpt", "value": "A bus."}]
    row = convert("llava", image=IMAGE, conversations=talk)
    assert set(row.messages[0].content) == {MediaPart.model_validate(IMAGE), TextPart(text="What?")}
    assert turns(row) == [("user", "What?"), ("assistant", "A bus.")]
