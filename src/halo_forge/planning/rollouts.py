"""What the rollouts of a run and its events say about each chunk."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from halo_forge.core.errors import DataError
from halo_forge.core.events import Event, EventType
from halo_forge.core.types import Rollout
from halo_forge.planning.chunks import Chunk
from halo_forge.planning.repeats import Sample

PHASES = {"cycle": "generate", "holdout": "evaluate"}
ANOTHER_VERSION = "was written by another version of halo-forge: measure a run of this one"


class Drawn(NamedTuple):
    """A completion as far as rates depend on it."""

    prompt: str
    chunk: int
    tokens: int
    sample: Sample


class Collection(NamedTuple):
    """What one file of rollouts holds."""

    name: str
    cycle: int
    drawn: list[Drawn]

    def samples(self) -> dict[str, list[Sample]]:
        """Prompt -> its samples."""
        found: defaultdict[str, list[Sample]] = defaultdict(list)
        for each in self.drawn:
            found[each.prompt].append(each.sample)
        return dict(found)


def read_collection(folder: Path, name: str, cycle: int, threshold: float) -> Collection:
    """Read a file of rollouts without keeping texts and tokens."""
    file = folder / "rollouts" / f"{name}_{cycle}.jsonl"
    drawn = []
    with file.open("rb") as lines:
        for rollout in map(Rollout.model_validate_json, lines):
            completion, verdict = rollout.completion, rollout.verdict
            right = verdict.reward is not None and verdict.reward > 0 and verdict.reward >= threshold
            sample = Sample(hash(completion.text), right and completion.finish_reason == "stop", verdict.wall_s)
            drawn.append(Drawn(completion.prompt_id, rollout.chunk, len(completion.token_ids), sample))
    return Collection(name, cycle, drawn)


def read_chunks(
    trained: Sequence[Collection], held: Sequence[Collection], events: Sequence[Event], *, cached: bool
) -> list[Chunk]:
    """Put every chunk's completions beside what it took, in the order in which they were drawn.

    Args:
        cached: whether what an earlier chunk of the run held was not judged again.
    """
    timings = _timings(events)
    seen: set[tuple[str, int]] = set()
    chunks = []
    for collection in sorted([*trained, *held], key=lambda each: (each.cycle, each.name == "holdout")):
        done = 0
        for number, group in groupby(collection.drawn, key=lambda each: each.chunk):
            members = list(group)
            done += len(members)
            if not cached:
                seen.clear()
            fresh = {(each.prompt, each.sample.text): each.sample.wall_s for each in members}
            judged_s = sum(seconds for key, seconds in fresh.items() if key not in seen)
            seen.update(fresh)
            timing = timings.get((PHASES[collection.name], collection.cycle, done))
            if timing is None:
                continue
            draw_s, judge_s = timing
            tokens = [each.tokens for each in members]
            last = done == len(collection.drawn)
            where = f"{collection.name}_{collection.cycle}"
            chunks.append(Chunk(where, number, last, len(members), sum(tokens), max(tokens), draw_s, judge_s, judged_s))
    if not any(chunk.number == 0 and chunk.draw_s > 0 for chunk in chunks):
        raise DataError(f"the run's events do not say how long a chunk took: it {ANOTHER_VERSION}")
    return chunks


def _timings(events: Sequence[Event]) -> dict[tuple[str | None, int | None, int], tuple[float, float]]:
    """(phase, cycle, completions done) -> seconds of drawing and of judging the chunk that ends there."""
    found = {}
    for event in events:
        drawn, judged = event.m.get("draw_s"), event.m.get("judge_s")
        if event.type is EventType.PROGRESS and event.step is not None and drawn is not None and judged is not None:
            found[event.phase, event.cycle, event.step] = (float(str(drawn)), float(str(judged)))
    return found
