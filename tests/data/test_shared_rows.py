"""Real rows, prepared and verified: what their authors say is right passes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from halo_forge.config.prepare import PrepareConfig
from halo_forge.config.shared import VerifierOptions
from halo_forge.core.protocols import Submission
from halo_forge.core.types import Verdict
from halo_forge.data import load_prompts
from halo_forge.data.prepare import prepare
from halo_forge.rollout.checking import open_checker


def prepared(source: Path, folder: Path, **description: Any) -> Path:
    own = folder / f"{source.stem}.yaml"
    own.write_text(json.dumps({"path": str(source), "use": "rlvr", **description}), encoding="utf-8")
    out = folder / f"{source.stem}.jsonl"
    prepare(PrepareConfig(dataset=str(own), output=out))
    return out


def verdicts(path: Path, verifier: str, **options: Any) -> list[Verdict]:
    prompts = load_prompts(path)
    answers = [
        f"{p.reference.stub}{p.reference.solution}" if p.reference.stub else str(p.reference.solution) for p in prompts
    ]
    submissions = [Submission(prompt, answer) for prompt, answer in zip(prompts, answers, strict=True)]
    settings = VerifierOptions(verifier=verifier, verifier_options=options, cache=False, workers=2)
    with open_checker(settings) as checker:
        return [future.result(600) for future in checker.submit(submissions)]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "verifier", "rows"), [("humaneval", "humaneval", 164), ("mbpp_train", "mbpp", 187)])
def test_every_canonical_solution_passes(
    name: str, verifier: str, rows: int, shared_data: Path, tmp_path: Path
) -> None:
    found = verdicts(prepared(shared_data / f"{name}.jsonl", tmp_path), verifier)
    assert len(found) == rows
    assert [verdict.detail for verdict in found if verdict.reward is not None and not verdict.passed] == []
    # One row of MBPP tests `root`, which nothing defines: a fault of the row, and no verdict on the program.
    faults = [str(verdict.fault) for verdict in found if verdict.reward is None]
    assert [fault.rpartition(": ")[2] for fault in faults] == ["name 'root' is not defined"] * (name == "mbpp_train")


@pytest.mark.slow
def test_the_programs_of_codeforces_compile(shared_data: Path, tmp_path: Path) -> None:
    columns = {"prompt": "prompt", "solution": "response", "group": "difficulty"}
    path = prepared(shared_data / "codeforces_cpp_sample.jsonl", tmp_path, columns=columns)
    assert len({prompt.group for prompt in load_prompts(path)}) > 1
    found = verdicts(path, "gcc")
    assert len(found) == 250
    # Two of the answers are no C++ that g++ takes.
    broken = [verdict.detail.partition("error: ")[2] for verdict in found if not verdict.compiled]
    assert len(broken) == 2 and all("incomplete type" in text or "subscript" in text for text in broken)
