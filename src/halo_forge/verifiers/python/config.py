"""Python programs, judged by their tests, which run in a process of their own.

| reward | earned by |
| --- | --- |
| 0.0 | no code, too little of it without tests, a required name unused, or no valid syntax |
| 0.3 | valid syntax, but raises, exits or hangs when it is loaded, or does not define the entry point |
| 0.5 | loads, but a test fails, raises or times out |
| 1.0 | all tests pass; without tests, loading earns 0.5 and `passed` |

The completion's process answers calls; the judge's process compares. A value that is not plain data stays with the
completion and is never equal to plain data, whatever its `__eq__` says. A verdict's `path` is `values` when only plain
data took part, and `handles` when the tests also used objects of the completion's. Tests that leave the comparison to a
name which the completion defines, and tests of identity, are refused as unsupported.
"""

from __future__ import annotations

from pydantic import Field

from halo_forge.core.plugins import VerifierConfig
from halo_forge.core.protocols import Limits, Sandbox, Verifier
from halo_forge.verifiers.content import MIN_TOKENS

JUDGE_EXTRA_S = 10.0


class PythonConfig(VerifierConfig):
    """Python programs: loaded and tested by asserts, by a check function, by functions test_… or by input and output.

    Args:
        timeout_s: processor seconds of one submission; twice as long on the clock.
        memory_mb: memory of one process, MiB.
        min_tokens: what has no tests earns nothing below so many tokens of code; 0 accepts anything.
    """

    timeout_s: float = Field(default=5.0, gt=0)
    memory_mb: int = Field(default=512, ge=64)
    min_tokens: int = Field(default=MIN_TOKENS, ge=0)

    def candidate_limits(self) -> Limits:
        """Return what a completion may use."""
        wall_s = 2 * self.timeout_s + JUDGE_EXTRA_S
        return Limits(cpu_s=self.timeout_s, wall_s=wall_s, memory_mb=self.memory_mb, processes=16)

    def judge_limits(self) -> Limits:
        """Return what the tests may use; they get longer, so that a slow completion is the one that is blamed."""
        seconds = 2 * self.timeout_s + JUDGE_EXTRA_S
        return Limits(cpu_s=seconds, wall_s=seconds, memory_mb=self.memory_mb + 512, processes=16)

    def build(self, sandbox: Sandbox, workers: int) -> Verifier:
        """Make the verifier.

        Raises:
            EnvironmentFault: no Python starts in the sandbox.
        """
        return self._built("python", sandbox, workers)

    def _built(self, name: str, sandbox: Sandbox, workers: int) -> Verifier:
        from halo_forge.verifiers.python.program import PythonVerifier

        return PythonVerifier(name, self, sandbox, workers)
