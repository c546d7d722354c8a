from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from halo_forge.core.protocols import Submission
from halo_forge.core.types import Message, Prompt, Reference
from halo_forge.verifiers.python.mbpp import MbppConfig

ASK = (Message(role="user", content="write it"),)


def test_reference_solutions_pass_but_for_broken_rows(real_sandbox: Any, shared_data: Path) -> None:
    rows = [json.loads(line) for line in (shared_data / "mbpp_train.jsonl").read_text().splitlines()]
    prompts = [
        Prompt(
            id=str(row["task_id"]),
            messages=ASK,
            reference=Reference(asserts=tuple(row["test_list"]), setup=row["test_setup_code"], solution=row["code"]),
        )
        for row in rows
    ]
    verifier = MbppConfig(timeout_s=3).build(real_sandbox, 2)
    verdicts = verifier.verify([Submission(prompt, prompt.reference.solution or "") for prompt in prompts])
    wrong = [f"{p.id}: {v.detail}" for p, v in zip(prompts, verdicts, strict=True) if v.reward not in (1.0, None)]
    unsupported = [verdict.fault or "" for verdict in verdicts if verdict.reward is None]
    verifier.close()
    assert not wrong
    assert len(unsupported) <= len(rows) / 100
    assert all(fault.startswith("unsupported tests: ") for fault in unsupported)
