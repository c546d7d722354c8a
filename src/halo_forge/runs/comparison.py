"""Records of a comparison: models measured on the same prompts, and the tests that tell whether they differ."""

from __future__ import annotations

from typing import Literal

from halo_forge.core.types import Record
from halo_forge.rollout.metrics import Estimate


class Arm(Record):
    """One of the models compared.

    Args:
        figures: metric -> estimate, such as `pass@1` and `greedy pass@1`, over every prompt it has a figure for.
    """

    name: str
    model: str
    run_id: str
    figures: dict[str, Estimate]


class PairedTest(Record):
    """One arm against the first one, in one metric, prompt by prompt.

    Args:
        prompts: prompts that both have a figure for; only these are compared.
        left_out: prompts that one of them lacks a figure for, since too few completions could be verified.
        difference: mean of the arm's figure minus the first one's, with its paired bootstrap interval.
        gained: ids of the prompts whose figure is higher than in the first arm.
        lost: ids of those whose figure is lower.
        p_value: exact two-sided sign test on gained against lost; with one completion a prompt, McNemar's test.
        p_holm: the same after Holm's correction for the number of arms compared; equal to it with two arms.
    """

    arm: str
    metric: str
    prompts: int
    left_out: int
    difference: Estimate
    gained: tuple[str, ...]
    lost: tuple[str, ...]
    p_value: float
    p_holm: float


class Comparison(Record):
    """Result of `benchmark compare`.

    Args:
        arms: the first is what the others are compared with.
        caveats: what a reader has to know, such as differences in sampling that were allowed.
    """

    kind: Literal["comparison"] = "comparison"
    prompts: int
    prompts_hash: str
    verifier: str
    arms: tuple[Arm, ...]
    tests: tuple[PairedTest, ...]
    caveats: tuple[str, ...] = ()


class FullSummary(Record):
    """Result of `benchmark full`.

    Args:
        model: the model that the cycles started from, which is the baseline.
        comparison: the baseline, each cycle's checkpoint and the final model.
        same: arm that was not measured -> the arm that holds the same weights.
    """

    kind: Literal["full"] = "full"
    run_id: str
    model: str
    seed: int
    comparison: Comparison
    same: dict[str, str]
    wall_s: float
