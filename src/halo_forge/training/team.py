"""Several processes that train together: the first leads the run, the others compute gradients for it.

The leader does everything that a process alone does: data, events, drawing, optimiser, states and checkpoints. For each
batch it sends the weights that are trained, each process computes the gradient of its share of the rows, and the leader
gets their sum, normalised by the tokens of the whole batch. The numbers are those of one process, up to the order of
addition, so a run may go on with another number of processes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

import torch
import torch.distributed as dist

from halo_forge.core.errors import ConfigError, EnvironmentFault, HaloError
from halo_forge.core.protocols import TrainingRow
from halo_forge.training.micro_batch import CPU_MESSAGE
from halo_forge.training.settings import LossSettings

LONGEST_WAIT = timedelta(days=30)  # a leader may draw for long before it trains
Weights = Mapping[str, torch.nn.Parameter]
Sums = torch.Tensor


class Batch(NamedTuple):
    """What a helper is asked for.

    Args:
        rows: of the whole batch.
        size: rows in memory at once.
        learnt: learnt tokens of the whole batch.
        scale: of the loss.
        shapes: of the weights that follow, by which two models that differ are found out.
    """

    rows: Sequence[TrainingRow]
    size: int
    seed: int
    learnt: int
    scale: float
    loss: LossSettings
    packed: bool
    shapes: dict[str, tuple[int, ...]]


class Failed(NamedTuple):
    """What a helper could not do, in words, and the name of its error."""

    error: str
    text: str


@dataclass
class Team:
    """The processes of a launcher; see `open_team`."""

    rank: int
    size: int

    @property
    def leads(self) -> bool:
        """Whether this process runs the command; the others only help."""
        return self.rank == 0

    def share(self, rows: Sequence[TrainingRow]) -> list[TrainingRow]:
        """This process's rows of a batch; the lengths of the shares are alike."""
        return sorted(rows, key=lambda row: len(row.ids))[self.rank :: self.size]

    def ask(self, batch: Batch, weights: Weights) -> None:
        """Have the helpers begin with a batch; each then calls `add_up`, and so does the leader.

        Raises:
            EnvironmentFault: a helper cannot.
        """
        dist.broadcast_object_list([batch], src=0)
        self.confirm(None)
        self._send(weights)

    def add_up(self, weights: Weights, sums: Sums) -> Sums:
        """Leave the sum of all gradients in the leader's weights.

        Args:
            sums: (S,) of this process; the last counts the processes that ran out of memory.

        Returns:
            The sums of all, at the leader.

        Raises:
            RuntimeError: a process ran out of memory, in the words by which that is known.
        """
        gradients = [_gradient(weight).reshape(-1) for weight in weights.values()]
        flat = torch.cat([*gradients, sums.to(gradients[0].dtype)])
        dist.reduce(flat, dst=0)
        if self.leads:
            start = 0
            for weight, gradient in zip(weights.values(), gradients, strict=True):
                weight.grad = flat[start : start + len(gradient)].view_as(weight).to(weight.dtype)
                start += len(gradient)
        total = flat[len(flat) - len(sums) :]
        if self.leads and total[-1] > 0:
            raise RuntimeError(f"{CPU_MESSAGE}: {int(total[-1])} of {self.size} processes")
        return total

    def receive(self, weights: Weights) -> None:
        """Take in the leader's weights."""
        self._send(weights)

    def _send(self, weights: Weights) -> None:
        with torch.no_grad():
            flat = torch.cat([weight.reshape(-1) for weight in weights.values()])
            dist.broadcast(flat, src=0)
            if not self.leads:
                start = 0
                for weight in weights.values():
                    weight.copy_(flat[start : start + weight.numel()].view_as(weight))
                    start += weight.numel()

    def confirm(self, failure: Failed | None) -> None:
        """Say whether this helper can do what is asked; the leader hears from all.

        Raises:
            HaloError: at the leader, what a helper could not do.
        """
        said: list[Failed | None] = [None] * self.size
        dist.gather_object(failure, said if self.leads else None, dst=0)
        first = next((each for each in said if each is not None), None)
        if first is not None:
            raise EnvironmentFault(f"a helping process cannot train: {first.text}")

    def close(self) -> None:
        """End the team between two batches; the leader lets the helpers go."""
        global _team
        if _team is self:
            _team = None
        with suppress(RuntimeError):  # of processes that have died
            if self.leads:
                dist.broadcast_object_list([None], src=0)
            dist.barrier()
            dist.destroy_process_group()


_team: Team | None = None


def current_team() -> Team | None:
    """The team that this process belongs to, if there is one."""
    return _team


def open_team() -> Team | None:
    """Join the processes that a launcher started, by the variables that it set; None for a process alone.

    Raises:
        ConfigError: accelerate's config asks for a model in parts.
        EnvironmentFault: the others cannot be reached.
    """
    global _team
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size < 2 or "RANK" not in os.environ:
        return None
    for name in ("FSDP", "DEEPSPEED"):
        if os.environ.get(f"ACCELERATE_USE_{name}", "false").lower() == "true":
            raise ConfigError(
                f"{name} is asked for by accelerate's config, and every process here holds the whole model: leave it "
                "out (accelerate launch --multi_gpu), or train a smaller model or an adapter (--tuning lora or qlora)"
            )
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    try:
        dist.init_process_group(backend, timeout=LONGEST_WAIT)
    except (RuntimeError, ValueError) as error:
        raise EnvironmentFault(f"the processes of the launcher cannot reach one another: {error}") from error
    _team = Team(dist.get_rank(), size)
    return _team


def help_out(team: Team, load: Callable[[], Any]) -> None:
    """Compute gradients for the leader until it lets go.

    Args:
        load: loads the policy as the leader does; called when the first batch is there.
    """
    from halo_forge.training.step import Stepper

    stepper: Stepper | None = None
    policy: Any = None
    while True:
        asked: list[Batch | None] = [None]
        dist.broadcast_object_list(asked, src=0)
        batch = asked[0]
        if batch is None:
            return
        failure = None
        try:
            policy = policy or load()
            stepper = Stepper(policy, batch.loss, packed=batch.packed)
            shapes = {name: tuple(weight.shape) for name, weight in stepper.weights.items()}
            if shapes != batch.shapes:
                raise EnvironmentFault("its model trains other weights than that of the first process")
        except HaloError as error:
            failure = Failed(type(error).__name__, str(error))
        team.confirm(failure)
        if failure is None and stepper is not None:
            team.receive(stepper.weights)
            policy.model.train()
            stepper.help_with(team, batch)


def _gradient(weight: torch.nn.Parameter) -> torch.Tensor:
    return torch.zeros_like(weight) if weight.grad is None else weight.grad
