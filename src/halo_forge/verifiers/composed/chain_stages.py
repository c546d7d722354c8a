"""The verifier behind `chain`: each stage judges, in one batch, what the stages before it have let through."""

from __future__ import annotations

from collections.abc import Sequence

from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.protocols import Sandbox, Submission, Verifier
from halo_forge.core.types import Verdict
from halo_forge.verifiers.batch import shortened
from halo_forge.verifiers.composed.chain import ChainStage
from halo_forge.verifiers.composed.parts import Parts, prepare_part, without_tests

RULES = 1


class ChainVerifier:
    """Judges in stages.

    Args:
        stages: what to ask for, in order.
        sandbox: where untrusted programs run; it stays open on `close`.
        workers: programs checked at the same time.

    Raises:
        EnvironmentFault: the toolchain of a stage is missing.
    """

    name = "chain"

    def __init__(self, stages: Sequence[ChainStage], sandbox: Sandbox, workers: int) -> None:
        self._stages = tuple(stages)
        self._parts = Parts(sandbox, workers)
        try:
            self._verifiers = [
                self._parts.build(stage.config(), inside=f"stage {number} of the chain ({stage.label})")
                for number, stage in enumerate(self._stages, 1)
            ]
        except EnvironmentFault:
            self._parts.close()
            raise
        self.version = f"chain rules {RULES}; " + "; ".join(
            f"[{stage.label} {stage.weight} {stage.gate} {stage.graded} {stage.tests}: {verifier.version}]"
            for stage, verifier in zip(self._stages, self._verifiers, strict=True)
        )

    def prepare(self, submissions: Sequence[Submission]) -> None:
        """Let each stage's verifier prepare for submissions, of which later stages may not see all."""
        for stage, verifier in zip(self._stages, self._verifiers, strict=True):
            prepare_part(verifier, submissions if stage.tests else [without_tests(found) for found in submissions])

    def verify(self, submissions: Sequence[Submission]) -> list[Verdict]:
        """Judge a batch.

        Returns:
            One verdict a submission, in the same order.
        """
        found: list[list[Verdict]] = [[] for _ in submissions]
        waiting = list(range(len(submissions)))
        for stage, verifier in zip(self._stages, self._verifiers, strict=True):
            entered = [submissions[number] for number in waiting]
            verdicts = _judged(verifier, entered, tests=stage.tests)
            for number, verdict in zip(waiting, verdicts, strict=True):
                found[number].append(verdict)
            waiting = [number for number in waiting if _continues(stage, found[number][-1])]
        return [self._summed(verdicts) for verdicts in found]

    def close(self) -> None:
        """Close the stages' verifiers; further calls of `verify` are errors."""
        self._parts.close()

    def _summed(self, verdicts: list[Verdict]) -> Verdict:
        """Make one verdict of those of the stages that were entered; only the last of them can be a fault."""
        last = verdicts[-1]
        entered = self._stages[: len(verdicts)]
        where = f"stage {len(verdicts)} of {len(self._stages)} ({entered[-1].label})"
        peaks = [verdict.peak_memory_mb for verdict in verdicts if verdict.peak_memory_mb is not None]
        fault = None if last.reward is not None else shortened(f"{where}: {last.fault}")
        gates = [verdict.passed for stage, verdict in zip(entered, verdicts, strict=True) if stage.gate]
        passed = fault is None and len(verdicts) == len(self._stages) and all(gates)
        return Verdict(
            reward=self._reward(verdicts) if fault is None else None,
            passed=passed,
            stage=last.stage,
            detail=self._detail(verdicts) if fault is None else "",
            fault=fault,
            path=", ".join(f"{s.label}: {v.path}" for s, v in zip(entered, verdicts, strict=True) if v.path),
            repeatable=all(verdict.repeatable for verdict in verdicts),
            wall_s=sum(verdict.wall_s for verdict in verdicts),
            cpu_s=sum(verdict.cpu_s for verdict in verdicts),
            peak_memory_mb=max(peaks, default=None),
        )

    def _reward(self, verdicts: list[Verdict]) -> float:
        earned = sum(
            stage.weight * (1.0 if verdict.passed and not stage.graded else verdict.reward or 0.0)
            for stage, verdict in zip(self._stages, verdicts, strict=False)
        )
        return min(1.0, earned / sum(stage.weight for stage in self._stages))

    def _detail(self, verdicts: list[Verdict]) -> str:
        """Name the stages that were not passed, and what they say."""
        failed = [
            f"stage {number} of {len(self._stages)} ({stage.label}): {verdict.detail}"
            for number, (stage, verdict) in enumerate(zip(self._stages, verdicts, strict=False), 1)
            if not verdict.passed
        ]
        return shortened("; ".join(failed) or f"passed every stage: {', '.join(stage.label for stage in self._stages)}")


def _judged(verifier: Verifier, submissions: list[Submission], *, tests: bool) -> list[Verdict]:
    if not submissions:
        return []
    return verifier.verify(submissions if tests else [without_tests(submission) for submission in submissions])


def _continues(stage: ChainStage, verdict: Verdict) -> bool:
    return verdict.reward is not None and (verdict.passed or not stage.gate)
