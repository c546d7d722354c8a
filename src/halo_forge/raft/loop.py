"""The one RAFT loop.

Everything a cycle decides follows from the run's seed and from what is on disk, so a run that was killed goes on from
its last whole chunk and ends as if nothing had happened.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from halo_forge.config.load import Loaded
from halo_forge.config.raft import RaftTrainConfig
from halo_forge.core.errors import DataError
from halo_forge.core.events import EventType, Listener
from halo_forge.core.types import Prompt
from halo_forge.data import Split, load_conversations, load_prompts, split_holdout
from halo_forge.models.check import check_model
from halo_forge.models.resolve import ModelRef, resolve_model
from halo_forge.raft.cycle import Cycle
from halo_forge.raft.engine import Engine, open_engine
from halo_forge.rollout.checking import Checker, open_checker
from halo_forge.rollout.records import append_records, read_records, write_atomically
from halo_forge.runs.launch import InputFile, Judge, LaunchContext, hash_file
from halo_forge.runs.plan import Plan
from halo_forge.runs.run_dir import CYCLES_FILE, SUMMARY_FILE, Run, check_output, open_run, read_checkpoint
from halo_forge.runs.summary import CycleSummary, RaftSummary

EngineFactory = Callable[[ModelRef, RaftTrainConfig, Run], Engine]


def train_raft(
    loaded: Loaded[RaftTrainConfig], listeners: tuple[Listener, ...] = (), engine_factory: EngineFactory | None = None
) -> RaftSummary:
    """Run the cycles that are not done yet, and publish the best.

    Everything the user could have got wrong is checked before anything is written.

    Args:
        engine_factory: makes the policy; by default a transformers model in this process.

    Raises:
        HaloError: see `core.errors`.
    """
    config = loaded.config
    work = _read(config)
    if work.context is not None and (finished := _finished(config)) is not None:
        return finished
    overlong = check_model(work.start, config, work.prompts) if engine_factory is None else frozenset()
    split = _split(work, overlong, config)
    with (
        open_checker(config) as checker,
        open_run(
            "raft", loaded, config.output, work.inputs, judge=Judge(checker.tier, checker.version), listeners=listeners
        ) as run,
    ):
        run.write_prompts([*split.train, *split.holdout])
        for notice in _notices(config, split, overlong):
            run.events.notice(notice)
        cycles = _run_cycles(run, config, split, work.start, checker, engine_factory or _local_engine)
        return _publish(run, config, split, work.start, checker, cycles)


def plan_raft(loaded: Loaded[RaftTrainConfig]) -> Plan:
    """Check everything `train_raft` needs, write nothing, and say how much work it would be."""
    config = loaded.config
    work = _read(config)
    split = _split(work, check_model(work.start, config, work.prompts), config)
    start, context = work.start, work.context
    with open_checker(config) as checker:
        return Plan(
            (
                ("start", start.name if start.adapter is None else f"{start.name} on {start.base}"),
                ("prompts", f"{len(split.train)} to train on, {len(split.holdout)} held out"),
                ("verifier", f"{checker.name}, sandbox {checker.tier}"),
                ("a cycle", f"{len(split.train) * config.samples_per_prompt} completions to draw and verify"),
                ("cycles", str(config.cycles)),
                ("output", f"{config.output} ({'continues ' + context.run_id if context else 'new'})"),
            )
        )


def completed_cycles(folder: Path) -> list[CycleSummary]:
    """Summaries of the cycles that are done, cycle 0 (the start model) first."""
    return list(read_records(folder / CYCLES_FILE, CycleSummary))


class _Work(NamedTuple):
    """What a run starts from.

    Args:
        context: of the run in the output folder that is to be continued, if there is one.
    """

    prompts: list[Prompt]
    inputs: dict[str, InputFile]
    start: ModelRef
    context: LaunchContext | None


def _read(config: RaftTrainConfig) -> _Work:
    prompts = load_prompts(
        config.prompts, max_prompts=config.max_prompts, seed=config.seed, system_prompt=config.system_prompt
    )
    inputs = {"prompts": hash_file(config.prompts, len(prompts))}
    if config.replay is not None:
        replay = load_conversations(config.replay)
        inputs["replay"] = hash_file(config.replay, len(replay.conversations))
    start = resolve_model(config.start, config.stated_base)
    return _Work(prompts, inputs, start, check_output(config.output, "raft", config, inputs))


def _split(work: _Work, overlong: frozenset[str], config: RaftTrainConfig) -> Split:
    fitting = [prompt for prompt in work.prompts if prompt.id not in overlong]
    if not fitting:
        raise DataError(f"every prompt fills the context of '{work.start.name}' and leaves no room for an answer")
    return split_holdout(fitting, config.holdout_fraction, config.seed)


def _notices(config: RaftTrainConfig, split: Split, overlong: frozenset[str]) -> Iterator[str]:
    """What the user should know before the first cycle."""
    if overlong:
        yield (
            f"{len(overlong)} prompts are left out: they fill the model's context and leave no room for an answer "
            f"(such as {min(overlong)})"
        )
    if config.holdout_fraction and not split.holdout:
        yield f"{len(split.train)} prompts are too few to hold some out: the last cycle is published, not the best"
    if config.learns_from_wrong:
        yield (
            f"--objective {config.objective} trains on every verified and whole completion of a prompt whose rewards "
            "differ: --keep-fraction, --max-kept-per-prompt and --min-samples do not apply"
        )
    tested = sum(prompt.reference.has_tests for prompt in split.train)
    if tested and config.reward_threshold < 1 and config.select == "reward":
        yield (
            f"{tested} prompts have tests, and a reward of {config.reward_threshold} is below passing them: programs "
            "that fail their tests may be trained on; --reward-threshold 1.0 keeps only those that pass"
        )


def _finished(config: RaftTrainConfig) -> RaftSummary | None:
    summary = config.output / SUMMARY_FILE
    if len(completed_cycles(config.output)) <= config.cycles or not summary.is_file():
        return None
    return RaftSummary.model_validate_json(summary.read_bytes())


def _local_engine(ref: ModelRef, config: RaftTrainConfig, run: Run) -> Engine:
    return open_engine(ref, config, run.events, run.stop)


def _run_cycles(
    run: Run,
    config: RaftTrainConfig,
    split: Split,
    start: ModelRef,
    checker: Checker,
    engine_factory: EngineFactory,
) -> list[CycleSummary]:
    run.drop_torn(CYCLES_FILE)
    done = completed_cycles(run.path)
    trained = max((n for n in range(1, len(done) + 1) if read_checkpoint(run.checkpoint(n))), default=0)
    ref = resolve_model(str(run.checkpoint(trained))) if trained else start
    engine = engine_factory(ref, config, run)
    for number in range(len(done), config.cycles + 1):
        begun = time.perf_counter()
        steps = sum(cycle.training.steps for cycle in done if cycle.training)
        cycle = Cycle(number, run, config, split.train, split.holdout, engine, checker, steps).finish()
        done.append(cycle.model_copy(update={"seconds": {**cycle.seconds, "all": time.perf_counter() - begun}}))
        append_records(run.path / CYCLES_FILE, done[-1:])
        run.stop.check()
    return done


def _publish(
    run: Run,
    config: RaftTrainConfig,
    split: Split,
    start: ModelRef,
    checker: Checker,
    cycles: Sequence[CycleSummary],
) -> RaftSummary:
    best, why = choose_best(cycles)
    partial = run.path / "final_model.partial"
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(run.checkpoint(best), partial, copy_function=_link_or_copy)
    shutil.rmtree(run.final_model, ignore_errors=True)
    partial.rename(run.final_model)
    run.events.emit(EventType.CHECKPOINT, cycle=best, path=str(run.final_model))
    summary = RaftSummary(
        run_id=run.context.run_id,
        model=start.name,
        verifier=checker.name,
        verifier_version=checker.version,
        seed=config.seed,
        prompts=len(split.train),
        holdout_prompts=len(split.holdout),
        cycles=tuple(cycles),
        best_cycle=best,
        chosen_by=why,
        wall_s=sum(cycle.seconds.get("all", 0.0) for cycle in cycles),
    )
    write_atomically(run.path / SUMMARY_FILE, summary.model_dump_json(indent=2) + "\n")
    return summary


def choose_best(cycles: Sequence[CycleSummary]) -> tuple[int, str]:
    """Pick the cycle with the highest pass@1 on the held-out slice, the earliest of equals; else the last cycle.

    Args:
        cycles: all cycles, the start model's first.

    Returns:
        The cycle's number, 1 or more, and why it was chosen.
    """
    measured = [
        (cycle.holdout.pass_at["1"].value, cycle.cycle)
        for cycle in cycles
        if cycle.cycle > 0 and cycle.holdout is not None and cycle.holdout.pass_at["1"].value is not None
    ]
    if not measured:
        return cycles[-1].cycle, "the last cycle: no prompts were held out to choose by"
    best = max(value for value, _ in measured if value is not None)
    number = next(number for value, number in measured if value == best)
    start = cycles[0].holdout.pass_at["1"].value if cycles[0].holdout else None
    why = f"highest pass@1 on the held-out slice, {best:.3f}"
    if start is not None:
        why += f" (start model {start:.3f})" if best > start else f", no more than the start model's {start:.3f}"
    return number, why


def _link_or_copy(source: str, target: str) -> None:
    """Share the bytes where the file system can, as checkpoints are never written in place."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
