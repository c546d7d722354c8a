"""A generator that says what it was told to: for tests of everything around a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from halo_forge.core.types import Completion, Prompt, Sampling

Script = Callable[[Prompt, int, Random], str]


class ScriptedGenerator:
    """Answers by a function of prompt, index and a random source that depends on the chunk's seed alone."""

    def __init__(self, script: Script) -> None:
        self._script = script

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling, seed: int) -> list[Completion]:
        """Answer one chunk; token ids are the text's UTF-8 bytes."""
        random = Random(seed)
        completions = []
        for prompt in prompts:
            for index in range(sampling.n):
                text = self._script(prompt, index, random)
                ids = tuple(text.encode())[: sampling.max_new_tokens]
                completions.append(
                    Completion(
                        prompt_id=prompt.id,
                        index=index,
                        text=text,
                        token_ids=ids,
                        logprobs=(0.0,) * len(ids),
                        finish_reason="stop" if len(ids) == len(text.encode()) else "length",
                        seed=seed,
                    )
                )
        return completions
