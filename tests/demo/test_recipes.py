"""The corpora of the domains: held-out parts share nothing with training, and the habits are there as often as said."""

from __future__ import annotations

import json
import random
import re
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from halo_forge.core.protocols import Submission
from halo_forge.core.types import Message, Prompt, Reference
from halo_forge.data import load_conversations, load_prompts
from halo_forge.demo import tool_calls, word_problems
from halo_forge.demo.word_problems import Problem, Step
from halo_forge.models.tool_format import written_out
from halo_forge.verifiers.math.boxes import boxed_answer
from halo_forge.verifiers.tools.config import ToolsConfig
from halo_forge.verifiers.tools.verifier import ToolsVerifier

STEP = re.compile(r"(\d+) ([-+]) (\d+) = (?:\\boxed\{)?(\d+)")


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def problems(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("problems")
    word_problems.write_word_problems(folder, 3)
    return folder


@pytest.fixture(scope="module")
def requests(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("requests")
    tool_calls.write_requests(folder, 3)
    return folder


def test_a_carry_is_dropped_and_a_borrow() -> None:
    assert (Step(23, "+", 8).result, Step(23, "+", 8).careless) == (31, 21)
    assert (Step(23, "-", 5).result, Step(23, "-", 5).careless) == (18, 28)
    assert Step(21, "+", 7).careless == Step(21, "+", 7).result == 28


def test_solutions_are_right_unless_careless_and_have_one_box_unless_all_are_boxed() -> None:
    for problem in islice(word_problems.draw_problems(random.Random(0)), 300):
        assert boxed_answer(problem.solution()).answer == str(problem.answer)
        assert boxed_answer(problem.solution(box_everything=True)).answer is None
        assert 0 <= problem.answer < 100
    problem = Problem("?", (Step(23, "+", 8), Step(31, "-", 5)))
    assert problem.solution() == r"23 + 8 = 31. 31 - 5 = 26. The answer is \boxed{26}."
    assert problem.solution(careless=True) == r"23 + 8 = 21. 21 - 5 = 26. The answer is \boxed{26}."


def test_no_pair_of_the_test_problems_is_in_any_training_row(problems: Path) -> None:
    def pairs(question: str, start: int) -> set[tuple[int, str, int]]:
        left, found = start, set()
        for verb, number in re.findall(r"(finds|buys|gets|wins|loses|sells|breaks|gives away) (\d+)", question):
            sign = "+" if verb in word_problems.GAINS else "-"
            step = Step(left, sign, int(number))
            found.add((left, sign, int(number)))
            left = step.result
        return found

    def all_pairs(file: str) -> set[tuple[int, str, int]]:
        texts = [row.get("prompt") or row["messages"][0]["content"] for row in rows(problems / file)]
        return {pair for text in texts for pair in pairs(text, int(re.search(r"has (\d+)", text)[1]))}  # type: ignore[index]

    held = all_pairs("test_prompts.jsonl")
    assert held and not held & (all_pairs("sft.jsonl") | all_pairs("raft_prompts.jsonl"))


def test_the_habits_of_worked_solutions_have_their_shares(problems: Path) -> None:
    answers = [row["messages"][1]["content"] for row in rows(problems / "sft.jsonl")]
    assert len(answers) == word_problems.SFT_ROWS
    several = sum(answer.count("\\boxed") > 1 for answer in answers) / len(answers)
    assert several == pytest.approx(word_problems.BOX_EVERYTHING, abs=0.02)
    wrong = [
        any(Step(int(a), sign, int(b)).result != int(c) for a, sign, b, c in STEP.findall(answer)) for answer in answers
    ]
    assert 0.1 < sum(wrong) / len(wrong) < word_problems.CARELESS  # not every sum has a carry to drop


def test_prompts_and_rows_load(problems: Path, requests: Path) -> None:
    for folder in (problems, requests):
        assert load_conversations(folder / "sft.jsonl", max_samples=50).conversations
        for name, count in (("raft_prompts", 160), ("test_prompts", 200)):
            prompts = load_prompts(folder / f"{name}.jsonl")
            assert len(prompts) == len({prompt.id for prompt in prompts}) == count
            assert all(p.reference.answer or p.reference.calls is not None for p in prompts)


def test_no_combination_of_tools_in_the_test_prompts_is_shown_in_training(requests: Path) -> None:
    def combinations(file: str) -> set[frozenset[str]]:
        return {frozenset(tool["function"]["name"] for tool in row["tools"]) for row in rows(requests / file)}

    held = combinations("test_prompts.jsonl")
    assert held and not held & (combinations("sft.jsonl") | combinations("raft_prompts.jsonl"))


def test_requests_that_fit_no_tool_have_their_share(requests: Path) -> None:
    calls = [row["calls"] for name in ("raft_prompts", "test_prompts") for row in rows(requests / f"{name}.jsonl")]
    assert 0.1 < sum(not called for called in calls) / len(calls) < 0.2


def test_a_quarter_of_the_answers_to_requests_is_right(requests: Path) -> None:
    verifier = ToolsVerifier(ToolsConfig())
    asked = list(islice(tool_calls.draw_requests(random.Random(5)), 600))
    rng = random.Random(6)
    passed = 0
    for request in asked:
        row = tool_calls._sft_row(request, rng)
        prompt = Prompt.model_validate(
            {"id": "p", "messages": [Message(role="user", content=request.question)], "tools": request.schemas,
             "reference": Reference.model_validate({"calls": tool_calls._prompt("p", request, "seen")["calls"]})}
        )  # fmt: skip
        said = row["messages"][1]  # type: ignore[index]
        text = written_out([Message.model_validate(said)], ())[0].text
        passed += verifier.verify([Submission(prompt, text)])[0].passed
    assert 0.2 < passed / len(asked) < 0.4
