"""Several processes that train together: the first leads the run, the others compute gradients for it.

The leader does everything that a process alone does: data, events, drawing, optimiser, states and checkpoints. For each
batch it sends the weights that are trained, each process computes the gradient of its share of the rows, and the leader
gets their sum, normalised by the tokens of the whole batch. The numbers are those of one process, up to the order of
addition, so a run may go on with another number of processes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.protocols import TrainingRow
from halo_forge.core.stop import StopRequest
from halo_forge.training.links import choose_network, give_up_silence
from halo_forge.training.micro_batch import CPU_MESSAGE
from halo_forge.training.orders import Asked, Batch, Failed, Order
from halo_forge.training.sharding import Sharding, asked_sharding

LONGEST_WAIT = timedelta(days=30)  # a leader may draw for long before it trains
LONGEST_MEETING = timedelta(minutes=15)  # until all processes have found one another
ENDED = (
    "another process of this training has ended, and its own words are above if it had any; "
    "the same command goes on from what is on disk"
)
Weights = Mapping[str, torch.nn.Parameter]
Sums = torch.Tensor


@dataclass
class Team:
    """The processes of a launcher; see `open_team`.

    Args:
        sharding: how each process holds a part of the model, None where it holds the whole.
        together: whether a model in parts is held whole for now.
        busy: whether the helpers are in the middle of something, where no word of the leader's is listened for.
    """

    rank: int
    size: int
    sharding: Sharding | None = None
    together: bool = False
    busy: bool = False

    @property
    def in_parts(self) -> bool:
        """Whether each process holds a part of the model, and not the whole of it."""
        return self.sharding is not None

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
        self.busy = True
        self.say(batch)
        self.confirm(None)
        if not self.in_parts:
            self.send(weights)

    def call_the_roll(self) -> None:
        """Find out between two batches whether every helper is still there.

        Raises:
            EnvironmentFault: one has ended.
        """
        self.say(Order.ANSWER)
        self.confirm(None)

    def hear(self) -> Asked:
        """Wait for what the leader asks for."""
        asked: list[Any] = [None]
        with _speaking():
            dist.broadcast_object_list(asked, src=0)
        heard: Asked = asked[0]
        return heard

    def say(self, asked: Asked) -> None:
        """Ask the helpers for something."""
        with _speaking():
            dist.broadcast_object_list([asked], src=0)

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
        with _speaking():
            dist.reduce(flat, dst=0)
        if self.leads:
            start = 0
            for weight, gradient in zip(weights.values(), gradients, strict=True):
                weight.grad = flat[start : start + len(gradient)].view_as(weight).to(weight.dtype)
                start += len(gradient)
        self.busy = False
        total = flat[len(flat) - len(sums) :]
        if self.leads and total[-1] > 0:
            raise RuntimeError(f"{CPU_MESSAGE}: {int(total[-1])} of {self.size} processes")
        return total

    def total(self, sums: Sums) -> Sums:
        """Sums of all processes, at the leader."""
        with _speaking():
            dist.reduce(sums, dst=0)
        self.busy = False
        return sums

    def send(self, weights: Weights) -> None:
        """Set every helper's weights to the leader's; all call this."""
        with torch.no_grad():
            flat = torch.cat([weight.reshape(-1) for weight in weights.values()])
            with _speaking():
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
        with _speaking():
            dist.gather_object(failure, said if self.leads else None, dst=0)
        first = next((each for each in said if each is not None), None)
        if first is not None:
            raise EnvironmentFault(f"a helping process cannot train: {first.text}")

    def close(self) -> None:
        """End the team: the leader lets the helpers go, or where they are busy leaves them to find it gone."""
        global _team
        if _team is self:
            _team = None
        if self.busy:
            return
        with suppress(RuntimeError):  # of processes that have died
            if self.leads:
                self.say(Order.LEAVE)
            dist.barrier()
            dist.destroy_process_group()


@contextmanager
def _speaking() -> Iterator[None]:
    """Put the silence of another process into words.

    Raises:
        EnvironmentFault: another process has ended.
    """
    try:
        yield
    except RuntimeError as error:
        raise EnvironmentFault(ENDED) from error


@contextmanager
def computing() -> Iterator[None]:
    """Do the same while all processes compute, where an error may be one's own.

    Raises:
        EnvironmentFault: another process has ended.
    """
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, dist.DistError) or "gloo/transport" in str(error):
            raise EnvironmentFault(ENDED) from error
        raise


_team: Team | None = None


def current_team() -> Team | None:
    """The team that this process belongs to, if there is one."""
    return _team


def watch_over(stop: StopRequest) -> None:
    """Have a stop looked into before it is obeyed: a launcher asks for one as well when a process has died."""
    if _team is not None:
        stop.confirm = _team.call_the_roll


def open_team() -> Team | None:
    """Join the processes that a launcher started, by the variables that it set; None for a process alone.

    Raises:
        ConfigError: accelerate's config asks for what is not done here.
        EnvironmentFault: the others cannot be reached.
    """
    global _team
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size < 2 or "RANK" not in os.environ:
        return None
    sharding = asked_sharding()
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    choose_network()
    try:
        dist.init_process_group(backend, timeout=LONGEST_MEETING)
        dist.distributed_c10d._set_pg_timeout(LONGEST_WAIT)
    except (RuntimeError, ValueError) as error:
        raise EnvironmentFault(f"the processes of the launcher cannot reach one another: {error}") from error
    give_up_silence()
    _team = Team(dist.get_rank(), size, sharding)
    return _team


def _gradient(weight: torch.nn.Parameter) -> torch.Tensor:
    return torch.zeros_like(weight) if weight.grad is None else weight.grad
