"""Code: instructions with programs for an answer."""

from __future__ import annotations

from halo_forge.core.types import Conversation
from halo_forge.data.catalog import Dataset
from halo_forge.data.conversations import instruction_messages
from halo_forge.data.fields import text_field
from halo_forge.data.jsonl import JsonObject


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
