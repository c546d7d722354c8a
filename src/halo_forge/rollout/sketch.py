"""What is kept in memory of a rollout: all that figures and selection ask for, and where its line stands.

A rollout with its tokens takes kilobytes, a sketch some 500 bytes, so that 100,000 rollouts a cycle need little memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from halo_forge.core.types import Rollout, Stage
from halo_forge.verifiers.program_digest import program_digest, text_digest

GRAM_SIZES = (1, 2, 3)
# Windows of n ids are told apart by a 64-bit polynomial; two of a prompt's thousands meet with a chance below 1e-9.
_BASE = np.uint64(0x9E3779B97F4A7C15)


class Sketch(NamedTuple):
    """A rollout without its text and tokens.

    Args:
        number: the completion's index, 0 … n-1 among the answers to its prompt.
        reward: 0 to 1, or None when it could not be verified.
        fault: why there is no reward.
        tokens: how many were sampled.
        logprob_sum: of the sampled tokens' log-probabilities; None where the generator gave none.
        text: digest of the text with every run of white space taken as one blank; equal for equal programs laid out
            differently, in hexadecimal.
        program: digest of the program it holds, equal for programs that differ in layout and comments alone; of what
            earned nothing, that of its text.
        answer: see `Verdict.answer`.
        scores: metric, amount, of how much; see `Verdict.scores`.
        new_grams: how many windows of 1, 2 and 3 tokens no earlier completion of the same prompt holds, nor this one
            further ahead.
        length: bytes of its line in the file of rollouts.
        offset: byte at which that line begins.
        chunk: the chunk it was drawn in.
    """

    prompt_id: str
    number: int
    cycle: int
    reward: float | None
    passed: bool
    stage: Stage
    fault: str | None
    finish_reason: Literal["stop", "length"]
    tokens: int
    logprob_sum: float | None
    text: str
    program: str
    answer: str
    scores: tuple[tuple[str, float, float], ...]
    new_grams: tuple[int, ...]
    length: int
    offset: int
    chunk: int

    @property
    def compiled(self) -> bool:
        """Whether the program got through the compile stage; see `Verdict.compiled`."""
        return self.passed or self.stage in (Stage.RUN, Stage.TESTS)

    @property
    def truncated(self) -> bool:
        """Whether it was cut at max_new_tokens."""
        return self.finish_reason == "length"


def sketch(rollouts: Sequence[Rollout], lengths: Sequence[int] | None = None, offset: int = 0) -> list[Sketch]:
    """Sketch rollouts in the order of their lines; all completions of a prompt must be among them.

    Args:
        lengths: bytes of each line; without them the sketches point nowhere.
        offset: byte at which the first line begins.
    """
    novel = _new_grams(rollouts)
    sketches = []
    for place, (rollout, grams) in enumerate(zip(rollouts, novel, strict=True)):
        length = lengths[place] if lengths is not None else 0
        completion, verdict = rollout.completion, rollout.verdict
        sketches.append(
            Sketch(
                prompt_id=completion.prompt_id,
                number=completion.index,
                cycle=rollout.cycle,
                reward=verdict.reward,
                passed=verdict.passed,
                stage=verdict.stage,
                fault=verdict.fault,
                finish_reason=completion.finish_reason,
                tokens=len(completion.token_ids),
                logprob_sum=sum(completion.logprobs) if completion.logprobs else None,
                text=text_digest(completion.text),
                program=program_digest(completion.text) if verdict.reward else text_digest(completion.text),
                answer=verdict.answer,
                scores=tuple((name, amount, of) for name, (amount, of) in verdict.scores.items()),
                new_grams=grams,
                length=length,
                offset=offset,
                chunk=rollout.chunk,
            )
        )
        offset += length
    return sketches


def _new_grams(rollouts: Sequence[Rollout]) -> list[tuple[int, ...]]:
    by_prompt: dict[str, list[int]] = {}
    for place, rollout in enumerate(rollouts):
        by_prompt.setdefault(rollout.prompt_id, []).append(place)
    novel: list[tuple[int, ...]] = [()] * len(rollouts)
    for places in by_prompt.values():
        ids = [np.array(rollouts[place].completion.token_ids, dtype=np.uint64) for place in places]
        counts = [_first_seen([_windows(row, size) for row in ids]) for size in GRAM_SIZES]
        for number, place in enumerate(places):
            novel[place] = tuple(count[number] for count in counts)
    return novel


def _windows(ids: NDArray[np.uint64], size: int) -> NDArray[np.uint64]:
    """One number for each window of `size` ids: (T,) -> (T - size + 1,)."""
    count = max(0, len(ids) - size + 1)
    codes = np.zeros(count, dtype=np.uint64)
    for shift in range(size):
        codes = codes * _BASE + ids[shift : shift + count] + np.uint64(1)
    return codes


def _first_seen(rows: Sequence[NDArray[np.uint64]]) -> list[int]:
    """How many numbers of each row occur in no earlier row, equal ones counted once."""
    _, first = np.unique(np.concatenate(rows), return_index=True)
    ends = np.cumsum([len(row) for row in rows])
    counts: list[int] = np.bincount(np.searchsorted(ends, first, side="right"), minlength=len(rows)).tolist()
    return counts
