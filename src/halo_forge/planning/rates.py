"""The rates of a machine: what a RAFT run that was measured there says about the next."""

from __future__ import annotations

import json
import math
import os
import tempfile
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from struct import unpack

import yaml
from pydantic import Field, ValidationError

from halo_forge.core.errors import ConfigError, DataError
from halo_forge.core.events import EventType, read_events
from halo_forge.core.types import Record, Rollout
from halo_forge.rollout.rollout_file import RolloutFile
from halo_forge.runs.run_dir import CYCLES_FILE, read_launch
from halo_forge.runs.summary import CycleSummary

TIMED_ROLLOUTS = 256


class Rates(Record):
    """How fast a machine is, and what a run leaves behind.

    Args:
        tokens_per_s: tokens drawn by one replica of the model.
        mean_tokens: tokens a completion.
        verdict_s: worker-seconds for a verdict that is not known yet.
        judged_share: share of completions whose verdict was not known, 0 to 1.
        workers: programs checked at the same time.
        learnt_tokens_per_s: completion tokens trained on, all passes counted.
        learnt_tokens_per_row: in one pass.
        rows_per_prompt: rows trained on for each prompt, cycle by cycle; later cycles are like the last.
        round_s: seconds that a round of training takes besides its steps.
        start_s: seconds before the first completion is drawn.
        store_s: seconds to put a completion with its verdict on disk.
        completion_bytes: on disk, with its verdict and its place in the index.
        checkpoint_bytes: on disk.
        parameters: of the model that was measured, where they could be counted.
    """

    source: str = ""
    tokens_per_s: float = Field(gt=0)
    mean_tokens: float = Field(gt=0)
    verdict_s: float = Field(ge=0)
    judged_share: float = Field(1.0, ge=0, le=1)
    workers: int = Field(ge=1)
    learnt_tokens_per_s: float = Field(gt=0)
    learnt_tokens_per_row: float = Field(gt=0)
    rows_per_prompt: tuple[float, ...] = Field(min_length=1)
    round_s: float = Field(0.0, ge=0)
    start_s: float = Field(0.0, ge=0)
    store_s: float = Field(0.0, ge=0)
    completion_bytes: float = Field(0.0, ge=0)
    checkpoint_bytes: float = Field(0.0, ge=0)
    parameters: float | None = Field(None, gt=0)

    def for_parameters(self, parameters: float) -> Rates:
        """Rates of a model of another size: drawing, training and checkpoints in proportion.

        Raises:
            ConfigError: the size of the model that was measured is not known.
        """
        if self.parameters is None:
            raise ConfigError(
                "--parameters scales what was measured, and the size of the model that was measured is not known: "
                "say it as `parameters` in a file of rates"
            )
        times = parameters / self.parameters
        return self.model_copy(
            update={
                "tokens_per_s": self.tokens_per_s / times,
                "learnt_tokens_per_s": self.learnt_tokens_per_s / times,
                "checkpoint_bytes": self.checkpoint_bytes * times,
                "parameters": parameters,
            }
        )


def read_rates_file(file: Path) -> Rates:
    """Read rates as YAML or JSON; what `plan --json` wrote has them under `rates`.

    Raises:
        ConfigError: they are not there, or not such numbers.
    """
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        return Rates.model_validate(content.get("rates", content) if isinstance(content, dict) else content)
    except OSError as error:
        raise ConfigError(f"cannot read --rates {file}: {error.strerror}") from error
    except (yaml.YAMLError, ValidationError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else None
        what = f"{'.'.join(map(str, first['loc']))}: {first['msg']}" if first else " ".join(str(error).split())
        raise ConfigError(f"--rates {file} holds no rates: {what}; it has {', '.join(Rates.model_fields)}") from error


def read_rates(folder: Path) -> Rates:
    """Read the rates of a RAFT run from its folder; the cycles that it has finished count.

    Raises:
        DataError: it is no RAFT run with a finished cycle.
    """
    context = read_launch(folder) if folder.is_dir() else None
    if context is None or context.kind != "raft":
        raise DataError(f"{folder} is no folder of a RAFT run; give one that has finished a cycle")
    cycles = _finished(folder)
    if not cycles:
        raise DataError(f"the run in {folder} has finished no cycle yet: there is nothing to go by")
    files = [RolloutFile(folder / "rollouts" / f"cycle_{cycle.cycle}.jsonl") for cycle in cycles]
    sketches = [sketch for file in files for sketch in file.sketches()]
    drawn = len(sketches)
    judged = sum(
        cycle.reuse.judged if cycle.reuse else cycle.rollouts.completions for cycle in cycles if cycle.rollouts
    )
    trained = [cycle.training for cycle in cycles if cycle.training]
    workers = context.params.get("workers")
    workers = workers if isinstance(workers, int) else os.cpu_count() or 1
    epochs = float(str(context.params.get("epochs", 1.0)))
    prompts = len({sketch.prompt_id for sketch in sketches})
    rows, learnt = sum(each.rows for each in trained), sum(each.learnt_tokens for each in trained)
    steps_s = _steps_seconds(folder)
    if not (learnt and steps_s):
        raise DataError(f"the run in {folder} has trained nothing yet: there is no rate of training to go by")
    tokens = sum(cycle.rollouts.mean_tokens * cycle.rollouts.completions for cycle in cycles if cycle.rollouts)
    return Rates(
        source=str(folder),
        tokens_per_s=tokens / _seconds(cycles, "generate"),
        mean_tokens=tokens / drawn,
        verdict_s=_seconds(cycles, "verify") * workers / max(1, judged),
        judged_share=judged / drawn,
        workers=workers,
        learnt_tokens_per_s=learnt / steps_s,
        learnt_tokens_per_row=learnt / max(1.0, rows * epochs),
        rows_per_prompt=tuple(round(each.rows / prompts, 4) for each in trained),
        round_s=max(0.0, _seconds(cycles, "train") - steps_s) / len(cycles),
        start_s=_start_seconds(folder),
        store_s=_store_seconds(files[0]),
        completion_bytes=sum(file.path.stat().st_size + file.index.stat().st_size for file in files) / drawn,
        checkpoint_bytes=_size(folder / f"cycle_{cycles[-1].cycle}_final"),
        parameters=_count_parameters(folder / f"cycle_{cycles[-1].cycle}_final"),
    )


def _finished(folder: Path) -> list[CycleSummary]:
    file = folder / CYCLES_FILE
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    try:
        return [cycle for cycle in map(CycleSummary.model_validate_json, lines) if cycle.cycle > 0]
    except ValidationError as error:
        raise DataError(f"{file} was written by another version of halo-forge: measure a run of this one") from error


def _seconds(cycles: Sequence[CycleSummary], phase: str) -> float:
    return sum(cycle.seconds.get(phase, 0.0) for cycle in cycles)


def _steps_seconds(folder: Path) -> float:
    """Seconds of optimiser steps alone, as the events have them."""
    ended = (e for e in read_events(folder / "events.jsonl") if e.type is EventType.PHASE_FINISHED)
    return sum(float(str(event.m["wall_s"])) for event in ended if event.phase == "train")


def _start_seconds(folder: Path) -> float:
    begun = None
    for event in read_events(folder / "events.jsonl"):
        if event.type is EventType.RUN_STARTED:
            begun = event.t
        elif event.type is EventType.PHASE_STARTED and begun is not None:
            return event.t - begun
    return 0.0


def _store_seconds(file: RolloutFile) -> float:
    """Write some of the run's rollouts once more, to see what that takes here."""
    with file.path.open("rb") as lines:
        rollouts = [Rollout.model_validate_json(line) for line in islice(lines, TIMED_ROLLOUTS)]
    with tempfile.TemporaryDirectory(dir=file.path.parent) as folder:
        copy = RolloutFile(Path(folder) / "rollouts.jsonl")
        copy.resume([])
        begun = time.perf_counter()
        copy.append(rollouts)
        return (time.perf_counter() - begun) / len(rollouts)


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _count_parameters(folder: Path) -> int | None:
    """Count a whole model's parameters by the heads of its files; None for an adapter, or where there are none."""
    if (folder / "adapter_config.json").exists():
        return None
    total = 0
    for file in folder.glob("*.safetensors"):
        with file.open("rb") as content:
            head = json.loads(content.read(unpack("<Q", content.read(8))[0]))
        total += sum(math.prod(entry["shape"]) for name, entry in head.items() if name != "__metadata__")
    return total or None
