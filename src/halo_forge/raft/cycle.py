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

from halo_forge.config.raft import RaftTrainConfig
from halo_forge.core.errors import DataError
from halo_forge.core.events import EventType
from halo_forge.core.protocols import TrainingReport, TrainingRow
from halo_forge.core.seeds import derive
from halo_forge.core.types import Checkpoint, Prompt, Rollout, Sampling
from halo_forge.raft.engine import LEAST_STEPS, Engine
from halo_forge.raft.objective import select_groups
from halo_forge.raft.select import Selection, SelectionRules, select
from halo_forge.rollout.checking import Checker
from halo_forge.rollout.collect import Collected, CollectPlan, collect
from halo_forge.rollout.decision import Decision
from halo_forge.rollout.metrics import Metrics, measure
from halo_forge.rollout.records import read_records, write_atomically
from halo_forge.rollout.rollout_file import RolloutFile
from halo_forge.rollout.sketch import Sketch
from halo_forge.runs.run_dir import Run, read_checkpoint
from halo_forge.runs.summary import CycleSummary, TrainingFigures


@dataclass(frozen=True)
class Cycle:
    """A cycle's number and everything it works with; cycle 0 only measures the start model."""

    number: int
    run: Run
    config: RaftTrainConfig
    prompts: Sequence[Prompt]
    holdout: Sequence[Prompt]
    engine: Engine
    checker: Checker
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
            drawn = self._collect("cycle", "generate", self.prompts, self.number - 1)
            selection = self._select(drawn.rollouts)
            begun = time.perf_counter()
            figures = self._train(selection)
            timing = drawn.timing
            summary = CycleSummary(
                cycle=self.number,
                rollouts=_measure(drawn.rollouts, self.config),
                kept=len(selection.kept),
                threshold=selection.threshold,
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
            measured = self._collect("holdout", "evaluate", self.holdout, self.number)
            summary = summary.model_copy(
                update={
                    "holdout": _measure(measured.rollouts, self.config),
                    "seconds": {**summary.seconds, "evaluate": measured.timing.wall_s},
                }
            )
        return summary

    def _collect(self, name: str, phase: str, prompts: Sequence[Prompt], policy: int) -> Collected:
        config = self.config
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
        return collect(prompts, self.engine.generator, self.checker, plan, self.run.events, self.run.stop)

    def _select(self, rollouts: Sequence[Sketch]) -> Selection:
        config = self.config
        if config.learns_from_wrong:
            selection = select_groups(rollouts, config, config.reward_threshold)
        else:
            rules = SelectionRules(
                config.reward_threshold,
                config.keep_fraction,
                config.max_kept_per_prompt,
                config.min_samples,
                config.select,
            )
            selection = select(rollouts, rules, derive(config.seed, "select", self.number))
        path = self.run.kept(self.number)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, "".join(d.model_dump_json() + "\n" for d in selection.decisions))
        if selection.threshold < config.reward_threshold and config.select == "reward":
            self.run.events.notice(
                f"cycle {self.number}: the reward threshold was lowered from {config.reward_threshold} to "
                f"{selection.threshold} to reach --min-samples {config.min_samples}; {len(selection.kept)} are kept"
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
                f"than {self.config.reward_threshold}, or --min-samples"
            )
        rate = self.config.peak_learning_rate * self.config.lr_decay ** (self.number - 1)
        report = self.engine.train(
            rows,
            learning_rate=rate,
            batch_size=self._batch_size(len(rows)),
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

        Of completions with the same tokens one is trained on, unless they stand for how often the policy says so.
        """
        config = self.config
        weights = {(d.prompt_id, d.index): d.weight for d in selection.decisions if d.weight != 1}
        before = self._kept_before() if config.accumulate else ()
        chosen = chain(before, RolloutFile(self.run.rollouts(f"cycle_{self.number}")).read(selection.kept))
        by_id = {prompt.id: prompt for prompt in self.prompts}
        rows: dict[tuple[str, object], TrainingRow] = {}
        too_long = 0
        for rollout in chosen:
            prompt_id, completion = rollout.prompt_id, rollout.completion
            key = (prompt_id, completion.index if config.learns_from_wrong else _fingerprint(completion.token_ids))
            weight = weights.get((prompt_id, completion.index), 1.0)
            row = self.engine.row(by_id[prompt_id], completion, weight=weight, temperature=config.temperature)
            if len(row.ids) > self.config.max_length:
                too_long += 1
            else:
                rows.setdefault(key, row)
        if too_long:
            self.run.events.notice(
                f"cycle {self.number}: {too_long} kept completions are longer than --max-length "
                f"{self.config.max_length} tokens with their prompt and are not trained on"
            )
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

    def _batch_size(self, rows: int) -> int:
        """The batch asked for, or a smaller one where that would leave too few optimiser steps to learn anything."""
        asked = self.config.batch_size
        if rows * self.config.epochs >= asked * LEAST_STEPS:
            return asked
        fitting = max(1, int(rows * self.config.epochs // LEAST_STEPS))
        if fitting < asked:
            self.run.events.notice(
                f"cycle {self.number}: {rows} rows are too few for batches of {asked}; trained in batches of {fitting} "
                f"to take about {LEAST_STEPS} steps"
            )
        return min(asked, fitting)


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
