"""Code: instructions with programs for an answer, problems with tests."""

from __future__ import annotations

import re

from pydantic import JsonValue

from halo_forge.core.errors import DataError
from halo_forge.core.types import Conversation, IoCase, Prompt, Reference
from halo_forge.data.catalog import Dataset, Part
from halo_forge.data.catalog.code_tests import livecodebench_tests
from halo_forge.data.conversations import instruction_messages
from halo_forge.data.fields import text_field
from halo_forge.data.jsonl import JsonObject, Row
from halo_forge.data.messages import make_message, messages_field
from halo_forge.data.prompts import read_prompt

WHOLE_PROGRAM = (
    "Write a Python program that reads from standard input and prints the answer. "
    "Answer with the whole program in one ```python block."
)
COMPLETE_CLASS = "Complete this class. Answer with the whole class in one ```python block."
# Solutions to such problems are written where these are imported already.
IMPORTS = "\n".join(
    f"from {module} import *"
    for module in ("typing", "collections", "heapq", "bisect", "math", "itertools", "functools", "operator", "string")
)
THOUGHT = re.compile(r"\A\s*<think>.*?</think>\s*", re.DOTALL)


def codealpaca_row(values: JsonObject, id: str) -> Conversation:
    r"""sahil2801/CodeAlpaca-20k, cc-by-4.0, 20,022 rows.

    `{"instruction": "Write a function that counts the vowels of a word.", "input": "word = 'tree'",
    "output": "def count_vowels(word):\n    return sum(letter in 'aeiou' for letter in word)"}`

    `input` is often ""; where it is not, it follows the instruction after a blank line.
    """
    instruction, output = text_field(values, "instruction") or "", text_field(values, "output") or ""
    return Conversation(id=id, messages=instruction_messages(instruction, text_field(values, "input"), output))


def magicoder_row(values: JsonObject, id: str) -> Conversation:
    r"""ise-uiuc/Magicoder-Evol-Instruct-110K, Apache-2.0, 111,183 rows.

    `{"instruction": "Write a Python function that reverses a list in place.",
    "response": "Two indices walk towards each other …\n\n```python\ndef reverse(items): …\n```"}`
    """
    instruction, response = text_field(values, "instruction") or "", text_field(values, "response") or ""
    return Conversation(id=id, messages=instruction_messages(instruction, None, response))


def codeforces_row(values: JsonObject, id: str) -> Conversation | None:
    r"""open-r1/codeforces-cots, config `solutions` (C++) or `solutions_py`, cc-by-4.0.

    `{"prompt": "You will be given a competitive programming problem. …", "generation": "<think>…</think>\n…",
    "finish_reason": "stop", "messages": [{"role": "user", "content": "You will be given …"}, {"role": "assistant",
    "content": "<think>\nOkay, …\n</think>\n\nThe solution …\n\n```cpp\n#include <iostream>\n…\n```"}],
    "examples": [{"input": "3\n1 2 3", "output": "6"}], "time_limit": 2.0, "memory_limit": 256.0,
    "description": "…", "input_format": "…"}`

    The answer is what follows the reasoning in `<think>`, since that alone is up to 16,000 tokens long. Answers that
    were cut, or that hold no program, are left out. Nobody has checked that the programs are right.
    """
    messages = messages_field(values, "messages")
    answer = THOUGHT.sub("", messages[-1].text)
    if values.get("finish_reason") not in (None, "stop") or "```" not in answer or "<think>" in answer:
        return None
    return Conversation(id=id, messages=(*messages[:-1], make_message(messages[-1].role, answer)))


def codeforces_task(values: JsonObject, id: str) -> Prompt | None:
    """Make a prompt of a row as in `codeforces_row`, with the problem's examples as its tests."""
    cases = tuple(_case(item) for item in _list(values, "examples"))
    messages = messages_field(values, "messages")
    asked = tuple(message for message in messages if message.role in ("system", "user"))
    return Prompt(id=id, messages=asked, reference=Reference(cases=cases)) if cases and asked else None


def task_row(values: JsonObject, id: str) -> Prompt:
    r"""Read a task as it is published, by its columns; the row's own `task_id` is the prompt's id.

    openai/openai_humaneval, MIT, 164 rows (Chen et al. 2021, arXiv 2107.03374), and evalplus/humanevalplus, Apache-2.0,
    the same with more tests (Liu et al. 2023):
    `{"task_id": "HumanEval/53", "prompt": "def add(x: int, y: int):\n    \"\"\"Add two numbers x and y\"\"\"\n",
    "canonical_solution": "    return x + y\n", "test": "def check(candidate):\n    assert candidate(0, 1) == 1\n",
    "entry_point": "add"}`

    google-research-datasets/mbpp, cc-by-4.0, in `full` 374 rows for training and 500 for the test, in `sanitized` 120,
    257 (Austin et al. 2021, arXiv 2108.07732): `{"task_id": 17, "text": "Write a function to find the perimeter of a
    square.", "code": "def square_perimeter(a):\n  return 4*a", "test_list": ["assert square_perimeter(10)==40"],
    "test_setup_code": "", "challenge_test_list": []}`; `sanitized` says `prompt` for `text` and `test_imports`.
    """
    return read_prompt(Row(0, values))


def livecodebench_row(values: JsonObject, id: str) -> Prompt | None:
    r"""livecodebench/code_generation_lite, cc, 1,055 rows in release_v6.

    `{"question_title": "A. Short Sort", "question_content": "There are three cards …", "platform": "codeforces",
    "question_id": "1873_A", "contest_date": "2023-08-21T00:00:00", "starter_code": "", "difficulty": "easy",
    "public_test_cases": "[{\"input\": \"6\\nabc\\n…\", \"output\": \"YES\\n…\", \"testtype\": \"stdin\"}]",
    "private_test_cases": "eJxrYJm…", "metadata": "{\"func_name\": \"…\"}"}`

    Where `starter_code` has a class `Solution`, the tests call its method (`testtype` functional), with an argument a
    line, as JSON. What published solutions take as imported is imported. The group is the difficulty.
    `--filter contest_date=>=2025-01-01` keeps problems that are younger than a model.
    """
    tests = livecodebench_tests(values)
    question = (text_field(values, "question_content") or "").strip()
    starter = (text_field(values, "starter_code") or "").rstrip()
    if not question or not (tests.cases or tests.asserts):
        return None
    asked = f"{question}\n\n{WHOLE_PROGRAM}"
    reference = Reference(cases=tests.cases)
    if tests.asserts:
        asked = f"{question}\n\n{COMPLETE_CLASS}\n\n```python\n{starter}\n```"
        reference = Reference(asserts=tests.asserts, entry_point="Solution", stub=f"{IMPORTS}\n\n{starter}\n")
    return Prompt(
        id=f"lcb-{text_field(values, 'question_id') or id}",
        messages=(make_message("user", asked),),
        reference=reference,
        group=text_field(values, "difficulty"),
    )


def _case(item: JsonValue) -> IoCase:
    if not isinstance(item, dict) or not isinstance(item.get("input"), str) or not isinstance(item.get("output"), str):
        raise DataError("'examples' must list objects with the texts 'input' and 'output'")
    return IoCase(input=str(item["input"]), output=str(item["output"]))


def _list(values: JsonObject, key: str) -> list[JsonValue]:
    value = values.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise DataError(f"{key!r} must be a list")
    return value


CODEALPACA = Dataset(
    name="codealpaca",
    domain="code",
    use="sft",
    hub_id="sahil2801/CodeAlpaca-20k",
    config=None,
    split="train",
    splits={"train": Part(("code_alpaca_20k.json", "*.json", "**/*.parquet"))},
    licence="cc-by-4.0",
    rows=20_022,
    size_mb=8,
    gated=False,
    columns=("instruction", "input", "output"),
    convert=codealpaca_row,
)

MAGICODER = Dataset(
    name="magicoder",
    domain="code",
    use="sft",
    hub_id="ise-uiuc/Magicoder-Evol-Instruct-110K",
    config=None,
    split="train",
    splits={"train": Part(("data-evol_instruct-decontaminated.jsonl", "*.jsonl"))},
    licence="apache-2.0",
    rows=111_183,
    size_mb=255,
    gated=False,
    columns=("instruction", "response"),
    convert=magicoder_row,
    note="cleaned of HumanEval and MBPP by its authors",
)


def _codeforces(name: str, config: str, language: str) -> Dataset:
    return Dataset(
        name=name,
        domain="code",
        use="sft",
        hub_id="open-r1/codeforces-cots",
        config=config,
        split="train",
        splits={"train": Part((f"{config}/train-*.parquet",))},
        licence="cc-by-4.0",
        rows=47_780 if config == "solutions" else 9_556,
        size_mb=2_000 if config == "solutions" else 450,
        gated=False,
        columns=("messages",),
        optional=("examples", "finish_reason"),
        convert=codeforces_row,
        also={"rlvr": codeforces_task},
        note=f"{language} answers that nobody has checked; --use rlvr gives the problems with their examples as tests",
    )


CODEFORCES_CPP = _codeforces("codeforces_cpp", "solutions", "C++")
CODEFORCES_PYTHON = _codeforces("codeforces_python", "solutions_py", "Python")


def _mbpp(name: str, config: str, sizes: dict[str, int], columns: tuple[str, ...]) -> Dataset:
    return Dataset(
        name=name,
        domain="code",
        use="rlvr",
        hub_id="google-research-datasets/mbpp",
        config=config,
        split="train",
        splits={part: Part((f"{config}/{part}-*.parquet",), rows=count) for part, count in sizes.items()},
        licence="cc-by-4.0",
        rows=sizes["train"],
        size_mb=1,
        gated=False,
        columns=("task_id", "code", "test_list", *columns),
        convert=task_row,
        test_split="test",
    )


FULL = {"train": 374, "test": 500, "validation": 90, "prompt": 10}
SANITIZED = {"train": 120, "test": 257, "validation": 43, "prompt": 7}
MBPP = _mbpp("mbpp", "full", FULL, ("text", "test_setup_code"))
MBPP_SANITIZED = _mbpp("mbpp_sanitized", "sanitized", SANITIZED, ("prompt", "test_imports"))


def _humaneval(name: str, hub_id: str, folder: str, licence: str, size_mb: int) -> Dataset:
    return Dataset(
        name=name,
        domain="code",
        use="benchmark",
        hub_id=hub_id,
        config=None,
        split="test",
        splits={"test": Part((f"{folder}/test-*.parquet", "**/*.parquet", "*.jsonl"))},
        licence=licence,
        rows=164,
        size_mb=size_mb,
        gated=False,
        columns=("task_id", "prompt", "canonical_solution", "test", "entry_point"),
        convert=task_row,
    )


HUMANEVAL = _humaneval("humaneval", "openai/openai_humaneval", "openai_humaneval", "mit", 1)
HUMANEVAL_PLUS = _humaneval("humaneval_plus", "evalplus/humanevalplus", "data", "apache-2.0", 3)

LIVECODEBENCH = Dataset(
    name="livecodebench",
    domain="code",
    use="benchmark",
    hub_id="livecodebench/code_generation_lite",
    config="release_v6",
    split="test",
    splits={"test": Part(("test*.jsonl",))},
    licence="cc",
    rows=1_055,
    size_mb=4_200,
    gated=False,
    columns=("question_content", "question_id", "public_test_cases"),
    optional=("private_test_cases", "difficulty", "contest_date", "starter_code", "metadata", "platform"),
    convert=livecodebench_row,
    note="problems older than a model may have been seen by it: --filter contest_date=>=2025-01-01",
)
