"""Which completions an objective that also learns from wrong ones trains on, and with what advantage.

Unverifiable and truncated completions are left out before anything else is computed: neither enters the loss, nor the
mean of its prompt. A prompt whose remaining completions all earned the same teaches nothing and is left out whole.
Copies stay: these objectives estimate an expectation over what the policy draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, pstdev

from halo_forge.config.objective import ObjectiveOptions
from halo_forge.raft.select import Selection
from halo_forge.rollout.decision import Decision, Reason
from halo_forge.rollout.metrics import by_prompt
from halo_forge.rollout.sketch import Sketch

LEAST_DEVIATION = 1e-6
ROUNDING = 1e-9  # a reward as near its prompt's mean as this is at the mean


def select_groups(rollouts: Sequence[Sketch], options: ObjectiveOptions, threshold: float) -> Selection:
    """Decide on every rollout of a cycle, right and wrong alike.

    Args:
        threshold: reward from which a completion counts as right.
    """
    decided: dict[tuple[str, int], tuple[Reason, float]] = {}
    for group in by_prompt(rollouts).values():
        usable = [r for r in group if _left_out(r) is None]
        rewards = [_reward(r) for r in usable]
        advantages = group_advantages(rewards, options, threshold)
        for rollout, reward, advantage in zip(usable, rewards, advantages, strict=True):
            reason = Reason.KEPT if reward >= threshold else Reason.KEPT_WRONG
            if not advantage:
                reason = Reason.NO_ADVANTAGE if any(advantages) else Reason.ALL_ALIKE
            decided[rollout.prompt_id, rollout.number] = reason, advantage
    decisions = []
    for rollout in rollouts:
        left_out = _left_out(rollout)
        reason, weight = (left_out, 0.0) if left_out else decided[rollout.prompt_id, rollout.number]
        decisions.append(
            Decision(
                cycle=rollout.cycle,
                prompt_id=rollout.prompt_id,
                index=rollout.number,
                kept=weight != 0,
                reason=reason,
                weight=weight,
            )
        )
    return Selection([r for r, d in zip(rollouts, decisions, strict=True) if d.kept], decisions, threshold)


def group_advantages(rewards: Sequence[float], options: ObjectiveOptions, threshold: float) -> list[float]:
    """Advantage of each completion of one prompt; all 0 where there is nothing to compare.

    `reinforce-rej` (arXiv 2504.11343): prompts with every answer right or every answer wrong go; of the rest the right
    ones count +1, the wrong ones -1. `grpo` (arXiv 2402.03300): reward minus the prompt's mean, divided by its standard
    deviation if asked for; without that it favours neither very easy nor very hard prompts (arXiv 2503.20783).

    Args:
        rewards: of the verified, whole completions.
    """
    if options.objective == "reinforce-rej":
        right = [reward >= threshold for reward in rewards]
        if all(right) or not any(right):
            return [0.0] * len(rewards)
        return [1.0 if one else -1.0 for one in right]
    if len(set(rewards)) < 2:
        return [0.0] * len(rewards)
    mean = fmean(rewards)
    scale = pstdev(rewards, mean) + LEAST_DEVIATION if options.advantage_std else 1.0
    return [(reward - mean) / scale if abs(reward - mean) > ROUNDING else 0.0 for reward in rewards]


def _left_out(rollout: Sketch) -> Reason | None:
    if rollout.reward is None:
        return Reason.UNVERIFIABLE
    return Reason.TRUNCATED if rollout.truncated else None


def _reward(rollout: Sketch) -> float:
    assert rollout.reward is not None
    return rollout.reward
