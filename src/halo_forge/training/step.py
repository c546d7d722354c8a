"""One optimiser step: a batch in as many parts as memory wants, its gradient normalised by the tokens of the whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import torch

from halo_forge.core.errors import ConfigError, EnvironmentFault
from halo_forge.core.protocols import TrainingRow
from halo_forge.models.load import Policy
from halo_forge.training.layout import Layout, lay_out
from halo_forge.training.likeness import likeness
from halo_forge.training.logprobs import TokenScorer, keeps_rows_apart
from halo_forge.training.micro_batch import is_out_of_memory
from halo_forge.training.objectives import OBJECTIVES, LearntTokens, divergence
from halo_forge.training.optimiser import Optimiser, WholeOptimiser
from halo_forge.training.orders import Batch, Begin, Likeness, Move, Order
from halo_forge.training.parts import gather, have_done, put, share_out, take_apart
from halo_forge.training.reference import Reference
from halo_forge.training.settings import LossSettings
from halo_forge.training.state import Held, sample_weights
from halo_forge.training.team import Team, computing, current_team


class StepResult(NamedTuple):
    """What a step found.

    Args:
        loss: mean over the learnt tokens of the batch.
        learnt: those tokens.
        gap: mean distance between the log-probabilities that drawn tokens came with and those of now; None without.
        divergence: mean k3 estimate of the divergence from the start model, None unless asked for.
    """

    loss: float
    learnt: int
    gap: float | None
    divergence: float | None


class Stepper:
    """Computes gradients of batches, and moves the weights.

    Where the model lies in parts, the stepper of the first process has those of the others do as it does.
    """

    def __init__(
        self, policy: Policy, settings: LossSettings, reference: Reference | None = None, *, packed: bool = False
    ) -> None:
        self._policy = policy
        self._settings = settings
        self._reference = reference
        self._packed = packed
        team = current_team()
        self._sharding = None if team is None else team.sharding
        if self._sharding is not None:
            _check_parts(self._sharding.name, reference, packed=packed)
            share_out(policy)
        self._scorer = TokenScorer(policy, None if self._sharding is None else self._sharding.whole(policy))
        if packed and policy.media is not None:
            raise ConfigError("--packing does not go with a model that hears or sees; leave it out")
        if packed and not keeps_rows_apart(policy.model):
            raise ConfigError(
                "--packing does not go with this model and its attention here: packed rows would see one another; "
                "leave it out"
            )
        self.weights: Mapping[str, torch.nn.Parameter] = policy.trained_weights
        self._likeness: Likeness | None = None
        self.scaler = torch.amp.GradScaler(policy.device.type, enabled=policy.autocast == torch.float16)
        self._optimiser: Optimiser | None = None

    def begin(self, learning_rate: float, weight_decay: float) -> None:
        """Start with a new optimiser."""
        sharding = have_done(self._policy, Begin(learning_rate, weight_decay, self._settings))
        if sharding is None:
            self._optimiser = WholeOptimiser(self.weights, learning_rate, weight_decay, self.scaler)
        else:
            self._optimiser = sharding.optimiser(self._policy, learning_rate, weight_decay)

    def hold(self) -> Held:
        """The weights and the optimiser's state as they are, whole."""
        with computing():
            weights = gather(self._policy) or self.weights
            return Held(weights, self.hold_optimiser())

    def hold_optimiser(self) -> dict[str, Any]:
        """The optimiser's state, whole."""
        assert self._optimiser is not None
        have_done(self._policy, Order.HOLD)
        return self._optimiser.hold()

    def restore(self, held: Held) -> None:
        """Go back to weights and an optimiser's state."""
        with computing():
            put(self._policy, held.weights)
            self.restore_optimiser(held.optimiser)

    def restore_optimiser(self, saved: dict[str, Any] | None) -> None:
        """Set the optimiser's state to one that the first process has."""
        assert self._optimiser is not None
        have_done(self._policy, Order.RESTORE)
        self._optimiser.restore(saved)

    def sample(self) -> torch.Tensor:
        """See `state.sample_weights`."""
        return sample_weights(gather(self._policy) or self.weights)

    def gradients(self, rows: Sequence[TrainingRow], size: int, seed: int) -> StepResult:
        """Leave the gradient of a batch in the weights.

        Args:
            size: rows in memory at once; any gives the same sum, up to rounding.
            seed: of the dropout.
        """
        learnt = sum(sum(row.learn) for row in rows)
        team = current_team()
        if team is None:
            torch.manual_seed(seed)
            sums = self._add_gradients(sorted(rows, key=lambda row: len(row.ids)), size, learnt)
        else:
            if self._likeness is None and self._sharding is None:
                self._likeness = likeness(self._policy, self._reference)
            scale = self.scaler.get_scale()
            batch = Batch(rows, size, seed, learnt, scale, self._settings, self._packed, self._likeness)
            take_apart(self._policy)
            team.ask(batch, self.weights)
            sums = self.help_with(team, batch)
        total, drawn, gap, away = sums.tolist()
        return StepResult(
            total / learnt,
            learnt,
            gap / drawn if drawn else None,
            away / drawn if drawn and self._reference else None,
        )

    def help_with(self, team: Team, batch: Batch) -> torch.Tensor:
        """Compute the gradient of this process's share of a batch and add all shares up; see `Team.add_up`."""
        torch.manual_seed(batch.seed + team.rank)
        for weight in self.weights.values():
            weight.grad = None
        if self._sharding is not None:
            return self._help_in_parts(team, batch)
        ran_out = torch.zeros(1, device=self._policy.device)
        sums = torch.zeros(4, device=self._policy.device)
        try:
            sums = self._add_gradients(team.share(batch.rows), batch.size, batch.learnt, batch.scale)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            ran_out += 1
        return team.add_up(self.weights, torch.cat([sums, ran_out]))[:-1]

    def _help_in_parts(self, team: Team, batch: Batch) -> torch.Tensor:
        """Go through the model as often as the process with most rows does; gradients are added up on the way."""
        mine, size = team.share(batch.rows), batch.size
        most = -(-len(batch.rows) // team.size)
        sums = torch.zeros(4, device=self._policy.device)
        assert self._optimiser is not None
        try:
            with computing():
                for start in range(0, most, size):
                    rows = mine[start : start + size]
                    loss, *others = self.loss_sums(rows or batch.rows[:1])
                    self._optimiser.backward(loss / batch.learnt * bool(rows))
                    sums += torch.stack([loss.detach(), *others]) * bool(rows)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            raise EnvironmentFault(
                f"memory ran out with {size} rows at once: lower --micro-batch or --max-length, or give "
                "--gradient-checkpointing; processes that hold a model in parts cannot try again with fewer rows"
            ) from error
        return team.total(sums)

    def _add_gradients(
        self, rows: Sequence[TrainingRow], size: int, learnt: int, scale: float | None = None
    ) -> torch.Tensor:
        """Add the gradient of some rows to the weights' own.

        Args:
            rows: those of like length side by side.
            learnt: tokens that the loss is normalised by.
            scale: of the loss, where it is not the scaler's.

        Returns:
            (4,) sums of loss, drawn tokens, their gap, and their divergence.
        """
        sums = torch.zeros(4, device=self._policy.device)
        for start in range(0, len(rows), size):
            loss, *others = self.loss_sums(rows[start : start + size])
            scaled = self.scaler.scale(loss / learnt) if scale is None else loss / learnt * scale
            scaled.backward()  # type: ignore[no-untyped-call]
            sums += torch.stack([loss.detach(), *others])
        return sums

    def loss_sums(self, rows: Sequence[TrainingRow]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Loss summed over the learnt tokens of some rows, and without gradients the other sums of a step.

        Returns:
            Loss with its gradient, drawn tokens, their distance from the old log-probabilities, their divergence from
            the start model; float32 scalars.
        """
        device = self._policy.device
        layout = self._lay_out(rows).to(device)
        tokens, temperatures = self._tokens(rows, layout)
        with self._autocast():
            if self._reference is not None:
                with self._reference.in_place(self._policy):
                    tokens = tokens._replace(reference=self._scorer(layout, temperatures))
            tokens = tokens._replace(logprobs=self._scorer(layout, temperatures))
        loss = OBJECTIVES[self._settings.objective](tokens, self._settings.clip_range)
        away = torch.zeros((), device=device)
        if tokens.reference is not None:
            away = divergence(tokens)
            loss = loss + self._settings.kl_coefficient * away
        gap = torch.where(tokens.drawn, (tokens.logprobs.detach() - tokens.old).abs(), 0.0).sum()
        return loss, tokens.drawn.sum(), gap, away.detach()

    def _lay_out(self, rows: Sequence[TrainingRow]) -> Layout:
        layout = lay_out(rows, self._policy.chat.pad_id, packed=self._packed)
        if self._policy.media is None:
            return layout
        return layout._replace(tensors=self._policy.media_tensors([row.media for row in rows], layout.ids))

    def _tokens(self, rows: Sequence[TrainingRow], layout: Layout) -> tuple[LearntTokens, torch.Tensor | None]:
        """What comes with the learnt tokens, and the temperatures at which the objective compares probabilities."""
        device, count = layout.ids.device, len(layout.targets)
        drawn = torch.tensor([bool(row.old_logprobs) for row in rows], device=device)[layout.rows]
        old = torch.zeros(count, device=device)
        old[drawn] = torch.tensor([value for row in rows for value in row.old_logprobs], device=device)
        weights = torch.tensor([row.weight for row in rows], device=device)[layout.rows]
        temperatures = None
        if self._settings.objective != "raft" and any(row.temperature != 1 for row in rows if row.old_logprobs):
            each = [row.temperature if row.old_logprobs else 1.0 for row in rows]
            temperatures = torch.tensor(each, device=device)[layout.rows]
        return LearntTokens(torch.empty(0), weights, old, drawn), temperatures

    def _autocast(self) -> AbstractContextManager[None]:
        if self._policy.autocast is None:
            return nullcontext()
        context: AbstractContextManager[None] = torch.autocast(self._policy.device.type, self._policy.autocast)
        return context

    def move(self, rate: float, max_grad_norm: float) -> None:
        """Let the optimiser use the gradients, and clear them."""
        assert self._optimiser is not None
        have_done(self._policy, Move(rate, max_grad_norm))
        with computing():
            self._optimiser.move(rate, max_grad_norm)


def compute_layers_twice(policy: Policy) -> None:
    """Keep no activations within layers, which are computed again for the backward pass."""
    policy.model.activation_checkpointing_enable()
    policy.model.enable_input_require_grads()


def _check_parts(name: str, reference: Reference | None, *, packed: bool) -> None:
    if reference is not None:
        raise ConfigError(f"--kl-coefficient does not go with {name} here: have each process hold the whole model")
    if packed:
        raise ConfigError(f"--packing does not go with {name} here; leave it out")
