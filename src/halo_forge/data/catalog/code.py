"""Code: instructions with programs for an answer, and tasks with tests."""

from __future__ import annotations

from halo_forge.core.types import Conversation, Prompt
from halo_forge.data.catalog import Dataset
from halo_forge.data.conversations import instruction_messages
from halo_forge.data.fields import text_field
from halo_forge.data.jsonl import JsonObject, Row
from halo_forge.data.prompts import read_prompt


def codealpaca_row(values: JsonObject, id: str) -> Conversation:
    r"""sahil2801/CodeAlpaca-20k, cc-by-4.0, 20,022 rows.

    `{"instruction": "Write a function that counts the vowels of a word.", "input": "word = 'tree'",
    "output": "def count_vowels(word):\n    return sum(letter in 'aeiou' for letter in word)"}`

    `input` is often ""; where it is not, it follows the instruction after a blank line.
    """
    instruction, output = text_field(values, "instruction") or "", text_field(values, "output") or ""
    return Conversation(id=id, messages=instruction_messages(instruction, text_field(values, "input"), output))


CODEALPACA = Dataset(
    name="codealpaca",
    domain="code",
    use="sft",
    hub_id="sahil2801/CodeAlpaca-20k",
    config=None,
    split="train",
    licence="cc-by-4.0",
    rows=20_022,
    gated=False,
    columns=("instruction", "input", "output"),
    convert=codealpaca_row,
)


def task_row(values: JsonObject, id: str) -> Prompt:
    r"""Read a task as it is published, by its columns; the row's own `task_id` is the prompt's id.

    openai/openai_humaneval, MIT, 164 rows (Chen et al. 2021, arXiv 2107.03374):
    `{"task_id": "HumanEval/53", "prompt": "def add(x: int, y: int):\n    \"\"\"Add two numbers x and y\"\"\"\n",
    "canonical_solution": "    return x + y\n", "test": "def check(candidate):\n    assert candidate(0, 1) == 1\n",
    "entry_point": "add"}`

    google-research-datasets/mbpp, cc-by-4.0, test split 500 rows in `full` and 257 in `sanitized` (Austin et al. 2021,
    arXiv 2108.07732): `{"task_id": 17, "text": "Write a function to find the perimeter of a square.",
    "code": "def square_perimeter(a):\n  return 4*a", "test_list": ["assert square_perimeter(10)==40"],
    "test_setup_code": "", "challenge_test_list": []}`; `sanitized` says `prompt` for `text` and `test_imports`.
    """
    return read_prompt(Row(0, values))


HUMANEVAL = Dataset(
    name="humaneval",
    domain="code",
    use="benchmark",
    hub_id="openai/openai_humaneval",
    config=None,
    split="test",
    licence="mit",
    rows=164,
    gated=False,
    columns=("task_id", "prompt", "canonical_solution", "test", "entry_point"),
    convert=task_row,
)

MBPP = Dataset(
    name="mbpp",
    domain="code",
    use="benchmark",
    hub_id="google-research-datasets/mbpp",
    config="full",
    split="test",
    licence="cc-by-4.0",
    rows=500,
    gated=False,
    columns=("task_id", "text", "code", "test_list", "test_setup_code"),
    convert=task_row,
)

MBPP_SANITIZED = Dataset(
    name="mbpp_sanitized",
    domain="code",
    use="benchmark",
    hub_id="google-research-datasets/mbpp",
    config="sanitized",
    split="test",
    licence="cc-by-4.0",
    rows=257,
    gated=False,
    columns=("task_id", "prompt", "code", "test_list", "test_imports"),
    convert=task_row,
)
