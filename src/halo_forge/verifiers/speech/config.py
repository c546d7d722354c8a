"""What a model heard, compared with what was said.

| reward | earned by (`task` asr) |
| --- | --- |
| 0.0 | nothing, a phrase again and again, over twice as many words as were said, a word error rate of 1 or more |
| 1 - WER | anything else |
| 1.0 | the words that were said |

The word error rate (WER) and the character error rate (CER) are taken between texts in the standard form of Whisper's
English normaliser (Radford et al. 2022, appendix C; the package whisper-normalizer), as published scores are. A set's
WER is the edits of all its rows over the words of all its references, never a mean of rates. The reward differs in two
ways, since a model is trained on it: words that the normaliser drops (in brackets, `uh`, `um`) count as errors where
nobody said them, and what is listed under 0.0 earns nothing.

With `task` classification the answer is one of the prompt's choices: 1.0 for the right one, and 0.0.
"""

from __future__ import annotations

from typing import Literal

from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.plugins import VerifierConfig
from halo_forge.core.protocols import Sandbox, Verifier

Task = Literal["asr", "classification"]


class SpeechConfig(VerifierConfig):
    """Transcripts, by their word error rate, or spoken words, right or wrong.

    Args:
        task: asr compares with the transcript, classification with the answer.
    """

    task: Task = "asr"

    def build(self, sandbox: Sandbox, workers: int) -> Verifier:
        """Make the verifier; it runs nothing, so it needs neither sandbox nor workers.

        Raises:
            EnvironmentFault: the normaliser is not installed.
        """
        require_normaliser()
        from halo_forge.verifiers.speech.verifier import SpeechVerifier

        return SpeechVerifier(self)


def require_normaliser() -> str:
    """Return the version of the normaliser.

    Raises:
        EnvironmentFault: it is not installed.
    """
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("whisper-normalizer")
    except PackageNotFoundError as error:
        raise EnvironmentFault(
            "verifier 'speech' needs whisper-normalizer, which is an extra: pip install 'halo-forge[audio]'"
        ) from error
