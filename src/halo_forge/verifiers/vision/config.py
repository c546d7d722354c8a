"""Answers to questions about images.

The reward is the set's own metric: whole for a right answer, a share where the metric gives shares (VQA accuracy,
ANLS), 0 for an answer that says nothing, says too much, or names several things where one was asked for. `passed` means
the whole of it.

| metric | where | what it is |
| --- | --- | --- |
| `vqa` | TextVQA | agreement with ten annotators |
| `anls` | DocVQA | likeness of letters to the nearest of the right answers, nothing below a half |
| `relaxed` | ChartQA | numbers within 5%, else equal but for case |
| `choice` | RealWorldQA, MathVista | the right one of the options |
| `number` | MathVista | the right number, to the places the answer has |
| `exact` | RealWorldQA | equal after TextVQA's normalisation |

`auto` takes the metric that the prompt's reference names; where it names none, `choice` with options, `vqa` with ten
answers or more, else `exact`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from halo_forge.core.plugins import VerifierConfig
from halo_forge.core.protocols import Sandbox, Verifier
from halo_forge.core.types import AnswerMetric


class VqaConfig(VerifierConfig):
    """Short answers to questions about images, by the metric of their set.

    Args:
        metric: by which an answer counts, or auto.
        max_chars: a longer answer earns nothing.
    """

    metric: Literal["auto"] | AnswerMetric = "auto"
    max_chars: int = Field(default=1000, ge=1)

    def build(self, sandbox: Sandbox, workers: int) -> Verifier:
        """Make the verifier; it runs nothing, so it needs neither sandbox nor workers."""
        from halo_forge.verifiers.vision.verifier import VqaVerifier

        return VqaVerifier(self)
