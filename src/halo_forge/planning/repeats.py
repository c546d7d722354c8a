"""How often a model repeats itself: what had to be judged, and what other numbers of samples a prompt would bring.

Fewer samples are a part of those that there are. For more, each further one is new with the chance of Good and Turing
(Good, Biometrika 40, 1953), the share of the samples that came once, which fades as Chao et al. estimate (Ecological
Monographs 84, 2014, equation 9). Else it is one of those that there are. What is new in one collection may be known in
another.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from random import Random
from typing import NamedTuple

TRIALS = 4
Texts = Mapping[str, Sequence[int]]
"""Prompt -> its samples, equal numbers for equal texts."""


class Sample(NamedTuple):
    """A completion.

    Args:
        text: equal for equal texts.
        kept: whether it may be trained on.
        wall_s: worker-seconds of its verdict.
    """

    text: int
    kept: bool
    wall_s: float


Collections = Sequence[Mapping[str, Sequence[Sample]]]
"""Collection by collection: prompt -> its samples."""


class Found(NamedTuple):
    """What one collection held, a completion or a prompt.

    Args:
        fresh: share of the completions that were new.
        verdict_s: mean worker-seconds of these; None if there were none.
        kept: new ones a prompt that may be trained on, as far as the cap goes.
    """

    fresh: float
    verdict_s: float | None
    kept: float


def find_fresh(collections: Collections, cap: int) -> list[Found]:
    """Count what is new in each collection.

    Args:
        cap: completions kept a prompt and collection at most.
    """
    seen: defaultdict[str, set[int]] = defaultdict(set)
    found = []
    for samples in collections:
        seconds, kept, drawn = list[float](), 0, 0
        for prompt, members in samples.items():
            fresh = {sample.text: sample for sample in members if sample.text not in seen[prompt]}
            seen[prompt].update(fresh)
            drawn += len(members)
            seconds += [sample.wall_s for sample in fresh.values()]
            kept += min(cap, sum(sample.kept for sample in fresh.values()))
        mean = sum(seconds) / len(seconds) if seconds else None
        found.append(Found(len(seconds) / max(1, drawn), mean, kept / max(1, len(samples))))
    return found


def resampled(collections: Collections, samples: int, seed: int) -> Collections:
    """Give every prompt of every collection so many samples."""
    random, new = Random(seed), count(start=-1, step=-1)
    grown: list[dict[str, list[Sample]]] = [{} for _ in collections]
    for place, drawn in enumerate(collections):
        fading = _fading(drawn.values())
        for prompt, members in drawn.items():
            others = [s for n, each in enumerate(collections) if n != place for s in each.get(prompt, ())]
            grown[place][prompt] = _resample(members, others, samples, fading, random, new)
    return grown


def _fading(drawn: Iterable[Sequence[Sample]]) -> float:
    """Return the share of its chance that "new" loses with each further sample, estimated over all prompts together."""
    counts = [Counter(Counter(sample.text for sample in members).values()) for members in drawn]
    size = sum(sum(times * texts for times, texts in each.items()) for each in counts) / max(1, len(counts))
    once, twice = sum(each[1] for each in counts), sum(each[2] for each in counts)
    unseen = (size - 1) / size * (once**2 / (2 * twice) if twice else once * (once - 1) / 2)
    return once / (size * unseen + once) if once else 0.0


def _resample(
    members: Sequence[Sample],
    others: Sequence[Sample],
    samples: int,
    fading: float,
    random: Random,
    new: count[int],
) -> list[Sample]:
    """Draw some of a prompt's samples, or more.

    Args:
        others: those of the prompt's other collections. What is new to this one is known there as often as what came
            once here is.
    """
    if samples <= len(members):
        return random.sample(members, samples)
    counts = Counter(sample.text for sample in members)
    elsewhere = {sample.text: sample for sample in others}
    once = [sample for sample in members if counts[sample.text] == 1]
    known = sum(sample.text in elsewhere for sample in once) / max(1, len(once))
    spare = [sample for text, sample in elsewhere.items() if text not in counts]
    random.shuffle(spare)
    grown = list(members)
    for further in range(samples - len(members)):
        if random.random() >= len(once) / len(members) * (1 - fading) ** further:
            grown.append(random.choice(grown))
        elif spare and random.random() < known:
            grown.append(spare.pop())
        else:
            grown.append(random.choice(once)._replace(text=next(new)))
    return grown


def mean_found(collections: Collections, samples: int, cap: int) -> list[Found]:
    """Count what would be new with so many samples a prompt; exact for as many as were drawn."""
    if all(len(members) == samples for drawn in collections for members in drawn.values()):
        return find_fresh(collections, cap)
    trials = [find_fresh(resampled(collections, samples, seed), cap) for seed in range(TRIALS)]
    means = []
    for places in zip(*trials, strict=True):
        seconds = [found.verdict_s for found in places if found.verdict_s is not None]
        means.append(
            Found(
                sum(found.fresh for found in places) / TRIALS,
                sum(seconds) / len(seconds) if seconds else None,
                sum(found.kept for found in places) / TRIALS,
            )
        )
    return means
