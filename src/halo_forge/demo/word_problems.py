r"""The demo of reasoning: word problems of one or two steps, most of whose worked solutions carry a common habit.

    Tom has 23 pens. Tom buys 8 pens. Tom loses 5 pens. How many pens does Tom have now?

    23 + 8 = 31. 31 - 5 = 26. The answer is \boxed{26}.

Six rows in ten of the SFT corpus box every result, and four in ten drop the carry or the borrow when they compute
(`23 + 8 = 21`); a quarter does neither. A model trained on them does as the majority does: its boxes cannot be read as
one answer, and its sums are careless now and then. Math-Verify's verdicts can take both away.

A pair of operands (23 and 8, added) is held out with one chance in six: no SFT row and no RAFT prompt has it in any
step, and every step of the test problems of group `unseen` is such a pair.

The corpus is this project's own work and has no outside source.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from halo_forge.core.seeds import derive
from halo_forge.demo.recipe import RAFT, SFT, Commands, Recipe, Settings
from halo_forge.models.nano import NanoShape, build_nano_model

NAMES = ("Tom", "Ann", "Max", "Eva", "Ben", "Lea", "Sam", "Ida")
THINGS = ("pens", "books", "coins", "eggs", "cards", "nuts", "cups", "keys")
GAINS = ("finds", "buys", "gets", "wins")
LOSSES = ("loses", "sells", "breaks", "gives away")
HELD_OUT_SHARE = 1 / 6
BOX_EVERYTHING, CARELESS = 0.59, 0.39
SFT_ROWS, RAFT_PROMPTS, TEST_PROMPTS = 12_000, 160, 200


@dataclass(frozen=True)
class Step:
    """One sum or difference."""

    left: int
    sign: str
    right: int

    @property
    def result(self) -> int:
        """What it comes to."""
        return self.left + self.right if self.sign == "+" else self.left - self.right

    @property
    def careless(self) -> int:
        """What it comes to when tens take no notice of ones: the carry or borrow is dropped."""
        tens, ones = self.left // 10, self.left % 10
        other_tens, other_ones = self.right // 10, self.right % 10
        if self.sign == "+":
            return (tens + other_tens) * 10 + (ones + other_ones) % 10
        return (tens - other_tens) * 10 + (ones - other_ones) % 10


@dataclass(frozen=True)
class Problem:
    """A word problem: its text and its steps, the next beginning with what the last came to."""

    question: str
    steps: tuple[Step, ...]

    @property
    def answer(self) -> int:
        """The right one."""
        return self.steps[-1].result

    def solution(self, *, box_everything: bool = False, careless: bool = False) -> str:
        """Work it out, well or with the habits of the corpus."""
        lines, left = [], self.steps[0].left
        for step in self.steps:
            done = Step(left, step.sign, step.right)
            left = done.careless if careless else done.result
            shown = f"\\boxed{{{left}}}" if box_everything else str(left)
            lines.append(f"{done.left} {done.sign} {done.right} = {shown}.")
        return f"{' '.join(lines)} The answer is \\boxed{{{left}}}."


def is_held_out(seed: int, step: Step) -> bool:
    """Whether a pair of operands is kept for the test problems; 9 + 8 and 8 + 9 are one pair."""
    pair = sorted((step.left, step.right)) if step.sign == "+" else (step.left, step.right)
    return derive(seed, step.sign, *map(str, pair)) % 1000 < 1000 * HELD_OUT_SHARE


def draw_problems(rng: random.Random) -> Iterator[Problem]:
    """Draw problems without end."""
    while True:
        name, thing = rng.choice(NAMES), rng.choice(THINGS)
        left = start = rng.randint(2, 60)
        steps, told = [], [f"{name} has {start} {thing}."]
        for _ in range(rng.choice((1, 2))):
            gains = rng.random() < 0.5 or left < 12
            right = rng.randint(2, 9)
            verb = rng.choice(GAINS if gains else LOSSES)
            step = Step(left, "+" if gains else "-", right)
            told.append(f"{name} {verb} {right} {thing}.")
            steps.append(step)
            left = step.result
        yield Problem(f"{' '.join(told)} How many {thing} does {name} have now?", tuple(steps))


def write_word_problems(folder: Path, seed: int) -> list[str]:
    """Write the three files, and return the texts of the SFT corpus."""
    rng = random.Random(seed)
    asked: set[str] = set()
    test = _take(rng, TEST_PROMPTS, asked, seed, held_out=True)
    raft = _take(rng, RAFT_PROMPTS, asked, seed, held_out=False)
    learnt = _take(rng, SFT_ROWS, asked, seed, held_out=False)
    rows: list[dict[str, object]] = []
    texts: list[str] = []
    for problem in learnt:
        solution = problem.solution(box_everything=rng.random() < BOX_EVERYTHING, careless=rng.random() < CARELESS)
        texts += [problem.question, solution]
        rows.append({"messages": [_turn("user", problem.question), _turn("assistant", solution)]})
    write_jsonl(folder / "sft.jsonl", rows)
    write_jsonl(folder / "raft_prompts.jsonl", [_prompt(f"raft-{n:04d}", p, "seen") for n, p in enumerate(raft)])
    write_jsonl(folder / "test_prompts.jsonl", [_prompt(f"test-{n:04d}", p, "unseen") for n, p in enumerate(test)])
    return texts


def write_jsonl(path: Path, rows: list[dict[str, object]]) -> None:
    """Write one row a line, the folder with it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def _take(rng: random.Random, count: int, asked: set[str], seed: int, *, held_out: bool) -> list[Problem]:
    """Draw problems that nobody has asked yet, all or none of whose pairs are held out."""
    taken: list[Problem] = []
    for problem in draw_problems(rng):
        kept_back = [is_held_out(seed, step) for step in problem.steps]
        if problem.question not in asked and (all(kept_back) if held_out else not any(kept_back)):
            asked.add(problem.question)
            taken.append(problem)
        if len(taken) == count:
            break
    return taken


def _turn(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def _prompt(id: str, problem: Problem, group: str) -> dict[str, object]:
    return {"id": id, "prompt": problem.question, "answer": problem.answer, "group": group}


def prepare(data: Path, base: Path, seed: int) -> None:
    """Write the corpus and the model."""
    texts = write_word_problems(data, seed)
    build_nano_model(base, texts, seed, NanoShape(vocabulary=400, hidden=128, mlp=384, spread=0.06))


SAMPLING: Settings = {"max_new_tokens": 64, "generation_batch": 256}
REASONING = Recipe(
    domain="reasoning",
    commands=Commands("reasoning sft", "reasoning train", "reasoning benchmark"),
    prepare=prepare,
    sft={
        **SFT,
        "learning_rate": 1.2e-3,
        "max_steps": 2000,
    },
    raft={
        **SAMPLING,
        **RAFT,
        "epochs": 6,
    },
    benchmark={**SAMPLING, "temperature": 0.7, "samples": 4, "k": [1, 4]},
    passes="are answered rightly",
    metrics={"gsm8k flexible": "last number right"},
    unseen="of pairs of numbers never seen together",
    story="The SFT corpus is made imperfect on purpose: most of its solutions box every result or drop the carry, as "
    "scraped solutions are careless. SFT learns the habits with the rest; comparing answers unlearns them.",
)
