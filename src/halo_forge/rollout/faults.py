"""Counting what could not be verified, and stopping when it is too much."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from halo_forge.core.errors import TooManyFaults
from halo_forge.core.types import Verdict

LEAST_FOR_FAULT_RATE = 20
MOST_CAUSES = 100
OTHER_CAUSES = "other causes"
THEN_CONTINUE = "the same command continues"


class FaultCount:
    """Verdicts without a reward, by cause.

    Args:
        limit: share of them, 0 to 1, above which the run stops. It is a share of at least `LEAST_FOR_FAULT_RATE`, as if
            those still to come were verified, so that the first few decide only if no others could make up for them.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._seen = 0
        self._total = 0
        self._causes: dict[str, int] = {}

    def count(self, verdicts: Iterable[Verdict]) -> None:
        """Take in verdicts.

        Raises:
            TooManyFaults: the share passed the limit; the text names the commonest cause.
        """
        for verdict in verdicts:
            self._seen += 1
            if verdict.reward is None:
                self._total += 1
                tally_cause(self._causes, verdict.fault)
        if self._total / max(self._seen, LEAST_FOR_FAULT_RATE) > self._limit:
            raise too_many(self._causes, self._seen, self._limit, THEN_CONTINUE)

    def require_some(self) -> None:
        """Refuse to go on with verdicts that are all without a reward, however few.

        Raises:
            TooManyFaults: they are, and the limit allows less.
        """
        if self._seen and self._total == self._seen and self._limit < 1:
            raise too_many(self._causes, self._seen, self._limit, THEN_CONTINUE)


def too_many(causes: Mapping[str, int], seen: int, limit: float, then: str) -> TooManyFaults:
    """Return the error that too large a share could not be verified.

    Args:
        causes: how many were unverifiable, by cause.
        seen: how many there were in all.
        limit: the share allowed.
        then: what the user does once the cause is mended.
    """
    worst = max(causes, key=lambda cause: causes[cause])
    return TooManyFaults(
        f"{sum(causes.values())} of {seen} completions could not be verified, more than the {limit:.0%} allowed; "
        f"most often: {worst}. Mend that, then {then}"
    )


def tally_cause(causes: dict[str, int], fault: str | None) -> None:
    """Count one fault; causes beyond the first hundred are counted together, so that the table stays small."""
    cause = fault or "unknown"
    if cause not in causes and len(causes) >= MOST_CAUSES:
        cause = OTHER_CAUSES
    causes[cause] = causes.get(cause, 0) + 1
