"""Rates from the folder of a RAFT run that has finished a cycle."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from halo_forge.core.errors import DataError, ModelError
from halo_forge.core.events import Event, EventType, read_events
from halo_forge.models.resolve import resolve_model
from halo_forge.planning.chunks import (
    Chunk,
    fit_drawing,
    fit_lookup,
    fit_slowdown,
    fit_store,
    judging_alone,
    judging_loses,
)
from halo_forge.planning.rates import Novelty, Rates, Shape
from halo_forge.planning.repeats import Found, mean_found
from halo_forge.planning.rollouts import ANOTHER_VERSION, Collection, read_chunks, read_collection
from halo_forge.planning.sizes import count_parameters
from halo_forge.rollout.rollout_file import RolloutFile
from halo_forge.runs.launch import LaunchContext
from halo_forge.runs.run_dir import CYCLES_FILE, read_launch
from halo_forge.runs.summary import CycleSummary

MOST_LENGTHS = 200


class _Run(NamedTuple):
    """A run that is read.

    Args:
        cycles: the summaries of the finished ones, the start model's first.
        trained, held: what was drawn to train on, and for the held-out prompts.
        cap: completions kept a prompt and cycle at most.
    """

    folder: Path
    context: LaunchContext
    shape: Shape
    cycles: list[CycleSummary]
    events: list[Event]
    trained: list[Collection]
    held: list[Collection]
    cap: int


def read_rates(folder: Path, samples: int | None = None) -> Rates:
    """Read the rates of a RAFT run from its folder; the cycles that it has finished count.

    Args:
        samples: completions a prompt of the run that is to be foretold; by default as many as this one drew.

    Raises:
        DataError: it is no RAFT run with a finished cycle.
    """
    run = _open(folder)
    samples = samples or run.shape.samples
    lengths = sorted(each.tokens for collection in run.trained for each in collection.drawn)
    files = [RolloutFile(folder / "rollouts" / f"cycle_{collection.cycle}.jsonl") for collection in run.trained]
    return Rates(
        source=str(folder),
        mean_tokens=sum(lengths) / len(lengths),
        lengths=_quantiles(lengths),
        completion_bytes=sum(f.path.stat().st_size + f.index.stat().st_size for f in files) / len(lengths),
        measured=run.shape,
        samples=samples,
        start_s=_start_seconds(run.events),
        **_collecting(run, samples),
        **_training(run, samples),
    )


def _open(folder: Path) -> _Run:
    context = read_launch(folder) if folder.is_dir() else None
    if context is None or context.kind != "raft":
        raise DataError(f"{folder} is no folder of a RAFT run; give one that has finished a cycle")
    cycles = _finished(folder)
    if len(cycles) < 2:
        raise DataError(f"the run in {folder} has finished no cycle yet: there is nothing to go by")
    threshold = float(str(context.params.get("reward_threshold", 0.5)))
    return _Run(
        folder=folder,
        context=context,
        shape=_shape(context),
        cycles=cycles,
        events=list(read_events(folder / "events.jsonl")),
        trained=[read_collection(folder, "cycle", cycle.cycle, threshold) for cycle in cycles[1:]],
        held=[read_collection(folder, "holdout", cycle.cycle, threshold) for cycle in cycles if cycle.holdout],
        cap=_number(context, "max_kept_per_prompt") or 4,
    )


def _collecting(run: _Run, samples: int) -> dict[str, Any]:
    """Rates of drawing and of judging."""
    workers = _number(run.context, "workers") or os.cpu_count() or 1
    chunks = read_chunks(run.trained, run.held, run.events, cached=run.context.params.get("cache") is not False)
    drawing = fit_drawing(chunks)
    slowdown = fit_slowdown(chunks, drawing, workers)
    alone = judging_alone(chunks, drawing, judging_loses(slowdown, workers))
    undisturbed = _share_alone(chunks, alone)
    return {
        "step_s": drawing.step_s,
        "token_s": drawing.token_s,
        "novelty": _novelty(run.trained, samples, run.cap, undisturbed),
        "held_novelty": _novelty(run.held, samples, run.cap, undisturbed) if run.held else None,
        "lookup_s": fit_lookup(chunks, alone, workers),
        "store_s": fit_store(chunks, _walls(run.cycles)),
        "workers": workers,
        "slowdown": slowdown,
    }


def _walls(cycles: Sequence[CycleSummary]) -> dict[str, float]:
    """Collection -> its seconds on the clock."""
    held = {f"holdout_{cycle.cycle}": cycle.seconds["evaluate"] for cycle in cycles if "evaluate" in cycle.seconds}
    return held | {f"cycle_{cycle.cycle}": cycle.seconds["collect"] for cycle in cycles if "collect" in cycle.seconds}


def _share_alone(chunks: Sequence[Chunk], alone: Sequence[float]) -> float:
    """Return how much of the verdicts' seconds there would have been with nothing drawn beside them."""
    verdicts = sum(chunk.judged_s for chunk in chunks)
    return sum(c.judged_s * share for c, share in zip(chunks, alone, strict=True)) / verdicts if verdicts else 1.0


def _training(run: _Run, samples: int) -> dict[str, Any]:
    """Rates of training, and what it leaves behind."""
    cycles = run.cycles[1:]
    figures = [cycle.training for cycle in cycles if cycle.training]
    numbers = {cycle.cycle for cycle in cycles}
    finished = (e for e in run.events if e.type is EventType.PHASE_FINISHED and e.cycle in numbers)
    ended = (event for event in finished if event.phase == "train")
    steps_s = sum(float(str(event.m["wall_s"])) for event in ended)
    learnt = sum(each.learnt_tokens for each in figures)
    if not (learnt and steps_s):
        raise DataError(f"the run in {run.folder} has trained nothing yet: there is no rate of training to go by")
    prompts = len({each.prompt for collection in run.trained for each in collection.drawn})
    drawn = [collection.samples() for collection in run.trained]
    as_drawn, as_asked = (mean_found(drawn, number, run.cap) for number in (run.shape.samples, samples))
    last = run.folder / f"cycle_{cycles[-1].cycle}_final"
    return {
        "tuning": run.context.params.get("tuning"),
        "learnt_tokens_per_s": learnt / steps_s,
        "learnt_tokens_per_row": learnt / max(1.0, sum(each.rows for each in figures) * run.shape.epochs),
        "rows_per_prompt": _scaled([each.rows / prompts for each in figures], as_drawn, as_asked),
        "accumulates": run.context.params.get("accumulate") is True,
        "round_s": max(0.0, sum(cycle.seconds.get("train", 0.0) for cycle in cycles) - steps_s) / len(cycles),
        "checkpoint_bytes": _size(last),
        "parameters": _parameters(last),
    }


def _scaled(rows: Sequence[float], as_drawn: Sequence[Found], as_asked: Sequence[Found]) -> tuple[float, ...]:
    """Rows a prompt, more or fewer as another number of samples brings more or fewer that may be kept."""
    scaled, drawn, asked = [], 0.0, 0.0
    for count, had, has in zip(rows, as_drawn, as_asked, strict=False):
        drawn, asked = drawn + had.kept, asked + has.kept
        scaled.append(round(count * (asked / drawn if drawn else 1.0), 4))
    return tuple(scaled)


def _finished(folder: Path) -> list[CycleSummary]:
    """Summaries of the finished cycles, the start model's first."""
    file = folder / CYCLES_FILE
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    try:
        return [CycleSummary.model_validate_json(line) for line in lines]
    except ValidationError as error:
        raise DataError(f"{file} {ANOTHER_VERSION}") from error


def _shape(context: LaunchContext) -> Shape:
    return Shape(
        prompts=context.inputs["prompts"].rows or 1,
        holdout_fraction=float(str(context.params.get("holdout_fraction", 0.1))),
        samples=_number(context, "samples_per_prompt") or 8,
        rows_per_chunk=_number(context, "generation_batch") or 64,
        cycles=_number(context, "cycles") or 1,
        epochs=float(str(context.params.get("epochs", 1.0))),
    )


def _number(context: LaunchContext, name: str) -> int | None:
    value = context.params.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _novelty(collections: Sequence[Collection], samples: int, cap: int, undisturbed: float) -> Novelty:
    found = mean_found([collection.samples() for collection in collections], samples, cap)
    known = [each.verdict_s for each in found if each.verdict_s is not None]
    seconds, last = [], known[0] if known else 0.0
    for each in found:
        last = each.verdict_s if each.verdict_s is not None else last
        seconds.append(last * undisturbed)
    return Novelty(fresh=tuple(round(each.fresh, 5) for each in found), verdict_s=tuple(seconds))


def _quantiles(lengths: Sequence[int]) -> tuple[float, ...]:
    """At most `MOST_LENGTHS` of the lengths at even steps, the middle of each step."""
    count = min(MOST_LENGTHS, len(lengths))
    return tuple(float(lengths[int((place + 0.5) * len(lengths) / count)]) for place in range(count))


def _start_seconds(events: Sequence[Event]) -> float:
    begun = None
    for event in events:
        if event.type is EventType.RUN_STARTED:
            begun = event.t
        elif event.type is EventType.PHASE_STARTED and begun is not None:
            return event.t - begun
    return 0.0


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _parameters(checkpoint: Path) -> int | None:
    """Count those of the model; None where that takes a Hub that does not answer."""
    try:
        return count_parameters(resolve_model(str(checkpoint)))
    except ModelError:
        return None
