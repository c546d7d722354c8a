"""The verifier of answers in a box."""

from __future__ import annotations

from halo_forge.core.protocols import Sandbox
from halo_forge.core.types import Reference, Stage
from halo_forge.verifiers.batch import Meter, ProgramVerifier, Ruling, UnsupportedTests
from halo_forge.verifiers.math.boxes import boxed_answer, is_plain_number, leaves_arithmetic
from halo_forge.verifiers.math.config import MathConfig, require_math_verify
from halo_forge.verifiers.math.grader import Grader
from halo_forge.verifiers.math.gsm8k import flexible_match, strict_match

RULES = 1


class MathVerifier(ProgramVerifier):
    """Judges answers; see `config` for the rewards."""

    def __init__(self, config: MathConfig, sandbox: Sandbox, workers: int) -> None:
        rules = f"math rules {RULES}, math-verify {require_math_verify()}, {config.model_dump_json()}"
        super().__init__("math", rules, sandbox, workers)
        self._format_reward = config.format_reward
        self._grader = Grader(config.timeout_s, config.memory_mb)

    def judge(self, reference: Reference, text: str, meter: Meter) -> Ruling:
        """Find the box, compare what is in it, and give GSM8K's scores where the answer is a number."""
        expected = reference.answer
        if expected is None or not expected.strip():
            raise UnsupportedTests("the prompt has no reference answer")
        scores = _gsm8k_scores(text, expected) if is_plain_number(expected) else {}
        boxed = boxed_answer(text)
        if boxed.answer is None:
            return Ruling(0.0, passed=False, stage=Stage.PARSE, detail=boxed.why_not, scores=scores)
        found = self._grader.compare(expected, boxed.answer)
        meter.cpu_s += found.cpu_s
        meter.repeatable &= found.repeatable
        if found.equal and is_plain_number(expected) and leaves_arithmetic(boxed.answer):
            why = f"{boxed.answer} leaves the arithmetic to the reader"
            return Ruling(self._format_reward, passed=False, stage=Stage.TESTS, detail=why, scores=scores)
        if found.equal:
            return Ruling(1.0, passed=True, stage=Stage.TESTS, scores=scores, answer=found.key)
        why = found.why or f"{boxed.answer} is not {expected}"
        return Ruling(self._format_reward, passed=False, stage=Stage.TESTS, detail=why, scores=scores, answer=found.key)

    def close(self) -> None:
        """End the workers and their processes."""
        super().close()
        self._grader.close()


def _gsm8k_scores(text: str, reference: str) -> dict[str, tuple[float, float]]:
    return {
        "gsm8k strict": (float(strict_match(text, reference)), 1.0),
        "gsm8k flexible": (float(flexible_match(text, reference)), 1.0),
    }
