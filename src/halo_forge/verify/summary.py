"""What verifying a file amounts to."""

from __future__ import annotations

from halo_forge.core.types import Record, Verdict
from halo_forge.rollout.checking import Reuse
from halo_forge.rollout.faults import tally_cause, too_many

PASSED = "passed"


class Named(Record):
    """What has an id."""

    id: str


class RowVerdict(Verdict, Named):
    """One line of the output: the row's id, then its verdict."""


class Counts(Record):
    """Verdicts by how they came out; those of earlier attempts included.

    Args:
        rows: all of them.
        by_stage: by the last stage entered; those that passed everything are under `passed`, and those without a
            reward under none.
        faults: those without a reward, by cause.
        reward_sum: of those with a reward.
        reuse: where the verdicts came from; rows that were judged again after a kill count twice here.
    """

    rows: int = 0
    by_stage: dict[str, int] = {}
    faults: dict[str, int] = {}
    reward_sum: float = 0.0
    reuse: Reuse = Reuse()

    @property
    def unverifiable(self) -> int:
        """Rows without a reward."""
        return sum(self.faults.values())

    @property
    def passed(self) -> int:
        """Rows that passed everything."""
        return self.by_stage.get(PASSED, 0)


class VerifySummary(Record):
    """Result of `verify` on a whole file.

    Args:
        output: the file of verdicts.
        mean_reward: over the rows with a reward; None where there is none.
        rows_per_s: of this attempt.
        wall_s: seconds of this attempt.
    """

    output: str
    verifier: str
    verifier_version: str
    sandbox_tier: str
    counts: Counts
    mean_reward: float | None
    rows_per_s: float | None
    wall_s: float

    def require_verified(self, max_fault_rate: float) -> None:
        """Refuse to call a file done of which too little could be verified, however short it is.

        Raises:
            TooManyFaults: the share of its rows without a reward, those of earlier attempts included, passes the limit.
        """
        if self.counts.unverifiable / self.counts.rows > max_fault_rate:
            then = "give another --output: verdicts on the rest come from the cache"
            raise too_many(self.counts.faults, self.counts.rows, max_fault_rate, then)


class Tally:
    """Counts under way."""

    def __init__(self, before: Counts) -> None:
        self._before = before
        self.rows = before.rows
        self._by_stage = dict(before.by_stage)
        self._faults = dict(before.faults)
        self._reward_sum = before.reward_sum

    def count(self, verdict: Verdict) -> None:
        """Take in one verdict."""
        self.rows += 1
        if verdict.reward is None:
            tally_cause(self._faults, verdict.fault)
            return
        stage = PASSED if verdict.passed else verdict.stage.value
        self._by_stage[stage] = self._by_stage.get(stage, 0) + 1
        self._reward_sum += verdict.reward

    def counts(self, reuse: Reuse) -> Counts:
        """Return the counts.

        Args:
            reuse: of this attempt.
        """
        before = self._before.reuse
        return Counts(
            rows=self.rows,
            by_stage=dict(self._by_stage),
            faults=dict(self._faults),
            reward_sum=self._reward_sum,
            reuse=Reuse(
                judged=before.judged + reuse.judged,
                cached=before.cached + reuse.cached,
                duplicates=before.duplicates + reuse.duplicates,
            ),
        )
