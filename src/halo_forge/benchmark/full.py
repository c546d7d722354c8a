"""The course of a RAFT run: its start model, every cycle and the final model on the same prompts with the same seeds.

Each is a benchmark in a folder of its own, so that what is measured stays, and an interrupted course goes on.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from halo_forge.benchmark.compare import compare
from halo_forge.benchmark.loop import run_benchmark
from halo_forge.benchmark.measured import Measured, read_measured
from halo_forge.config.benchmark import BenchmarkFullConfig, BenchmarkRunConfig
from halo_forge.config.load import Loaded
from halo_forge.core.errors import DataError
from halo_forge.core.events import Event, EventLog, EventType, Listener
from halo_forge.core.types import Prompt
from halo_forge.data import load_asked, prompts_hash
from halo_forge.models.resolve import resolve_model
from halo_forge.rollout.records import read_records, write_atomically
from halo_forge.runs.comparison import FullSummary
from halo_forge.runs.launch import LaunchContext, prompts_input
from halo_forge.runs.plan import Plan
from halo_forge.runs.run_dir import SUMMARY_FILE, Run, check_output, is_complete, open_run, read_checkpoint, read_launch
from halo_forge.runs.summary import BenchmarkSummary

BASELINE, FINAL = "baseline", "final"
PASSED_ON = frozenset({EventType.PHASE_STARTED, EventType.PROGRESS, EventType.PHASE_FINISHED})
_CYCLE = re.compile(r"cycle_(\d+)_final")


class Candidate(NamedTuple):
    """A model to measure; `cycle` is 0 for the start model, `base` is named beside an adapter that needs it."""

    name: str
    cycle: int
    model: str
    base: str | None = None


class Course(NamedTuple):
    """The models to measure, the start model first, and the names that stand for weights which another one has."""

    candidates: tuple[Candidate, ...]
    same: dict[str, str]


def run_full(loaded: Loaded[BenchmarkFullConfig], listeners: tuple[Listener, ...] = ()) -> FullSummary:
    """Measure every model of the course that is not measured yet, and compare them with the start model.

    Raises:
        HaloError: see `core.errors`.
    """
    config, output = loaded.config, full_folder(loaded.config)
    course, prompts = find_course(config), load_asked(config, "benchmark", config.seed)
    for candidate in course.candidates:
        resolve_model(candidate.model, candidate.base)
    inputs = {"prompts": prompts_input(config, prompts)}
    context = check_output(output, "full", config, inputs)
    if context is not None and is_complete(output):
        return FullSummary.model_validate_json((output / SUMMARY_FILE).read_bytes())
    with open_run("full", loaded, output, inputs, listeners=listeners) as run:
        begun = time.perf_counter()
        for candidate in course.candidates:
            measured = run_benchmark(_settings(loaded, candidate, output), (_relay(candidate.name, run.events),))
            _announce(run, candidate, measured)
            run.stop.check()
        return _summarise(run, config, course, time.perf_counter() - begun)


def plan_full(loaded: Loaded[BenchmarkFullConfig]) -> Plan:
    """Look at what `run_full` needs, write nothing, and say how much work it would be."""
    config, output = loaded.config, full_folder(loaded.config)
    course, prompts = find_course(config), load_asked(config, "benchmark", config.seed)
    for candidate in course.candidates:
        resolve_model(candidate.model, candidate.base)
    todo = [c for c in course.candidates if not is_complete(output / c.name)]
    return Plan(
        (
            *((candidate.name, candidate.model) for candidate in course.candidates),
            *((name, f"the same weights as {other}") for name, other in course.same.items()),
            ("prompts", str(len(prompts))),
            ("completions", str(len(todo) * len(prompts) * (config.samples + config.greedy))),
            ("output", f"{output} ({len(todo)} of {len(course.candidates)} models to measure)"),
        )
    )


def full_folder(config: BenchmarkFullConfig) -> Path:
    """The folder asked for, or one named after the RAFT run, the prompts and the seed."""
    if config.output is not None:
        return config.output
    return Path("results") / f"{config.run.resolve().name}-{config.prompts_name}-full-seed{config.seed}"


def find_course(config: BenchmarkFullConfig) -> Course:
    """Find the models of a RAFT run.

    Raises:
        DataError: the folder holds no finished RAFT run, or not the cycles asked for.
    """
    context = read_launch(config.run)
    if context is None or context.kind != "raft":
        held = "no run" if context is None else f"a {context.kind} run"
        raise DataError(f"--run {config.run} holds {held}; name the folder of a RAFT run")
    published = read_checkpoint(config.run / "final_model")
    if published is None:
        raise DataError(f"the RAFT run in {config.run} has no final_model: finish it first")
    trained = {
        int(found[1]): folder
        for folder in config.run.iterdir()
        if (found := _CYCLE.fullmatch(folder.name)) and read_checkpoint(folder) is not None
    }
    missing = sorted(set(config.cycles) - trained.keys())
    if missing:
        raise DataError(f"--cycles {missing[0]}: the run in {config.run} has checkpoints of {sorted(trained)}")
    chosen = sorted(set(config.cycles) or trained)
    candidates = [_start(context), *(Candidate(f"cycle_{n}", n, str(trained[n])) for n in chosen)]
    if published.cycle in chosen:
        return Course(tuple(candidates), {FINAL: f"cycle_{published.cycle}"})
    return Course((*candidates, Candidate(FINAL, published.cycle, str(config.run / "final_model"))), {})


def _start(context: LaunchContext) -> Candidate:
    """The model the cycles began with; a path counts from where the run was started."""
    checkpoint, model = (_path(context, key) for key in ("checkpoint", "model"))
    if checkpoint is not None:
        return Candidate(BASELINE, 0, checkpoint, model)
    assert model is not None
    return Candidate(BASELINE, 0, model)


def _path(context: LaunchContext, key: str) -> str | None:
    value = context.params.get(key)
    if not isinstance(value, str):
        return None
    there = Path(context.cwd) / value
    return str(there) if there.is_dir() else value


def _settings(loaded: Loaded[BenchmarkFullConfig], candidate: Candidate, output: Path) -> Loaded[BenchmarkRunConfig]:
    shared = BenchmarkRunConfig.model_fields.keys() & BenchmarkFullConfig.model_fields.keys()
    own = {"model": candidate.model, "base": candidate.base, "output": output / candidate.name, "report_to": ()}
    config = BenchmarkRunConfig.model_validate(loaded.config.model_dump(include=set(shared)) | own)
    origins = {key: loaded.origins.get(key, "default") for key in BenchmarkRunConfig.model_fields}
    return Loaded(config, origins | dict.fromkeys(own, "flag"))


def _relay(name: str, events: EventLog) -> Listener:
    """Pass on how far one benchmark has come as events of the whole."""

    def tell(event: Event) -> None:
        if event.type in PASSED_ON:
            events.emit(event.type, phase=f"{name} {event.phase}", step=event.step, **dict[str, Any](event.m))
        elif event.type is EventType.NOTICE:
            events.notice(f"{name}: {event.m.get('message')}")

    return tell


def _announce(run: Run, candidate: Candidate, measured: BenchmarkSummary) -> None:
    first = measured.sampled.pass_at.get("1")
    run.events.emit(
        EventType.CYCLE_FINISHED,
        cycle=candidate.cycle,
        pass_at_1=first.value if first else None,
        compile_rate=measured.sampled.compile_rate.value,
    )


def _summarise(run: Run, config: BenchmarkFullConfig, course: Course, wall_s: float) -> FullSummary:
    sides = [
        replace(read_measured(str(run.path / candidate.name)), name=candidate.name) for candidate in course.candidates
    ]
    comparison = compare(sides, allow_different_verifier=True)
    caveats = (*comparison.caveats, *_overlap(config.run, sides[0]))
    summary = FullSummary(
        run_id=run.context.run_id,
        model=course.candidates[0].model,
        seed=config.seed,
        comparison=comparison.model_copy(update={"caveats": caveats}),
        same=course.same,
        wall_s=wall_s,
    )
    write_atomically(run.path / SUMMARY_FILE, summary.model_dump_json(indent=2) + "\n")
    run.events.emit(EventType.RESULT, **dict(_differences(summary)))
    return summary


def _overlap(raft: Path, measured: Measured) -> Iterator[str]:
    seen = {prompts_hash([prompt]) for prompt in read_records(raft / "prompts.jsonl", Prompt)}
    both = seen & set(measured.prompts.values())
    if both:
        yield (
            f"{len(both)} of the {len(measured.prompts)} prompts are among those the RAFT run trained on or chose its "
            "cycle by, which flatters the trained models"
        )


def _differences(summary: FullSummary) -> Iterator[tuple[str, Any]]:
    for test in summary.comparison.tests:
        name = test.metric.replace(" ", "_").replace("@", "_at_")
        yield f"{test.arm}_minus_{BASELINE}_{name}", test.difference.value
