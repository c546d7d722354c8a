"""Supervised fine-tuning: rows of a file or of the catalogue, the loss on the assistant's tokens only."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING, NamedTuple

from halo_forge.config.load import Loaded
from halo_forge.config.sft import SftTrainConfig
from halo_forge.core.events import EventType, Listener
from halo_forge.core.protocols import TrainingRow
from halo_forge.core.seeds import derive
from halo_forge.core.types import Checkpoint, Conversation
from halo_forge.data import load_conversations
from halo_forge.models.check import check_model
from halo_forge.models.resolve import ModelRef, resolve_model
from halo_forge.rollout.records import write_atomically
from halo_forge.runs.contamination import overlap_notices
from halo_forge.runs.launch import InputFile, hash_file, model_inputs
from halo_forge.runs.plan import Plan
from halo_forge.runs.run_dir import SUMMARY_FILE, Run, check_output, is_complete, open_run, read_checkpoint
from halo_forge.runs.summary import SftSummary, TrainingFigures
from halo_forge.training.rendering import describe_dropped, render

if TYPE_CHECKING:
    from halo_forge.models.load import Policy


class _Source(NamedTuple):
    """The conversations, what was already left out of them or noted, and where they came from."""

    rows: list[Conversation]
    dropped: dict[str, int]
    noted: dict[str, int]
    inputs: dict[str, InputFile]


def train_sft(loaded: Loaded[SftTrainConfig], listeners: tuple[Listener, ...] = ()) -> SftSummary:
    """Train, or go on from the last saved state, and write `final_model`.

    Raises:
        HaloError: see `core.errors`.
    """
    from halo_forge.training.memory import check_memory

    config = loaded.config
    start = resolve_model(config.model)
    source = _load(config, start, listeners)
    context = check_output(config.output, "sft", config, source.inputs)
    if context is not None and is_complete(config.output):
        return SftSummary.model_validate_json((config.output / SUMMARY_FILE).read_bytes())
    check_model(start, config)
    fit = check_memory(start, config, config, processes=config)
    with open_run("sft", loaded, config.output, source.inputs, listeners=listeners) as run:
        if fit is not None and fit.advice:
            run.events.notice(f"training may not fit into memory: {fit.text}; {fit.advice}")
        for said in overlap_notices(source.inputs):
            run.events.notice(said)
        return _train(run, config, start, source)


def plan_sft(loaded: Loaded[SftTrainConfig]) -> Plan:
    """Check everything `train_sft` needs, write nothing, and say how much work it would be."""
    from halo_forge.training.batches import count_steps
    from halo_forge.training.memory import check_memory, describe_fit

    config = loaded.config
    start = resolve_model(config.model)
    source = _load(config, start)
    context = check_output(config.output, "sft", config, source.inputs)
    check_model(start, config)
    steps = count_steps(len(source.rows), config.batch_size, config.epochs, config.max_steps)
    return Plan(
        (
            ("start", start.name),
            ("rows", f"{len(source.rows)}{describe_dropped(source.dropped)}"),
            (
                "training",
                f"{config.tuning}, {steps} steps of {config.batch_size} rows, rate {config.peak_learning_rate:g}",
            ),
            ("memory", describe_fit(check_memory(start, config, config, processes=config))),
            ("output", f"{config.output} ({'continues ' + context.run_id if context else 'new'})"),
        )
    )


def _load(config: SftTrainConfig, start: ModelRef, listeners: tuple[Listener, ...] = ()) -> _Source:
    if config.data_file is not None:
        loaded = load_conversations(config.data_file, max_samples=config.max_samples, seed=config.seed)
        file = hash_file(config.data_file, len(loaded.conversations))
        inputs = {"data": file, **model_inputs(start, config)}
        return _Source(loaded.conversations, loaded.dropped, loaded.noted, inputs)
    from halo_forge.data.hub import load_catalogue_conversations

    assert config.dataset is not None
    fetched = load_catalogue_conversations(config.dataset, config.max_samples, config.seed, listeners)
    file = InputFile(path=config.dataset, sha256=fetched.revision or "", rows=len(fetched.conversations))
    inputs = {"dataset": file, **model_inputs(start, config)}
    return _Source(fetched.conversations, fetched.dropped, fetched.noted, inputs)


def _train(run: Run, config: SftTrainConfig, start: ModelRef, source: _Source) -> SftSummary:
    from halo_forge.models.load import load_policy

    begun = time.perf_counter()
    policy = load_policy(start, config, config, seed=derive(config.seed, "adapter"))
    for adjustment in policy.adjustments:
        run.events.notice(adjustment)
    limit = min(config.max_length, policy.context_length or config.max_length)
    rows, dropped = render(source.rows, policy.chat, limit)
    dropped = {**source.dropped, **dropped}
    if dropped:
        run.events.notice(f"{len(rows)} rows are trained on{describe_dropped(dropped)}")
    for note, count in source.noted.items():
        run.events.notice(f"{count} rows: {note}")
    figures = _trained_before(run)
    if figures is None:
        figures = _learn(run, config, policy, rows)
    summary = SftSummary(
        run_id=run.context.run_id,
        model=start.name,
        seed=config.seed,
        rows=len(rows),
        dropped=dropped,
        training=figures,
        wall_s=time.perf_counter() - begun,
    )
    write_atomically(run.path / SUMMARY_FILE, summary.model_dump_json(indent=2) + "\n")
    return summary


def _trained_before(run: Run) -> TrainingFigures | None:
    """Figures of a training that was over when the run was killed, so that it is not done again."""
    done = read_checkpoint(run.final_model)
    if done is None or done.run_id != run.context.run_id:
        return None
    shutil.rmtree(run.training_state, ignore_errors=True)
    return TrainingFigures.model_validate(done.metrics)


def _learn(run: Run, config: SftTrainConfig, policy: Policy, rows: list[TrainingRow]) -> TrainingFigures:
    from halo_forge.models.save import save_checkpoint
    from halo_forge.training.parts import gather
    from halo_forge.training.settings import TrainSettings
    from halo_forge.training.trainer import PolicyTrainer

    settings = TrainSettings.from_options(
        config,
        learning_rate=config.peak_learning_rate,
        batch_size=config.batch_size,
        epochs=config.epochs,
        max_steps=config.max_steps,
        schedule=config.schedule,
    )
    trainer = PolicyTrainer(policy, settings, run.events, run.stop)
    report = trainer.train(rows, seed=derive(config.seed, "train"), cycle=0, state_folder=run.training_state)
    figures = TrainingFigures(
        rows=len(rows),
        steps=report.steps,
        learnt_tokens=report.learnt_tokens,
        mean_loss=report.mean_loss,
        last_loss=report.last_loss,
        learning_rate=config.peak_learning_rate,
        weight_change=report.weight_change,
    )
    checkpoint = Checkpoint(
        kind="adapter" if policy.is_adapter else "full",
        base_model=policy.base,
        run_id=run.context.run_id,
        cycle=0,
        step=report.steps,
        metrics=figures.model_dump(),
    )
    save_checkpoint(policy, run.final_model, checkpoint, gather(policy))
    shutil.rmtree(run.training_state, ignore_errors=True)
    run.events.emit(EventType.CHECKPOINT, path=str(run.final_model))
    return figures
