"""The training loop: AdamW on completion tokens, the loss normalised by token over the whole batch.

Logits are computed only where a token is learnt. After a kill the loop goes on from its last saved state with the same
batches, and on one CPU machine ends with the same weights, bit for bit.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from halo_forge.config.tuning import TuningOptions
from halo_forge.core.errors import DataError
from halo_forge.core.events import EventLog, EventType
from halo_forge.core.protocols import TrainingReport, TrainingRow
from halo_forge.core.seeds import derive
from halo_forge.core.stop import StopRequest
from halo_forge.models.load import Policy
from halo_forge.training.batches import count_steps, plan_batches
from halo_forge.training.schedule import Schedule, learning_rate_at
from halo_forge.training.state import Progress, StateFile, fingerprint, sample_weights

IGNORED = -100
BETAS = (0.9, 0.95)  # a short memory of squared gradients suits rounds of few steps
EVENT_SECONDS = 0.5


@dataclass(frozen=True)
class TrainSettings:
    """How a round of training runs; the units are those of `config.tuning.TuningOptions`."""

    learning_rate: float
    batch_size: int
    epochs: float
    max_steps: int | None = None
    micro_batch: int | None = None
    schedule: Schedule = "cosine"
    warmup_ratio: float = 0.05
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    gradient_checkpointing: bool = False
    save_steps: int = 200

    @classmethod
    def from_options(
        cls,
        options: TuningOptions,
        *,
        learning_rate: float,
        batch_size: int,
        epochs: float,
        max_steps: int | None = None,
        schedule: Schedule,
    ) -> TrainSettings:
        """Take what the options fix and what the loop decides."""
        return cls(
            learning_rate=learning_rate,
            batch_size=batch_size,
            epochs=epochs,
            max_steps=max_steps,
            micro_batch=options.micro_batch,
            schedule=schedule,
            warmup_ratio=options.warmup_ratio,
            weight_decay=options.weight_decay,
            max_grad_norm=options.max_grad_norm,
            gradient_checkpointing=options.gradient_checkpointing,
            save_steps=options.save_steps,
        )


class PolicyTrainer:
    """Trains the trainable weights of a policy; see `core.protocols.Trainer`."""

    def __init__(self, policy: Policy, settings: TrainSettings, events: EventLog, stop: StopRequest) -> None:
        self._policy = policy
        self._settings = settings
        self._events = events
        self._stop = stop
        self._weights = {n: p for n, p in policy.model.named_parameters() if p.requires_grad}
        self._sliced = _slices_logits(policy.model)
        if settings.gradient_checkpointing:
            policy.model.activation_checkpointing_enable()
            policy.model.enable_input_require_grads()

    def train(self, rows: Sequence[TrainingRow], *, seed: int, cycle: int, state_folder: Path) -> TrainingReport:
        """Train on the rows; see the protocol.

        Raises:
            DataError: no rows.
        """
        if not rows:
            raise DataError("there are no rows to train on")
        settings = self._settings
        steps = count_steps(len(rows), settings.batch_size, settings.epochs, settings.max_steps)
        batches = plan_batches([len(row.ids) for row in rows], settings.batch_size, steps, seed)
        optimiser = torch.optim.AdamW(
            self._weights.values(),
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
            betas=BETAS,
            fused=True,
        )
        state = StateFile(state_folder, fingerprint(rows, replace(settings, save_steps=1), seed, cycle))
        if state.unreadable:
            self._events.notice(
                f"the training state in {state_folder} cannot be read: this round of training starts again"
            )
        before = state.sample_before(self._weights)
        progress = state.load(self._weights, optimiser)
        self._events.emit(EventType.PHASE_STARTED, cycle=cycle, phase="train", total=steps, done=progress.step)
        self._policy.model.train()
        started, shown = time.perf_counter() - progress.wall_s, 0.0
        while progress.step < steps:
            rate = learning_rate_at(
                progress.step, steps, settings.learning_rate, settings.warmup_ratio, settings.schedule
            )
            self._step(
                [rows[i] for i in batches[progress.step]], optimiser, rate, derive(seed, progress.step), progress
            )
            progress.wall_s = time.perf_counter() - started
            last = progress.step == steps
            if last or progress.wall_s - shown >= EVENT_SECONDS:
                shown = progress.wall_s
                self._report(progress, steps, rate, cycle)
            if not last and (self._stop.requested or progress.step % settings.save_steps == 0):
                state.save(self._weights, optimiser, progress, before)
                self._stop.check()
        self._policy.model.eval()
        self._events.emit(EventType.PHASE_FINISHED, cycle=cycle, phase="train", wall_s=progress.wall_s)
        return TrainingReport(
            steps=steps,
            tokens=progress.tokens,
            learnt_tokens=progress.learnt_tokens,
            mean_loss=progress.loss_sum / progress.learnt_tokens,
            last_loss=progress.last_loss,
            weight_change=_relative_change(before, sample_weights(self._weights)),
            wall_s=progress.wall_s,
        )

    def _step(
        self,
        rows: list[TrainingRow],
        optimiser: torch.optim.Optimizer,
        rate: float,
        seed: int,
        progress: Progress,
    ) -> None:
        torch.manual_seed(seed)
        for group in optimiser.param_groups:
            group["lr"] = rate
        learnt = sum(sum(row.learn) for row in rows)
        weight = sum(sum(row.learn) * row.weight for row in rows)
        size = self._settings.micro_batch or len(rows)
        total = 0.0
        for start in range(0, len(rows), size):
            part = sorted(rows[start : start + size], key=lambda row: len(row.ids))
            with self._autocast():
                loss = self._loss_sum(part) / weight
            loss.backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
        torch.nn.utils.clip_grad_norm_(list(self._weights.values()), self._settings.max_grad_norm)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        progress.step += 1
        progress.tokens += sum(len(row.ids) for row in rows)
        progress.learnt_tokens += learnt
        progress.loss_sum += total * learnt
        progress.last_loss = total

    def _loss_sum(self, rows: Sequence[TrainingRow]) -> torch.Tensor:
        """Weighted negative log-likelihood of the learnt tokens, summed over the batch: a float32 scalar."""
        device, longest = self._policy.device, max(len(row.ids) for row in rows)
        pad = self._policy.chat.pad_id
        ids = torch.tensor([[*row.ids, *[pad] * (longest - len(row.ids))] for row in rows], device=device)
        mask = None
        if any(len(row.ids) != longest for row in rows):
            mask = torch.tensor([[1] * len(row.ids) + [0] * (longest - len(row.ids)) for row in rows], device=device)
        labels = torch.tensor(
            [
                [token if learn else IGNORED for token, learn in zip(row.ids, row.learn, strict=True)]
                + [IGNORED] * (longest - len(row.ids))
                for row in rows
            ],
            device=device,
        )[:, 1:]
        places = (labels != IGNORED).any(dim=0).nonzero()[:, 0]
        inputs: dict[str, Any] = {"input_ids": ids, "attention_mask": mask, "use_cache": False}
        if self._sliced:
            logits = self._policy.model(**inputs, logits_to_keep=places).logits
        else:
            logits = self._policy.model(**inputs).logits[:, places]
        losses = cross_entropy(
            logits.float().flatten(0, 1), labels[:, places].flatten(), ignore_index=IGNORED, reduction="none"
        )
        weights = torch.tensor([row.weight for row in rows], device=device)
        return (losses.view(len(rows), -1) * weights[:, None]).sum()

    def _autocast(self) -> AbstractContextManager[None]:
        if self._policy.autocast is None:
            return nullcontext()
        context: AbstractContextManager[None] = torch.autocast(self._policy.device.type, self._policy.autocast)
        return context

    def _report(self, progress: Progress, steps: int, rate: float, cycle: int) -> None:
        self._events.emit(
            EventType.STEP,
            cycle=cycle,
            phase="train",
            step=progress.step,
            total=steps,
            loss=progress.last_loss,
            learning_rate=rate,
            tokens_per_s=progress.tokens / progress.wall_s if progress.wall_s else None,
        )


def _slices_logits(model: Any) -> bool:
    inner = model.get_base_model() if "peft_config" in vars(model) else model
    return "logits_to_keep" in inspect.signature(inner.forward).parameters


def _relative_change(before: torch.Tensor, after: torch.Tensor) -> float:
    norm = float(before.norm())
    return float((after - before).norm()) / norm if norm else 0.0
