"""When a run has nothing more to gain, and what a person should look at: pure functions of figures that are on disk.

**Patience.** A cycle has a proven gain when pass@1 on the held-out prompts is higher than after the last cycle that had
one (at first the start model) and the 95% interval of the difference, bootstrapped over prompts in pairs (Koehn 2004,
"Statistical Significance Tests for Machine Translation Evaluation"), lies above zero. That cycle stays the mark until
another is proven better, so small gains add up. After `patience` cycles in a row without one the run stops (patience as
in Prechelt 1998, "Early Stopping - But When?"). Below `LEAST_PROMPTS` prompts nothing is decided: the percentile
bootstrap is too narrow on so few, and a real gain is seldom proven.

**Notices.** Training on right answers alone narrows a policy: entropy falls, answers become alike, and pass@k at large
k goes down while pass@1 rises (Minimal-RL, arXiv 2504.11343; Yue et al. 2025, arXiv 2504.13837). None of it stops a
run, since a narrowed policy may be what is wanted. Both sides of a comparison answer the same prompts at the same
settings: on the held-out slice against the start model, or without a slice on the training prompts against cycle 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from halo_forge.rollout.metrics import Estimate, Metrics, paired_difference
from halo_forge.runs.summary import CycleSummary

LEAST_PROMPTS = 20
# In the runs of Cui et al. 2025 (arXiv 2505.22617) performance follows -a exp(entropy) + b, and three quarters of the
# gain was had when three quarters of the entropy were used up.
LEAST_ENTROPY_LEFT = 0.25
# Ours: half as many different pairs of tokens mean that a second sample of a prompt says little that the first did not.
LEAST_DISTINCT_LEFT = 0.5
# Ours: no reward here sees the length, so half as long again, or a third shorter, is a habit that earned nothing.
MOST_LONGER, MOST_SHORTER = 1.5, 1 / 1.5
# Ours: twice as many, at least one in a hundred more, five in all: more than a machine's bad luck on small counts.
FAULTS_GROWTH, FAULTS_RISE, LEAST_FAULTS = 2.0, 0.01, 5

Values = Mapping[str, float]


class HeldOut(NamedTuple):
    """What a cycle's policy reached on the held-out prompts.

    Args:
        pass_at_1: prompt id -> pass@1; empty without a slice.
        pass_at_k: the same for the largest k measured.
        k: that k.
    """

    pass_at_1: Values
    pass_at_k: Values
    k: int


class Standing(NamedTuple):
    """How the last cycle compares with the last one that had a proven gain.

    Args:
        mark: that cycle; 0 is the start model.
        without_gain: cycles in a row, up to the last one, that have none.
        change: pass@1 of the last cycle minus that of the mark before it; None when that says nothing.
        prompts: held-out prompts that both have figures for.
    """

    mark: int = 0
    without_gain: int = 0
    change: Estimate | None = None
    prompts: int = 0

    @property
    def degraded(self) -> bool:
        """Whether the last cycle is proven worse."""
        return self.change is not None and self.change.ci95 is not None and self.change.ci95[1] < 0


def stand(held_out: Sequence[HeldOut], seed: int) -> Standing:
    """Go through the cycles, the start model first, and return where the last of them stands."""
    standing = Standing()
    for number in range(1, len(held_out)):
        change, prompts = compare(held_out[number].pass_at_1, held_out[standing.mark].pass_at_1, seed)
        if prompts < LEAST_PROMPTS or change.ci95 is None:
            standing = standing._replace(change=None, prompts=prompts)
        elif change.ci95[0] > 0:
            standing = Standing(number, 0, change, prompts)
        else:
            standing = Standing(standing.mark, standing.without_gain + 1, change, prompts)
    return standing


def why_stop(standing: Standing, patience: int) -> str | None:
    """Say why a run should not go on, with the figures, or None if it should; a patience of 0 never ends."""
    if not patience or standing.without_gain < patience:
        return None
    cycles = "the last cycle" if standing.without_gain == 1 else f"the last {standing.without_gain} cycles"
    change = "" if standing.change is None else f": pass@1 {_signed(standing.change)}"
    return (
        f"{cycles} brought no proven gain over {_name(standing.mark)} on {standing.prompts} held-out prompts{change}; "
        f"a --patience above {standing.without_gain}, or 0, goes on"
    )


def compare(ours: Values, theirs: Values, seed: int) -> tuple[Estimate, int]:
    """Mean difference over the prompts that both have, with its paired interval, and how many those are."""
    shared = [prompt for prompt in theirs if prompt in ours]
    return paired_difference([ours[p] for p in shared], [theirs[p] for p in shared], seed), len(shared)


def length_drift(cycles: Sequence[CycleSummary]) -> float | None:
    """Mean tokens a completion of the last cycle over those at the start, minus 1; None without two to compare."""
    pair = _pair(cycles)
    return pair.now.mean_tokens / pair.first.mean_tokens - 1 if pair and pair.first.mean_tokens else None


def notices(cycles: Sequence[CycleSummary], held_out: Sequence[HeldOut], seed: int) -> Iterator[str]:
    """Say what a person should look at after the last cycle; nothing in a run that is well.

    Args:
        cycles: all so far, the start model's first.
        held_out: of the same cycles.
    """
    number, standing = cycles[-1].cycle, stand(held_out, seed)
    if standing.degraded and standing.change is not None:
        yield (
            f"cycle {number} is proven worse than {_name(standing.mark)} on {standing.prompts} held-out prompts: "
            f"pass@1 {_signed(standing.change)}"
        )
    pair = _pair(cycles)
    if pair is not None:
        yield from (f"cycle {number}: {notice}" for notice in _narrowed(pair))
    if len(held_out) > 1:
        yield from (f"cycle {number}: {notice}" for notice in _coverage(held_out[0], held_out[-1], seed))


class _Pair(NamedTuple):
    """Figures of the start and of now, drawn alike."""

    first: Metrics
    now: Metrics
    where: str
    start: str


def _pair(cycles: Sequence[CycleSummary]) -> _Pair | None:
    first, now = cycles[0].holdout, cycles[-1].holdout
    if len(cycles) > 1 and first is not None and now is not None:
        return _Pair(first, now, "the held-out prompts", "the start model")
    drawn = [cycle.rollouts for cycle in cycles if cycle.rollouts is not None]
    return _Pair(drawn[0], drawn[-1], "the training prompts", "cycle 1") if len(drawn) > 1 else None


def _narrowed(pair: _Pair) -> Iterator[str]:
    first, now = pair.first, pair.now
    if first.entropy.value and now.entropy.value is not None:
        left = now.entropy.value / first.entropy.value
        if left < LEAST_ENTROPY_LEFT:
            yield (
                f"the entropy on {pair.where} is {now.entropy.value:.3f} nats a token, {left:.0%} of the "
                f"{first.entropy.value:.3f} of {pair.start} (told below {LEAST_ENTROPY_LEFT:.0%}): the policy hardly "
                "varies any more and finds little that is new; a higher --temperature or fewer cycles help"
            )
    if first.distinct.get("2") and "2" in now.distinct:
        left = now.distinct["2"] / first.distinct["2"]
        if left < LEAST_DISTINCT_LEFT:
            yield (
                f"distinct-2 on {pair.where} is {now.distinct['2']:.3f}, {left:.0%} of the {first.distinct['2']:.3f} "
                f"of {pair.start} (told below {LEAST_DISTINCT_LEFT:.0%}): a prompt's answers have become alike"
            )
    if first.mean_tokens and not MOST_SHORTER <= now.mean_tokens / first.mean_tokens <= MOST_LONGER:
        yield (
            f"a completion on {pair.where} has {now.mean_tokens:.0f} tokens, {pair.start}'s had {first.mean_tokens:.0f}"
            f" ({now.mean_tokens / first.mean_tokens - 1:+.0%}; told from {MOST_LONGER - 1:+.0%} or "
            f"{MOST_SHORTER - 1:+.0%}); {now.truncated_share:.1%} are cut at --max-new-tokens, before it were "
            f"{first.truncated_share:.1%}"
        )
    faults = sum(now.unverifiable.values())
    share, before = now.unverifiable_share, first.unverifiable_share
    if faults >= LEAST_FAULTS and share >= before * FAULTS_GROWTH and share - before >= FAULTS_RISE:
        worst = max(now.unverifiable, key=lambda cause: now.unverifiable[cause])
        yield (
            f"{share:.1%} of the completions to {pair.where} could not be verified, {before:.1%} of {pair.start}'s; "
            f"most often: {worst}. If the machine is well, the policy has learnt to disturb its verifier"
        )


def _coverage(start: HeldOut, now: HeldOut, seed: int) -> Iterator[str]:
    """Tell of a pass@k at large k that is proven to fall while pass@1 rises."""
    if now.k < 2 or start.k != now.k:
        return
    first, _ = compare(now.pass_at_1, start.pass_at_1, seed)
    wide, prompts = compare(now.pass_at_k, start.pass_at_k, seed)
    fell = wide.ci95 is not None and wide.ci95[1] < 0
    if prompts >= LEAST_PROMPTS and first.value is not None and first.value > 0 and fell:
        yield (
            f"pass@1 on the held-out prompts is {_signed(first)} against the start model, but pass@{now.k} is "
            f"{_signed(wide)}: the policy answers surely what it could answer before, and has given up on others"
        )


def _name(cycle: int) -> str:
    return "the start model" if cycle == 0 else f"cycle {cycle}"


def _signed(change: Estimate) -> str:
    if change.value is None or change.ci95 is None:
        return "not measured"
    return f"{change.value:+.3f} (95% interval {change.ci95[0]:+.3f} to {change.ci95[1]:+.3f})"
