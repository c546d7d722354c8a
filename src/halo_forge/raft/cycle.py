"""One RAFT cycle: draw and verify, select, train, measure."""

from __future__ import annotations

import shutil
import time
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain
from typing import NamedTuple

from halo_forge.config.raft import RaftTrainConfig
from halo_forge.core.errors import DataError
from halo_forge.core.events import EventType
from halo_forge.core.protocols import TrainingReport, TrainingRow
from halo_forge.core.seeds import derive
from halo_forge.core.types import Checkpoint, Prompt, Rollout, Sampling
from halo_forge.models.renderers.base import Misfit
from halo_forge.raft.checkers import Checkers
from halo_forge.raft.cycle_plan import Planned, settings_in_force, temperature_of_cycle
from halo_forge.raft.engine import LEAST_STEPS, Engine
from halo_forge.raft.objective import select_groups
from halo_forge.raft.select import Selection, SelectionRules, select
from halo_forge.rollout.collect import Collected, CollectPlan, collect
from halo_forge.rollout.decision import Decision
from halo_forge.rollout.metrics import Metrics, measure
from halo_forge.rollout.records import read_records, write_atomically
from halo_forge.rollout.rollout_file import RolloutFile
from halo_forge.rollout.sketch import Sketch
from halo_forge.runs.run_dir import Run, read_checkpoint
from halo_forge.runs.summary import CycleSummary, TrainingFigures
from halo_forge.training.batches import count_steps


@dataclass(frozen=True)
class Cycle:
    """A cycle's number and everything it works with; cycle 0 only measures the start model.

    Args:
        config: the run's settings; the held-out slice is measured with these, so that its figures can be compared.
        plan: the settings and the prompts of this cycle.
        prompts: all that are trained on.
    """

    number: int
    run: Run
    config: RaftTrainConfig
    plan: Planned
    prompts: Sequence[Prompt]
    holdout: Sequence[Prompt]
    engine: Engine
    checkers: Checkers
    steps_before: int

    def finish(self) -> CycleSummary:
        """Do what of the cycle is not on disk yet.

        Raises:
            DataError: nothing was worth keeping, so there is nothing to learn from.
            Interrupted, TooManyFaults: see `collect`.
        """
        if self.number == 0:
            summary = CycleSummary(cycle=0)
        else:
            drawn = self._collect("cycle", "generate", self.plan.prompts, self.plan.settings, self.number - 1)
            selection = self._select(drawn.rollouts)
            begun = time.perf_counter()
            figures = self._train(selection)
            timing = drawn.timing
            summary = CycleSummary(
                cycle=self.number,
                rollouts=_measure(drawn.rollouts, self.plan.settings),
                kept=len(selection.kept),
                threshold=selection.threshold,
                settings=settings_in_force(self.plan.settings),
                training=figures,
                reuse=timing.reuse,
                seconds={
                    "generate": timing.generate_s,
                    "verify": timing.verify_s,
                    "collect": timing.wall_s,
                    "train": time.perf_counter() - begun,
                },
            )
        if self.holdout:
            measured = self._collect("holdout", "evaluate", self.holdout, self.config, self.number)
            summary = summary.model_copy(
                update={
                    "holdout": _measure(measured.rollouts, self.config),
                    "seconds": {**summary.seconds, "evaluate": measured.timing.wall_s},
                }
            )
        return summary

    def _collect(
        self, name: str, phase: str, prompts: Sequence[Prompt], config: RaftTrainConfig, policy: int
    ) -> Collected:
        plan = CollectPlan(
            path=self.run.rollouts(f"{name}_{self.number}"),
            sampling=Sampling(
                n=config.samples_per_prompt,
                temperature=config.temperature,
                top_p=config.top_p,
                top_k=config.top_k,
                max_new_tokens=config.max_new_tokens,
            ),
            rows_per_chunk=config.generation_batch,
            seed=derive(config.seed, phase, self.number),
            policy=f"cycle_{policy}",
            cycle=self.number,
            phase=phase,
            max_fault_rate=config.max_fault_rate,
        )
        checker = self.checkers.judging(config)
        return collect(prompts, self.engine.generator, checker, plan, self.run.events, self.run.stop)

    def _select(self, rollouts: Sequence[Sketch]) -> Selection:
        config = self.plan.settings
        if config.learns_from_wrong:
            selection = select_groups(rollouts, config, config.reward_threshold)
        else:
            rules = SelectionRules(
                config.reward_threshold,
                config.keep_fraction,
                config.max_kept_per_prompt,
                config.max_kept_if_solved,
                config.min_samples,
                config.select,
                config.keep_duplicates,
            )
            selection = select(rollouts, rules, derive(config.seed, "select", self.number))
        path = self.run.kept(self.number)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, "".join(d.model_dump_json() + "\n" for d in selection.decisions))
        if selection.threshold < config.reward_threshold and config.select == "reward":
            self.run.events.notice(
                f"cycle {self.number}: the reward threshold was lowered from {config.reward_threshold:.4g} to "
                f"{selection.threshold:.4g} to reach --min-samples {config.min_samples}"
            )
        if len(selection.kept) < (config.min_samples or 0):
            self.run.events.notice(
                f"cycle {self.number}: {len(selection.kept)} completions are kept, fewer than --min-samples "
                f"{config.min_samples}: no other whole and distinct one earned a reward and is within its prompt's cap"
            )
        return selection

    def _train(self, selection: Selection) -> TrainingFigures:
        done = read_checkpoint(self.run.checkpoint(self.number))
        if done is not None:  # trained before a kill; the engine holds these weights already
            return TrainingFigures.model_validate(done.metrics)
        rows = self._rows(selection)
        if not rows:
            reasons = Counter(decision.reason.value.removeprefix("dropped: ") for decision in selection.decisions)
            raise DataError(
                f"cycle {self.number} kept none of {len(selection.decisions)} completions "
                f"({', '.join(f'{count} {reason}' for reason, count in reasons.most_common())}): give easier prompts, "
                "more --samples-per-prompt or --max-new-tokens, a better start model, a lower --reward-threshold "
                f"than {self.plan.settings.reward_threshold:.4g}, or --min-samples"
            )
        if self.config.start_from == "base" and self.number > 1:
            self.engine.restart()
        rate = self.plan.settings.peak_learning_rate
        amount = self._amount(len(rows))
        report = self.engine.train(
            rows,
            learning_rate=rate,
            batch_size=amount.batch_size,
            epochs=amount.epochs,
            seed=derive(self.config.seed, "train", self.number),
            cycle=self.number,
            state=self.run.training_state,
        )
        figures = _figures(report, len(rows), rate)
        if report.weight_change == 0:
            self.run.events.notice(f"cycle {self.number}: training moved no weight; raise --learning-rate")
        self._save(figures)
        return figures

    def _save(self, figures: TrainingFigures) -> None:
        folder = self.run.checkpoint(self.number)
        checkpoint = Checkpoint(
            kind=self.engine.kind,
            base_model=self.engine.base,
            run_id=self.run.context.run_id,
            cycle=self.number,
            step=self.steps_before + figures.steps,
            metrics=figures.model_dump(),
        )
        self.engine.save(folder, checkpoint)
        shutil.rmtree(self.run.training_state, ignore_errors=True)
        self.run.events.emit(EventType.CHECKPOINT, cycle=self.number, path=str(folder))

    def _rows(self, selection: Selection) -> list[TrainingRow]:
        """Rows of this cycle's kept completions, and with `accumulate` those of the earlier cycles before them.

        Of completions with the same tokens one is trained on, unless copies were to be kept.
        """
        config = self.config
        weights = {(d.prompt_id, d.index): d.weight for d in selection.decisions if d.weight != 1}
        before = self._kept_before() if config.accumulate else ()
        chosen = chain(before, RolloutFile(self.run.rollouts(f"cycle_{self.number}")).read(selection.kept))
        by_id = {prompt.id: prompt for prompt in self.prompts}
        temperatures = {n: temperature_of_cycle(self.run, self.config, n) for n in range(1, self.number + 1)}
        rows: dict[tuple[str, object], TrainingRow] = {}
        left_out: Counter[str] = Counter()
        for rollout in chosen:
            prompt_id, completion = rollout.prompt_id, rollout.completion
            copy = (rollout.cycle, completion.index)
            key = (prompt_id, copy if config.keeps_copies else _fingerprint(completion.token_ids))
            weight = weights.get((prompt_id, completion.index), 1.0)
            drawn_at = temperatures[rollout.cycle]
            try:
                row = self.engine.row(by_id[prompt_id], completion, weight=weight, temperature=drawn_at)
            except Misfit as misfit:
                left_out[str(misfit)] += 1
                continue
            if len(row.ids) > self.config.max_length:
                left_out[f"longer than --max-length {self.config.max_length} tokens with their prompt"] += 1
            else:
                rows.setdefault(key, row)
        for reason, count in left_out.items():
            self.run.events.notice(f"cycle {self.number}: {count} kept completions are not trained on: {reason}")
        return list(rows.values())

    def _kept_before(self) -> Iterator[Rollout]:
        for number in range(1, self.number):
            kept = {
                (decision.prompt_id, decision.index)
                for decision in read_records(self.run.kept(number), Decision)
                if decision.kept
            }
            drawn = RolloutFile(self.run.rollouts(f"cycle_{number}"))
            yield from drawn.read(r for r in drawn.sketches() if (r.prompt_id, r.number) in kept)

    def _amount(self, rows: int) -> Amount:
        asked = Amount(self.config.batch_size, self.plan.settings.epochs)
        amount = enough_steps(rows, asked)
        if amount != asked:
            passes = "" if amount.epochs == asked.epochs else f" and {amount.epochs:.3g} passes over them"
            self.run.events.notice(
                f"cycle {self.number}: {rows} rows are too few for batches of {asked.batch_size}; trained in batches "
                f"of {amount.batch_size}{passes} to take at least {LEAST_STEPS} steps"
            )
        return amount


class Amount(NamedTuple):
    """How much a cycle trains: rows an optimiser step, and passes over the rows."""

    batch_size: int
    epochs: float


def enough_steps(rows: int, asked: Amount) -> Amount:
    """Return what was asked for where that makes steps enough, else the largest batch that does, else more passes."""
    for size in range(asked.batch_size, 0, -1):
        if count_steps(rows, size, asked.epochs) >= LEAST_STEPS:
            return asked._replace(batch_size=size)
    return Amount(1, LEAST_STEPS / rows)


def _fingerprint(tokens: Sequence[int]) -> bytes:
    """16 bytes that stand for a completion's tokens, which would be held a second time as a key."""
    return blake2b(array("q", tokens).tobytes(), digest_size=16).digest()


def _measure(rollouts: Sequence[Sketch], config: RaftTrainConfig) -> Metrics:
    return measure(rollouts, sorted({1, config.samples_per_prompt}), config.seed)


def _figures(report: TrainingReport, rows: int, rate: float) -> TrainingFigures:
    return TrainingFigures(
        rows=rows,
        steps=report.steps,
        learnt_tokens=report.learnt_tokens,
        mean_loss=report.mean_loss,
        last_loss=report.last_loss,
        learning_rate=rate,
        weight_change=report.weight_change,
    )
