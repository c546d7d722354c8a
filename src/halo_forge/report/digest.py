"""A file of rollouts, read once, line by line: memory grows with the prompts and not with the completions' texts."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from halo_forge.core.types import Rollout
from halo_forge.rollout.metrics import Metrics, estimate, pass_at_k, weighted_estimate

_EDGES: list[float] = np.linspace(0, 1, 11).tolist()


@dataclass
class PromptTally:
    """Counts of one prompt's completions."""

    completions: int = 0
    verified: int = 0
    passed: int = 0
    compiled: int = 0
    reward: float = 0.0
    stages: Counter[str] = field(default_factory=Counter)
    texts: set[int] = field(default_factory=set)

    @property
    def pass_rate(self) -> float | None:
        """Share of the verified completions that passed; None if there are none."""
        return self.passed / self.verified if self.verified else None


@dataclass
class Digest:
    """What `rollout.metrics.measure` computes, from rollouts that come one at a time."""

    prompts: dict[str, PromptTally] = field(default_factory=dict)
    completions: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    truncated: int = 0
    tokens: int = 0
    logprob_sum: float = 0.0
    logprob_count: int = 0
    rewards: list[int] = field(default_factory=lambda: [0] * 10)

    def add(self, rollout: Rollout) -> None:
        """Count one rollout."""
        completion, verdict = rollout.completion, rollout.verdict
        tally = self.prompts.setdefault(rollout.prompt_id, PromptTally())
        tally.completions += 1
        tally.texts.add(hash(completion.text))
        self.completions += 1
        self.truncated += completion.finish_reason == "length"
        self.tokens += len(completion.token_ids)
        self.logprob_sum += sum(completion.logprobs)
        self.logprob_count += len(completion.logprobs)
        if verdict.reward is None:
            self.faults[verdict.fault or "unknown"] += 1
            return
        tally.verified += 1
        tally.passed += verdict.passed
        tally.compiled += verdict.compiled
        tally.reward += verdict.reward
        tally.stages["passed" if verdict.passed else str(verdict.stage)] += 1
        self.rewards[min(bisect_right(_EDGES, verdict.reward) - 1, 9)] += 1

    def pass_values(self, k: int) -> dict[str, float]:
        """pass@k of each prompt that has at least k verified completions."""
        return {name: pass_at_k(t.verified, t.passed, k) for name, t in self.prompts.items() if t.verified >= k}

    def metrics(self, ks: Sequence[int] = (1,), seed: int = 0) -> Metrics:
        """Return the figures of everything counted so far."""
        tallies = list(self.prompts.values())
        verified = [t.verified for t in tallies]
        per_k = {k: list(self.pass_values(k).values()) for k in ks}
        stages: Counter[str] = Counter()
        for tally in tallies:
            stages.update(tally.stages)
        distinct = [len(t.texts) / t.completions for t in tallies]
        return Metrics(
            prompts=len(tallies),
            completions=self.completions,
            pass_at={str(k): estimate(values, seed) for k, values in per_k.items()},
            compile_rate=weighted_estimate([t.compiled for t in tallies], verified, seed),
            mean_reward=weighted_estimate([t.reward for t in tallies], verified, seed),
            by_stage=dict(stages),
            unverifiable=dict(self.faults),
            prompts_without={str(k): len(tallies) - len(values) for k, values in per_k.items()},
            truncated=self.truncated,
            distinct_fraction=sum(distinct) / len(distinct) if distinct else 0.0,
            mean_tokens=self.tokens / self.completions if self.completions else 0.0,
            mean_logprob=self.logprob_sum / self.logprob_count if self.logprob_count else None,
            rewards=tuple(self.rewards),
        )
