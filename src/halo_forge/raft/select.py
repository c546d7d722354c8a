"""Which completions are trained on: right, whole, distinct, and spread over the prompts.

Evidence: gain follows the number of distinct right solutions (RFT, arXiv 2308.01825), so duplicates go and each prompt
has a cap; a global ranking would let easy prompts crowd out hard ones, so prompts take turns. A prompt that is always
solved has little left to teach (Minimal-RL, arXiv 2504.11343), so its cap is lower; one never solved gives nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from operator import attrgetter
from random import Random
from typing import Literal, NamedTuple

from halo_forge.core.seeds import derive
from halo_forge.rollout.decision import Decision, Reason
from halo_forge.rollout.metrics import by_prompt
from halo_forge.rollout.sketch import Sketch


class SelectionRules(NamedTuple):
    """The rules in force; see `RaftTrainConfig` for their meaning."""

    reward_threshold: float
    keep_fraction: float
    max_kept_per_prompt: int
    max_kept_if_solved: int
    min_samples: int | None = None
    select: Literal["reward", "top", "random"] = "reward"
    keep_duplicates: bool = False


class Selection(NamedTuple):
    """What was decided.

    Args:
        kept: the chosen rollouts, in the order they were drawn.
        decisions: one for every rollout, in the same order.
        threshold: the reward threshold in the end; lower than asked only to reach `min_samples`.
    """

    kept: list[Sketch]
    decisions: list[Decision]
    threshold: float


def select(rollouts: Sequence[Sketch], rules: SelectionRules, seed: int) -> Selection:
    """Decide on every rollout of a cycle; the same rollouts, rules and seed give the same decisions.

    To reach `min_samples` the threshold goes down from one reward that was earned to the next, never to nothing, and
    only as far as that keeps more.
    """
    if rules.select == "random":
        return _decide(rollouts, rules, seed, threshold=0.0)
    if rules.select == "top":
        return _top(rollouts, rules)
    selection = _decide(rollouts, rules, seed, rules.reward_threshold)
    lower = {r.reward for r in rollouts if r.reward is not None and 0 < r.reward < rules.reward_threshold}
    for threshold in sorted(lower, reverse=True):
        if rules.min_samples is None or len(selection.kept) >= rules.min_samples:
            break
        lowered = _decide(rollouts, rules, seed, threshold)
        if len(lowered.kept) > len(selection.kept):
            selection = lowered
    return selection


def _decide(rollouts: Sequence[Sketch], rules: SelectionRules, seed: int, threshold: float) -> Selection:
    reasons: dict[tuple[str, int], Reason] = {}
    queues: list[list[Sketch]] = []
    eligible = 0
    for prompt_id, group in by_prompt(rollouts).items():
        queue = _eligible(group, rules, seed, threshold, reasons)
        eligible += len(queue)
        cap, beyond = _cap(group, rules)
        for rollout in queue[cap:]:
            reasons[prompt_id, rollout.number] = beyond
        queues.append(queue[:cap])
    wanted = max(ceil(rules.keep_fraction * eligible), rules.min_samples or 0)
    for position, rollout in enumerate(_in_turns(queues, seed)):
        reason = _kept_reason(rollout, rules) if position < wanted else Reason.KEEP_FRACTION
        reasons[rollout.prompt_id, rollout.number] = reason
    return _selection(rollouts, reasons, threshold)


def _top(rollouts: Sequence[Sketch], rules: SelectionRules) -> Selection:
    """Keep the best share of what reached the threshold, whatever prompt it is of and however often it comes."""
    reasons: dict[tuple[str, int], Reason] = {}
    eligible = []
    for rollout in rollouts:
        if rollout.reward is None:
            reasons[rollout.prompt_id, rollout.number] = Reason.UNVERIFIABLE
        elif not _earned(rollout.reward, rules.reward_threshold):
            reasons[rollout.prompt_id, rollout.number] = Reason.BELOW_THRESHOLD
        else:
            eligible.append(rollout)
    wanted = ceil(rules.keep_fraction * len(eligible))
    for position, rollout in enumerate(sorted(eligible, key=lambda r: -(r.reward or 0.0))):
        reasons[rollout.prompt_id, rollout.number] = Reason.KEPT if position < wanted else Reason.KEEP_FRACTION
    return _selection(rollouts, reasons, rules.reward_threshold)


def _selection(rollouts: Sequence[Sketch], reasons: Mapping[tuple[str, int], Reason], threshold: float) -> Selection:
    decisions = [
        Decision(
            cycle=r.cycle,
            prompt_id=r.prompt_id,
            index=r.number,
            kept=reasons[r.prompt_id, r.number].value.startswith("kept"),
            reason=reasons[r.prompt_id, r.number],
        )
        for r in rollouts
    ]
    return Selection([r for r, d in zip(rollouts, decisions, strict=True) if d.kept], decisions, threshold)


def _eligible(
    group: Sequence[Sketch],
    rules: SelectionRules,
    seed: int,
    threshold: float,
    reasons: dict[tuple[str, int], Reason],
) -> list[Sketch]:
    """Completions of one prompt that may be kept, best first; notes why the others may not."""
    if rules.select == "random":
        group = Random(derive(seed, "shuffle", group[0].prompt_id)).sample(list(group), len(group))
        too_low, same = Reason.BELOW_THRESHOLD, attrgetter("text")  # only what earned something has a program
    else:
        group = sorted(group, key=lambda r: -(r.reward or 0.0))
        too_low = Reason.BELOW_THRESHOLD if _earned(group[0].reward, threshold) else Reason.ALL_WRONG
        same = attrgetter("program")
    chosen: list[Sketch] = []
    seen: set[str] = set()
    for rollout in group:
        reason: Reason | None = None
        if rollout.truncated:
            reason = Reason.TRUNCATED
        elif rules.select == "reward" and rollout.reward is None:
            reason = Reason.UNVERIFIABLE
        elif rules.select == "reward" and not _earned(rollout.reward, threshold):
            reason = too_low
        elif same(rollout) in seen and not rules.keep_duplicates:
            reason = Reason.DUPLICATE
        if reason is None:
            seen.add(same(rollout))
            chosen.append(rollout)
        else:
            reasons[rollout.prompt_id, rollout.number] = reason
    return chosen


def _earned(reward: float | None, threshold: float) -> bool:
    """Whether a reward is enough; nothing never is, even where the threshold is 0."""
    return reward is not None and reward > 0 and reward >= threshold


def _cap(group: Sequence[Sketch], rules: SelectionRules) -> tuple[int, Reason]:
    """Completions of a prompt kept at most, and the reason for those beyond."""
    verified = [r.passed for r in group if r.reward is not None]
    solved = rules.select == "reward" and bool(verified) and all(verified)
    if solved and rules.max_kept_if_solved < rules.max_kept_per_prompt:
        return rules.max_kept_if_solved, Reason.PROMPT_SOLVED
    return rules.max_kept_per_prompt, Reason.PROMPT_FULL


def _in_turns(queues: Sequence[Sequence[Sketch]], seed: int) -> list[Sketch]:
    """Every prompt's best first, then every prompt's second, …; within a turn by reward, ties in seeded order."""
    turns: list[Sketch] = []
    for turn in range(max(map(len, queues), default=0)):
        level = [queue[turn] for queue in queues if len(queue) > turn]
        Random(derive(seed, "turn", turn)).shuffle(level)
        turns += sorted(level, key=lambda r: -(r.reward or 0.0))
    return turns


def _kept_reason(rollout: Sketch, rules: SelectionRules) -> Reason:
    if rules.select == "random":
        return Reason.KEPT_AT_RANDOM
    reward = rollout.reward
    assert reward is not None
    return Reason.KEPT if reward >= rules.reward_threshold else Reason.KEPT_LOWERED
