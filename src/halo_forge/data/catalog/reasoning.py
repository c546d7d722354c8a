r"""Reasoning: word problems and competition mathematics.

Every prompt asks for the final answer in `\boxed{}`, and every answer that is learnt gives it there.
"""

from __future__ import annotations

import re

from halo_forge.core.errors import DataError
from halo_forge.core.types import Conversation, Prompt, Reference
from halo_forge.data.catalog import Dataset, Part
from halo_forge.data.fields import text_field
from halo_forge.data.jsonl import JsonObject
from halo_forge.data.messages import make_message

REQUEST = "Please reason step by step, and put your final answer within \\boxed{}."
CALCULATION = re.compile(r"<<[^<>\n]*>>")
METAMATH_ANSWER = re.compile(r"(?:\n####[^\n]*)?\n?The answer is:?\s*(?P<answer>[^\n]+?)\s*\Z")
SUBJECTS = (
    "algebra", "counting_and_probability", "geometry", "intermediate_algebra", "number_theory", "prealgebra",
    "precalculus",
)  # fmt: skip


def gsm8k_row(values: JsonObject, id: str) -> Prompt:
    r"""openai/gsm8k, config `main` (Cobbe et al. 2021), MIT, 7,473 and 1,319 rows.

    `{"question": "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May. …",
    "answer": "Natalia sold 48/2 = <<48/2=24>>24 clips in May.\n… = <<48+24=72>>72 clips …\n#### 72"}`

    The reference is what follows `####`, without its commas.
    """
    _, answer = _gsm8k_answer(values)
    return _problem(id, text_field(values, "question"), answer)


def gsm8k_sft_row(values: JsonObject, id: str) -> Conversation:
    r"""As `gsm8k_row`, to learn from; the notes for a calculator in `<<…>>` are left out."""
    steps, answer = _gsm8k_answer(values)
    return _worked(id, text_field(values, "question"), f"{steps}\n\nThe answer is $\\boxed{{{answer}}}$.")


def metamath_row(values: JsonObject, id: str) -> Conversation | None:
    r"""meta-math/MetaMathQA (Yu et al. 2023), MIT, 395,000 rows, made from the training sets of GSM8K and MATH.

    `{"type": "MATH_AnsAug", "query": "Gracie and Joe are choosing numbers on the complex plane. …",
    "original_question": "Gracie and Joe …", "response": "The distance between two points … is $\\sqrt{41}$.\nThe answer
    is: \\sqrt{41}"}`

    The last line is rewritten so that the answer stands in a box; a `####` line before it is left out. Rows without
    that last line are of no use.
    """
    response = text_field(values, "response") or ""
    match = METAMATH_ANSWER.search(response)
    if match is None:
        return None
    boxed = match["answer"].removesuffix(".").strip("$ ")
    solution = response[: match.start()].rstrip()
    return _worked(id, text_field(values, "query"), f"{solution}\n\nThe answer is $\\boxed{{{boxed}}}$.".lstrip())


def math_row(values: JsonObject, id: str) -> Prompt | None:
    r"""EleutherAI/hendrycks_math (Hendrycks et al. 2021), MIT, 7,500 and 5,000 rows in seven configs.

    `{"problem": "How many vertical asymptotes does the graph of $y=\\frac{2}{x^2+x-6}$ have?", "level": "Level 3",
    "type": "Algebra", "solution": "The denominator … we have $\\boxed{2}$ vertical asymptotes."}`

    The reference is the last box of the solution; the group is the level.
    """
    answer = last_box(text_field(values, "solution") or "")
    if answer is None:
        return None
    return _problem(id, text_field(values, "problem"), answer, text_field(values, "level"))


def math500_row(values: JsonObject, id: str) -> Prompt:
    r"""HuggingFaceH4/MATH-500 (Lightman et al. 2023), MIT, 500 rows of the test set of MATH.

    `{"problem": "Convert the point $(0,3)$ in rectangular coordinates to polar ones. …", "solution": "We have …",
    "answer": "\\left( 3, \\frac{\\pi}{2} \\right)", "subject": "Precalculus", "level": 2, "unique_id": "test/…"}`
    """
    level = values.get("level")
    group = None if level is None else f"Level {level}"
    return _problem(id, text_field(values, "problem"), text_field(values, "answer") or "", group)


def aime_row(values: JsonObject, id: str) -> Prompt:
    """Maxwell-Jia/AIME_2024, MIT, 30 rows.

    `{"ID": "2024-II-4", "Problem": "Let $x,y$ and $z$ be positive real numbers …", "Solution": "Denote …",
    "Answer": 33}`
    """
    return _problem(id, text_field(values, "Problem"), _integer(values, "Answer"))


def aime25_row(values: JsonObject, id: str) -> Prompt:
    """math-ai/aime25, Apache-2.0, 30 rows.

    `{"problem": "Find the sum of all integer bases $b>9$ for which $17_b$ is a divisor of $97_b.$", "answer": "70",
    "id": "0"}`
    """
    return _problem(id, text_field(values, "problem"), _integer(values, "answer"))


def last_box(text: str) -> str | None:
    r"""Return what stands in the last `\boxed{…}` (or `\fbox{…}`, or `\boxed 7`), or None.

    Raises:
        DataError: a brace of it is not closed.
    """
    start = max(text.rfind("\\boxed"), text.rfind("\\fbox"))
    if start < 0:
        return None
    rest = text[start:].partition("box")[2].removeprefix("ed").lstrip()
    if not rest.startswith("{"):
        bare = re.match(r"[^\s$.,]+", rest)
        return bare[0] if bare else None
    depth = 0
    for place, letter in enumerate(rest):
        escaped = place > 0 and rest[place - 1] == "\\"
        depth += 0 if escaped else (letter == "{") - (letter == "}")
        if depth == 0:
            return rest[1:place].strip()
    raise DataError("the last box of the solution is not closed")


def _gsm8k_answer(values: JsonObject) -> tuple[str, str]:
    """Return the steps, without calculator notes, and the final answer, without commas."""
    steps, mark, answer = (text_field(values, "answer") or "").rpartition("####")
    if not mark or not answer.strip():
        raise DataError("'answer' must end with '#### ' and the final answer")
    return CALCULATION.sub("", steps).strip(), answer.strip().replace(",", "")


def _integer(values: JsonObject, key: str) -> str:
    value = values.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, str)) or not str(value).strip().isdecimal():
        raise DataError(f"{key!r} must be an integer from 0 to 999")
    return str(int(value))


def _problem(id: str, question: str | None, answer: str, group: str | None = None) -> Prompt:
    asked = make_message("user", f"{(question or '').strip()}\n\n{REQUEST}")
    return Prompt(id=id, messages=(asked,), reference=Reference(answer=answer), group=group)


def _worked(id: str, question: str | None, answer: str) -> Conversation:
    asked = make_message("user", f"{(question or '').strip()}\n\n{REQUEST}")
    return Conversation(id=id, messages=(asked, make_message("assistant", answer)))


GSM8K_SPLITS = {
    "train": Part(("main/train-*.parquet",)),
    "test": Part(("main/test-*.parquet",), rows=1_319),
}
GSM8K = Dataset(
    name="gsm8k",
    domain="reasoning",
    use="rlvr",
    hub_id="openai/gsm8k",
    config="main",
    split="train",
    splits=GSM8K_SPLITS,
    licence="mit",
    rows=7_473,
    size_mb=3,
    gated=False,
    columns=("question", "answer"),
    convert=gsm8k_row,
    test_split="test",
)
GSM8K_SFT = Dataset(
    name="gsm8k_sft",
    domain="reasoning",
    use="sft",
    hub_id="openai/gsm8k",
    config="main",
    split="train",
    splits=GSM8K_SPLITS,
    licence="mit",
    rows=7_473,
    size_mb=3,
    gated=False,
    columns=("question", "answer"),
    convert=gsm8k_sft_row,
    note="the rows of gsm8k's training split",
)
METAMATH = Dataset(
    name="metamath",
    domain="reasoning",
    use="sft",
    hub_id="meta-math/MetaMathQA",
    config=None,
    split="train",
    splits={"train": Part(("MetaMathQA-395K.json", "*.json"))},
    licence="mit",
    rows=395_000,
    size_mb=396,
    gated=False,
    columns=("query", "response"),
    optional=("type", "original_question"),
    convert=metamath_row,
    note="made from the training sets of GSM8K and MATH; their test sets are not in it",
)
MATH = Dataset(
    name="math",
    domain="reasoning",
    use="rlvr",
    hub_id="EleutherAI/hendrycks_math",
    config=", ".join(SUBJECTS),
    split="train",
    splits={"train": Part(("*/train-*.parquet",)), "test": Part(("*/test-*.parquet",), rows=5_000)},
    licence="mit",
    rows=7_500,
    size_mb=5,
    gated=False,
    columns=("problem", "solution", "level", "type"),
    convert=math_row,
    test_split="test",
    note="its test split holds the 500 problems of math500",
)
MATH500 = Dataset(
    name="math500",
    domain="reasoning",
    use="benchmark",
    hub_id="HuggingFaceH4/MATH-500",
    config=None,
    split="test",
    splits={"test": Part(("test.jsonl", "**/test*.parquet"))},
    licence="mit",
    rows=500,
    size_mb=1,
    gated=False,
    columns=("problem", "answer"),
    optional=("level", "subject"),
    convert=math500_row,
    note="500 problems of math's test split",
)
AIME = Dataset(
    name="aime",
    domain="reasoning",
    use="benchmark",
    hub_id="Maxwell-Jia/AIME_2024",
    config=None,
    split="train",
    splits={"train": Part(("aime_2024_problems.parquet", "*.parquet", "*.jsonl"))},
    licence="mit",
    rows=30,
    size_mb=1,
    gated=False,
    columns=("Problem", "Answer"),
    convert=aime_row,
    note="the contest of 2024; its one split is called train, but it is for benchmarks",
)
AIME25 = Dataset(
    name="aime25",
    domain="reasoning",
    use="benchmark",
    hub_id="math-ai/aime25",
    config=None,
    split="test",
    splits={"test": Part(("test.jsonl", "**/*.parquet"))},
    licence="apache-2.0",
    rows=30,
    size_mb=1,
    gated=False,
    columns=("problem", "answer"),
    convert=aime25_row,
    note="the contest of 2025",
)
