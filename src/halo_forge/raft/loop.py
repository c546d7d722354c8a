"""The one RAFT loop.

Everything a cycle decides follows from the run's seed and from what is on disk, so a run that was killed goes on from
its last whole chunk and ends as if nothing had happened.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from halo_forge.config.load import Loaded
from halo_forge.config.raft import RaftTrainConfig
from halo_forge.core.errors import ModelError
from halo_forge.core.events import EventType, Listener
from halo_forge.data import Split
from halo_forge.models.check import Checked
from halo_forge.models.resolve import ModelRef, resolve_model
from halo_forge.raft.best import choose_best
from halo_forge.raft.checkers import Checkers, open_checkers
from halo_forge.raft.cycle import Cycle
from halo_forge.raft.cycle_plan import Planned, plan_cycle
from halo_forge.raft.engine import Engine, check_run_memory, open_engine
from halo_forge.raft.guards import HeldOut, length_drift, notices, stand, why_stop
from halo_forge.raft.work import check_work, early_notices, read_work, split_prompts
from halo_forge.rollout.checking import Checker
from halo_forge.rollout.metrics import by_prompt, pass_values
from halo_forge.rollout.records import append_records, read_records, write_atomically
from halo_forge.rollout.rollout_file import RolloutFile
from halo_forge.runs.contamination import overlap_notices
from halo_forge.runs.plan import Plan
from halo_forge.runs.run_dir import (
    CYCLES_FILE,
    REMOVE_IT,
    SUMMARY_FILE,
    Run,
    is_complete,
    open_run,
    read_checkpoint,
)
from halo_forge.runs.summary import CycleSummary, RaftSummary

EngineFactory = Callable[[ModelRef, RaftTrainConfig, Run], Engine]


def train_raft(
    loaded: Loaded[RaftTrainConfig], listeners: tuple[Listener, ...] = (), engine_factory: EngineFactory | None = None
) -> RaftSummary:
    """Run the cycles that are not done yet, and publish the best.

    Everything the user could have got wrong is checked before anything is written.

    Args:
        engine_factory: makes the policy; by default a transformers model in this process, with or without servers.

    Raises:
        HaloError: see `core.errors`.
    """
    config = loaded.config
    work = read_work(config)
    if work.context is not None and (finished := _finished(config)) is not None:
        return finished
    checked = check_work(work, config) if engine_factory is None else Checked()
    split = split_prompts(work, checked, config)
    with (
        open_checkers(config) as checkers,
        open_run("raft", loaded, config.output, work.inputs, judge=checkers.judge, listeners=listeners) as run,
    ):
        run.write_prompts([*split.train, *split.holdout])
        for notice in [*early_notices(config, split, checked), *overlap_notices(work.inputs)]:
            run.events.notice(notice)
        ran = _run_cycles(run, config, split, work.start, checkers, engine_factory or open_engine)
        return _publish(run, config, split, work.start, checkers.main, ran)


def plan_raft(loaded: Loaded[RaftTrainConfig]) -> Plan:
    """Check everything `train_raft` needs, write nothing, and say how much work it would be."""
    from halo_forge.training.memory import describe_fit

    config = loaded.config
    work = read_work(config)
    split = split_prompts(work, check_work(work, config), config)
    start, context = work.start, work.context
    with open_checkers(config) as checkers:
        return Plan(
            (
                ("start", start.name if start.adapter is None else f"{start.name} on {start.base}"),
                ("prompts", f"{len(split.train)} to train on, {len(split.holdout)} held out"),
                ("verifier", f"{_names(checkers)}, sandbox {checkers.main.tier}"),
                ("a cycle", f"{len(split.train) * config.samples_per_prompt} completions to draw and verify"),
                ("cycles", str(config.cycles)),
                ("memory", describe_fit(check_run_memory(work.start, config))),
                ("output", f"{config.output} ({'continues ' + context.run_id if context else 'new'})"),
            )
        )


def completed_cycles(folder: Path) -> list[CycleSummary]:
    """Summaries of the cycles that are done, cycle 0 (the start model) first."""
    return list(read_records(folder / CYCLES_FILE, CycleSummary))


def _finished(config: RaftTrainConfig) -> RaftSummary | None:
    """Return the summary if the run has ended, it is of all cycles on disk and no other is to follow."""
    file = config.output / SUMMARY_FILE
    if not is_complete(config.output) or not file.is_file():
        return None
    summary, done = RaftSummary.model_validate_json(file.read_bytes()), completed_cycles(config.output)
    if len(summary.cycles) < len(done):
        return None
    if len(done) > config.cycles:
        return summary
    held_out = [_held_out(config, number) for number in range(len(done))]
    stopped = why_stop(stand(held_out, config.seed), config.patience)
    return summary if stopped and summary.stopped else None


def _held_out(config: RaftTrainConfig, cycle: int) -> HeldOut:
    groups = by_prompt(RolloutFile(config.output / "rollouts" / f"holdout_{cycle}.jsonl").sketches())
    k = config.samples_per_prompt
    return HeldOut(pass_values(groups, 1), pass_values(groups, k), k)


class _Ran(NamedTuple):
    """What the cycles came to.

    Args:
        cycles: the start model's first.
        held_out: of the same cycles.
        stopped: why there are fewer than asked for.
    """

    cycles: list[CycleSummary]
    held_out: list[HeldOut]
    stopped: str | None


def _run_cycles(
    run: Run,
    config: RaftTrainConfig,
    split: Split,
    start: ModelRef,
    checkers: Checkers,
    engine_factory: EngineFactory,
) -> _Ran:
    run.drop_torn(CYCLES_FILE)
    done = _still_trained(run, completed_cycles(run.path))
    held_out = [_held_out(config, number) for number in range(len(done))]
    trained = max((n for n in range(1, len(done) + 1) if read_checkpoint(run.checkpoint(n))), default=0)
    ref = resolve_model(str(run.checkpoint(trained))) if trained else start
    try:
        engine = engine_factory(ref, config, run)
    except ModelError as error:
        if not trained:
            raise
        raise ModelError(f"{error}; {REMOVE_IT.format(folder=run.checkpoint(trained))}") from error
    for number in range(len(done), config.cycles + 1):
        if stopped := why_stop(stand(held_out, config.seed), config.patience):
            run.events.notice(f"stopped after cycle {number - 1} of {config.cycles}: {stopped}", cycle=number - 1)
            return _Ran(done, held_out, stopped)
        begun = time.perf_counter()
        steps = sum(cycle.training.steps for cycle in done if cycle.training)
        planned = plan_cycle(run, config, split.train, number) if number else Planned(config, [])
        cycle = Cycle(number, run, config, planned, split.train, split.holdout, engine, checkers, steps).finish()
        held_out.append(_held_out(config, number))
        seconds = {**cycle.seconds, "all": time.perf_counter() - begun}
        done.append(cycle.model_copy(update={"seconds": seconds, "length_drift": length_drift([*done, cycle])}))
        _announce(run, done[-1])
        for notice in notices(done, held_out, config.seed):
            run.events.notice(notice)
        append_records(run.path / CYCLES_FILE, done[-1:])
        run.stop.check()
    return _Ran(done, held_out, None)


def _announce(run: Run, cycle: CycleSummary) -> None:
    drawn, held = cycle.rollouts, cycle.holdout
    figures: dict[str, Any] = {}
    for prefix, metrics in (("", drawn), ("holdout_", held)):
        figures |= {f"{prefix}pass_at_{k}": e.value for k, e in metrics.pass_at.items()} if metrics else {}
        figures[f"{prefix}pass_at_1"] = metrics.pass_at["1"].value if metrics else None
        figures[f"{prefix}compile_rate"] = metrics.compile_rate.value if metrics else None
        if metrics:
            figures |= {f"{prefix}distinct_{n}": share for n, share in metrics.distinct.items()}
            figures[f"{prefix}entropy"] = metrics.entropy.value
            figures[f"{prefix}mean_tokens"] = metrics.mean_tokens
            figures[f"{prefix}unverifiable_share"] = metrics.unverifiable_share
            figures[f"{prefix}truncated_share"] = metrics.truncated_share
    run.events.emit(
        EventType.CYCLE_FINISHED, cycle=cycle.cycle, kept=cycle.kept, length_drift=cycle.length_drift, **figures
    )


def _still_trained(run: Run, done: list[CycleSummary]) -> list[CycleSummary]:
    """Go back to the last cycle whose weights are there; those after it are trained again on what they drew."""
    last = len(done) - 1
    while last > 0 and read_checkpoint(run.checkpoint(last)) is None:
        last -= 1
    gone = [str(cycle.cycle) for cycle in done[last + 1 :]]
    if gone:
        run.events.notice(f"the checkpoint of cycle {', '.join(gone)} is gone: trained again from what was kept")
        write_atomically(run.path / CYCLES_FILE, "".join(c.model_dump_json() + "\n" for c in done[: last + 1]))
    return done[: last + 1]


def _publish(
    run: Run,
    config: RaftTrainConfig,
    split: Split,
    start: ModelRef,
    checker: Checker,
    ran: _Ran,
) -> RaftSummary:
    best, why = choose_best(ran.cycles, ran.held_out, config.seed)
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
        cycles=tuple(ran.cycles),
        best_cycle=best,
        chosen_by=why,
        stopped=ran.stopped,
        wall_s=sum(cycle.seconds.get("all", 0.0) for cycle in ran.cycles),
    )
    write_atomically(run.path / SUMMARY_FILE, summary.model_dump_json(indent=2) + "\n")
    return summary


def _names(checkers: Checkers) -> str:
    return ", ".join(dict.fromkeys(checker.name for checker in checkers.by_verifier.values()))


def _link_or_copy(source: str, target: str) -> None:
    """Share the bytes where the file system can, as checkpoints are never written in place."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
