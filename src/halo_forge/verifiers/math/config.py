r"""Answers of problems in mathematics, given in one box.

| reward | earned by |
| --- | --- |
| 0.0 | no box, several boxes, an empty one, one inside another, text after it, or what cannot be an answer |
| `format_reward`, at most 0.1 | one box at the end, whose answer is wrong |
| 1.0 | one box at the end, whose answer equals the reference |

Equality is Math-Verify's (Hugging Face, version 0.9, https://github.com/huggingface/Math-Verify), in a process that is
killed when an answer takes too long. Two things are stricter here, since a model is trained on the verdict: there must
be exactly one box, with nothing but a full stop behind it; and where the reference is a plain number, an answer that
leaves the arithmetic to the reader (`48 + 24` for 72) is wrong.

Beside the reward a verdict on a problem with a number for its answer has GSM8K's two scores (see `gsm8k.py`).
"""

from __future__ import annotations

from pydantic import Field

from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.plugins import VerifierConfig
from halo_forge.core.protocols import Sandbox, Verifier


class MathConfig(VerifierConfig):
    r"""Answers in \boxed{}, compared with the reference as mathematics.

    Args:
        timeout_s: processor seconds of comparing one answer.
        memory_mb: memory of the comparing process, MiB.
        format_reward: what a wrong answer in one box at the end earns; at most 0.1, so that form never pays for truth.
    """

    timeout_s: float = Field(default=5.0, gt=0)
    memory_mb: int = Field(default=2048, ge=256)
    format_reward: float = Field(default=0.1, ge=0, le=0.1)

    def build(self, sandbox: Sandbox, workers: int) -> Verifier:
        """Make the verifier.

        Raises:
            EnvironmentFault: Math-Verify is not installed.
        """
        require_math_verify()
        from halo_forge.verifiers.math.answers import MathVerifier

        return MathVerifier(self, sandbox, workers)


def require_math_verify() -> str:
    """Return the version of Math-Verify.

    Raises:
        EnvironmentFault: it is not installed.
    """
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"{version('math-verify')}, sympy {version('sympy')}"
    except PackageNotFoundError as error:
        raise EnvironmentFault(
            "verifier 'math' needs Math-Verify, which is an extra: pip install 'halo-forge[reasoning]'"
        ) from error
