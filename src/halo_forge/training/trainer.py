"""The training loop: AdamW on completion tokens, the loss normalised by token over the whole batch.

After a kill the loop goes on from its last saved state with the same batches, and on one CPU machine ends with the same
weights, bit for bit.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from halo_forge.core.errors import DataError, EnvironmentFault
from halo_forge.core.events import EventLog, EventType
from halo_forge.core.protocols import TrainingReport, TrainingRow
from halo_forge.core.seeds import derive
from halo_forge.core.stop import StopRequest
from halo_forge.models.load import Policy
from halo_forge.training.batches import count_steps, plan_batches
from halo_forge.training.micro_batch import MicroBatch, is_out_of_memory
from halo_forge.training.reference import Reference
from halo_forge.training.schedule import learning_rate_at
from halo_forge.training.settings import TrainSettings
from halo_forge.training.state import Progress, StateFile, fingerprint
from halo_forge.training.step import Stepper, StepResult, compute_layers_twice
from halo_forge.training.team import current_team, watch_over

EVENT_SECONDS = 0.5
MICRO_BATCH_FILE = "micro_batch.json"
# Mean distance of log-probabilities, in nats, that rounding in 16 bits does not explain.
NOTABLE_GAP = 0.05


class PolicyTrainer:
    """Trains the trainable weights of a policy; see `core.protocols.Trainer`.

    Args:
        reference: the start model, where the loss has a term that asks for it.
    """

    def __init__(
        self,
        policy: Policy,
        settings: TrainSettings,
        events: EventLog,
        stop: StopRequest,
        reference: Reference | None = None,
    ) -> None:
        self._policy = policy
        self._settings = settings
        self._events = events
        self._stop = stop
        watch_over(stop)
        self._stepper = Stepper(policy, settings.loss, reference, packed=settings.packing)
        if settings.gradient_checkpointing:
            compute_layers_twice(policy)

    def train(self, rows: Sequence[TrainingRow], *, seed: int, cycle: int, state_folder: Path) -> TrainingReport:
        """Train on the rows; see the protocol.

        Raises:
            DataError: no rows, or rows that the objective cannot learn from.
            EnvironmentFault: not even one row at once fits into memory.
        """
        settings = self._settings
        _check(rows)
        steps = count_steps(len(rows), settings.batch_size, settings.epochs, settings.max_steps)
        batches = plan_batches([len(row.ids) for row in rows], settings.batch_size, steps, seed)
        self._stepper.begin(settings.learning_rate, settings.weight_decay)
        micro_batch = MicroBatch(
            state_folder.with_name(MICRO_BATCH_FILE), min(settings.micro_batch or len(rows), settings.batch_size)
        )
        state = StateFile(state_folder, fingerprint(rows, replace(settings, save_steps=1), seed, cycle))
        if state.unreadable:
            self._events.notice(
                f"the training state in {state_folder} cannot be read: this round of training starts again"
            )
        team = current_team()
        if team is not None:
            holds = " and holds a part of the model" if team.in_parts else ""
            self._events.notice(f"{team.size} processes train together; each computes its share of every batch{holds}")
            if team.in_parts and self._policy.device.type != "cpu":
                self._events.notice(
                    "a model in parts was tried out on processors only: compare the first losses with those of a run "
                    "in which each process holds the whole model"
                )
        before = state.before if state.before is not None else self._stepper.sample()
        progress = state.load(self._stepper)
        self._events.emit(EventType.PHASE_STARTED, cycle=cycle, phase="train", total=steps, done=progress.step)
        self._policy.model.train()
        started, shown = time.perf_counter() - progress.wall_s, 0.0
        while progress.step < steps:
            batch = [rows[i] for i in batches[progress.step]]
            rate = learning_rate_at(
                progress.step, steps, settings.learning_rate, settings.warmup_ratio, settings.schedule
            )
            result = self._step(batch, rate, derive(seed, progress.step), cycle, progress, micro_batch)
            progress.wall_s = time.perf_counter() - started
            last = progress.step == steps
            if last or progress.wall_s - shown >= EVENT_SECONDS:
                shown = progress.wall_s
                self._report(progress, result, steps, rate, cycle)
            if not last and (self._stop.requested or progress.step % settings.save_steps == 0):
                state.save(self._stepper, progress, before)
                self._stop.check()
        self._policy.model.eval()
        self._events.emit(EventType.PHASE_FINISHED, cycle=cycle, phase="train", wall_s=progress.wall_s)
        return TrainingReport(
            steps=steps,
            tokens=progress.tokens,
            learnt_tokens=progress.learnt_tokens,
            mean_loss=progress.loss_sum / progress.learnt_tokens,
            last_loss=progress.last_loss,
            weight_change=_relative_change(before, self._stepper.sample()),
            wall_s=progress.wall_s,
        )

    def _step(
        self,
        rows: list[TrainingRow],
        rate: float,
        seed: int,
        cycle: int,
        progress: Progress,
        micro_batch: MicroBatch,
    ) -> StepResult:
        result = self._gradients(rows, seed, cycle, progress.step, micro_batch)
        if progress.step == 0 and self._settings.loss.objective != "raft" and (result.gap or 0) > NOTABLE_GAP:
            self._events.notice(
                f"the log-probabilities stored with the completions are {result.gap:.2g} a token from this model's: "
                "was another temperature, precision or policy behind them? Importance ratios are off by as much"
            )
        self._stepper.move(rate, self._settings.max_grad_norm)
        progress.step += 1
        progress.tokens += sum(len(row.ids) for row in rows)
        progress.learnt_tokens += result.learnt
        progress.loss_sum += result.loss * result.learnt
        progress.last_loss = result.loss
        return result

    def _gradients(
        self, rows: list[TrainingRow], seed: int, cycle: int, step: int, micro_batch: MicroBatch
    ) -> StepResult:
        """Gradients of a batch, with fewer rows at once whenever memory runs out."""
        while True:
            size = min(micro_batch.at(cycle, step), len(rows))
            try:
                return self._stepper.gradients(rows, size, seed)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
            # Only here has the error, and with it every tensor of the failed pass, been let go of.
            for weight in self._stepper.weights.values():
                weight.grad = None
            if self._policy.device.type == "cuda":
                torch.cuda.empty_cache()
            fewer = micro_batch.halve(cycle, step, size)
            if fewer is None:
                longest = max(len(row.ids) for row in rows)
                raise EnvironmentFault(
                    f"memory ran out at step {step + 1} with one row of {longest} tokens at once: lower --max-length, "
                    "give --gradient-checkpointing, or train an adapter (--tuning lora or qlora)"
                )
            self._events.notice(
                f"memory ran out at step {step + 1} with {size} rows at once: from here on {fewer} at once, which "
                f"gives the same gradients in more time; --micro-batch {fewer} has that from the start"
            )

    def _report(self, progress: Progress, result: StepResult, steps: int, rate: float, cycle: int) -> None:
        extra = {"logprob_gap": result.gap, "divergence": result.divergence}
        self._events.emit(
            EventType.STEP,
            cycle=cycle,
            phase="train",
            step=progress.step,
            total=steps,
            loss=progress.last_loss,
            learning_rate=rate,
            tokens_per_s=progress.tokens / progress.wall_s if progress.wall_s else None,
            **{name: value for name, value in extra.items() if value is not None},
        )


def _check(rows: Sequence[TrainingRow]) -> None:
    if not rows:
        raise DataError("there are no rows to train on")
    for row in rows:
        if row.old_logprobs and len(row.old_logprobs) != sum(row.learn):
            raise DataError(
                f"a row learns {sum(row.learn)} tokens and brings {len(row.old_logprobs)} log-probabilities; "
                "each learnt token needs its own"
            )
        if row.weight < 0 and not row.old_logprobs:
            raise DataError(
                f"a row of weight {row.weight} brings no log-probabilities: moving away from it has no bound without"
            )


def _relative_change(before: torch.Tensor, after: torch.Tensor) -> float:
    norm = float(before.norm())
    return float((after - before).norm()) / norm if norm else 0.0
