from __future__ import annotations

from pathlib import Path

import pytest

from halo_forge.core.types import Completion, Rollout, Stage, Verdict
from halo_forge.demo.speech import AUDIO
from halo_forge.demo.summary import differences
from halo_forge.rollout.rollout_file import RolloutFile
from halo_forge.runs.summary import DEMO_ARMS


def write(folder: Path, edits: dict[str, tuple[float, float]]) -> Path:
    """Rollouts with these edits of so many words, sampled and greedy alike."""
    for name in ("sampled", "greedy"):
        rollouts = [
            Rollout(
                cycle=0,
                chunk=0,
                completion=Completion(prompt_id=prompt, index=0, text="said"),
                verdict=Verdict(reward=0.5, passed=False, stage=Stage.TESTS, scores={"WER": pair}),
            )
            for prompt, pair in edits.items()
        ]
        (folder / "rollouts").mkdir(parents=True, exist_ok=True)
        file = RolloutFile(folder / "rollouts" / f"{name}.jsonl")
        file.resume(())
        file.append(rollouts)
    return folder


def test_rates_differ_by_the_sums_that_they_are_of(tmp_path: Path) -> None:
    before = write(tmp_path / "before", {"short": (1, 1), "long": (3, 9)})
    after = write(tmp_path / "after", {"short": (0, 1), "long": (3, 9)})
    folders = {arm: after if arm == "raft" else before for arm in DEMO_ARMS}
    found = differences(AUDIO, folders)
    # 3 edits of 10 words against 4: not the mean of the prompts' own differences, which would be -50 points.
    assert found["WER: raft - sft"].value == pytest.approx(-0.1)
    assert found["greedy_WER: raft - control"].value == pytest.approx(-0.1)
