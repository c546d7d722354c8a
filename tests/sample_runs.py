"""Run folders as RAFT leaves them, made without a model by the functions that make real ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from halo_forge.config.load import Loaded, load
from halo_forge.config.raft import RaftTrainConfig
from halo_forge.core.events import EventType
from halo_forge.core.types import Completion, Rollout, Stage, Verdict
from halo_forge.rollout.metrics import Metrics, measure
from halo_forge.rollout.records import append_records, write_atomically
from halo_forge.rollout.sketch import sketch
from halo_forge.runs.launch import InputFile
from halo_forge.runs.run_dir import Run, open_run
from halo_forge.runs.summary import CycleSummary, RaftSummary

INPUTS = {"prompts": InputFile(path="p.jsonl", sha256="aa", rows=3)}
PROMPTS = 8


def raft_settings(output: Path, **changes: object) -> Loaded[RaftTrainConfig]:
    return load(RaftTrainConfig, {"model": "m", "prompts": "p.jsonl", "output": output, **changes})


@contextmanager
def opened(output: Path, **changes: object) -> Iterator[Run]:
    """A run that has begun its work."""
    with open_run("raft", raft_settings(output, **changes), output, INPUTS) as run:
        run.rollouts("cycle_1").parent.mkdir(exist_ok=True)
        run.rollouts("cycle_1").touch()
        yield run


def finished_run(output: Path, right: tuple[int, ...] = (1, 2, 4, 3), **changes: object) -> Path:
    """A run that ended well.

    Args:
        right: for the start model and each cycle, how many of 8 held-out prompts it answers.
    """
    with opened(output, **changes) as run:
        cycles = [_cycle(run, number, count) for number, count in enumerate(right)]
        append_records(run.path / "cycles.jsonl", cycles)
        summary = RaftSummary(
            run_id=run.context.run_id,
            model="m",
            verifier="gcc",
            verifier_version="1",
            seed=0,
            prompts=PROMPTS,
            holdout_prompts=PROMPTS,
            cycles=tuple(cycles),
            best_cycle=right.index(max(right)),
            chosen_by="highest",
            wall_s=1.0,
        )
        write_atomically(run.path / "summary.json", summary.model_dump_json())
    return output


def _cycle(run: Run, number: int, right: int) -> CycleSummary:
    run.events.emit(EventType.PHASE_STARTED, cycle=number, phase="generate", total=PROMPTS, done=0)
    run.events.emit(EventType.PROGRESS, cycle=number, phase="generate", step=PROMPTS)
    run.events.emit(EventType.CYCLE_FINISHED, cycle=number, holdout_pass_at_1=right / PROMPTS)
    if number:
        run.checkpoint(number).mkdir()
        (run.checkpoint(number) / "config.json").write_text("{}")
        (run.checkpoint(number) / "model.safetensors").write_bytes(bytes(100_000))
    return CycleSummary(cycle=number, kept=3 * bool(number), holdout=_measured(right))


def _measured(right: int) -> Metrics:
    rollouts = [
        Rollout(
            cycle=1,
            chunk=0,
            completion=Completion(prompt_id=f"p{i}", index=0, text=f"answer {i}", finish_reason="stop"),
            verdict=Verdict(reward=float(i < right), passed=i < right, stage=Stage.TESTS),
        )
        for i in range(PROMPTS)
    ]
    return measure(sketch(rollouts))
