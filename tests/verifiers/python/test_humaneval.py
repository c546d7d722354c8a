from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from halo_forge.core.protocols import Submission, Verifier
from halo_forge.core.types import Message, Prompt, Reference
from halo_forge.verifiers.python.humaneval import HumanEvalConfig

ASK = (Message(role="user", content="write it"),)


@pytest.fixture(scope="session")
def humaneval(real_sandbox: Any) -> Iterator[Verifier]:
    verifier = HumanEvalConfig(timeout_s=3).build(real_sandbox, 2)
    yield verifier
    verifier.close()


@pytest.fixture(scope="session")
def prompts(shared_data: Path) -> list[Prompt]:
    rows = [json.loads(line) for line in (shared_data / "humaneval.jsonl").read_text().splitlines()]
    return [
        Prompt(
            id=row["task_id"],
            messages=ASK,
            reference=Reference(
                stub=row["prompt"],
                check=row["test"],
                entry_point=row["entry_point"],
                solution=row["canonical_solution"],
            ),
        )
        for row in rows
    ]


class Wrong(ast.NodeTransformer):
    """Replaces every value that is returned."""

    def visit_Return(self, node: ast.Return) -> ast.Return:
        return ast.copy_location(ast.Return(ast.Constant("a wrong value")), node)


def wrong(prompt: Prompt) -> str:
    reference = prompt.reference
    tree = ast.parse(reference.stub + (reference.solution or ""))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == reference.entry_point:
            Wrong().visit(node)
    return f"```python\n{ast.unparse(ast.fix_missing_locations(tree))}\n```"


def failures(verifier: Verifier, prompts: list[Prompt], texts: list[str], *, passed: bool) -> list[str]:
    verdicts = verifier.verify([Submission(*pair) for pair in zip(prompts, texts, strict=True)])
    return [f"{p.id}: {v.detail}{v.fault or ''}" for p, v in zip(prompts, verdicts, strict=True) if v.passed != passed]


def test_every_canonical_solution_passes(humaneval: Verifier, prompts: list[Prompt]) -> None:
    texts = [prompt.reference.solution or "" for prompt in prompts]
    assert len(prompts) == 164
    assert not failures(humaneval, prompts, texts, passed=True)


def test_no_empty_body_passes(humaneval: Verifier, prompts: list[Prompt]) -> None:
    assert not failures(humaneval, prompts, ["    pass\n"] * len(prompts), passed=False)


def test_no_wrong_return_value_passes(humaneval: Verifier, prompts: list[Prompt]) -> None:
    assert not failures(humaneval, prompts, [wrong(prompt) for prompt in prompts], passed=False)


def test_a_whole_function_and_a_continuation_with_more_text_pass(humaneval: Verifier, prompts: list[Prompt]) -> None:
    few = [prompts[0], prompts[32], prompts[38]]
    whole = [f"```python\n{p.reference.stub}{p.reference.solution}\n```" for p in few]
    more = [f"{p.reference.solution}\n\nThis works because it does.\n" for p in few]
    assert not failures(humaneval, few, whole, passed=True)
    assert not failures(humaneval, few, more, passed=True)


def test_a_truncated_solution_fails(humaneval: Verifier, prompts: list[Prompt]) -> None:
    few = prompts[:5]
    texts = [(p.reference.solution or "")[: len(p.reference.solution or "") // 2] for p in few]
    assert not failures(humaneval, few, texts, passed=False)


def test_no_attack_passes(humaneval: Verifier, prompts: list[Prompt], attacks: Path) -> None:
    files = sorted((attacks / "python").iterdir())
    assert files
    for prompt in (prompts[0], prompts[2], prompts[11]):
        texts = [file.read_text().replace("{ENTRY}", prompt.reference.entry_point or "") for file in files]
        verdicts = humaneval.verify([Submission(prompt, f"```python\n{text}\n```") for text in texts])
        for file, verdict in zip(files, verdicts, strict=True):
            assert not verdict.passed, file.name
            assert verdict.reward is not None, (file.name, verdict.fault)
