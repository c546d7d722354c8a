"""The policy of a RAFT run: what draws, what trains, and how it is kept on disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from halo_forge.config.raft import RaftTrainConfig
from halo_forge.core.events import EventLog
from halo_forge.core.protocols import Generator, TrainingReport, TrainingRow
from halo_forge.core.stop import StopRequest
from halo_forge.core.types import Checkpoint, Completion, Prompt
from halo_forge.models.resolve import ModelRef

if TYPE_CHECKING:
    from halo_forge.models.load import Policy

LEAST_STEPS = 4


class Engine(Protocol):
    """Everything the loop needs from a model."""

    @property
    def generator(self) -> Generator:
        """Draws from the current weights."""
        ...

    @property
    def base(self) -> str:
        """Hub id or folder of the weights below the trained ones."""
        ...

    @property
    def kind(self) -> Literal["adapter", "full"]:
        """`adapter` or `full`."""
        ...

    def row(self, prompt: Prompt, completion: Completion) -> TrainingRow:
        """Tokens of a completion after its prompt."""
        ...

    def train(
        self, rows: Sequence[TrainingRow], *, learning_rate: float, batch_size: int, seed: int, cycle: int, state: Path
    ) -> TrainingReport:
        """Train the current weights on the rows of a cycle."""
        ...

    def save(self, folder: Path, checkpoint: Checkpoint) -> None:
        """Write the current weights."""
        ...


class LocalEngine:
    """A transformers model in this process."""

    def __init__(self, policy: Policy, config: RaftTrainConfig, events: EventLog, stop: StopRequest) -> None:
        from halo_forge.generation.transformers import TransformersGenerator

        self._policy = policy
        self._config = config
        self._events = events
        self._stop = stop
        self.generator: Generator = TransformersGenerator(policy)
        self.base = policy.base
        self.kind: Literal["adapter", "full"] = "adapter" if policy.is_adapter else "full"

    def row(self, prompt: Prompt, completion: Completion) -> TrainingRow:
        """See the protocol."""
        return self._policy.chat.completion_row(prompt.messages, completion.token_ids)

    def train(
        self, rows: Sequence[TrainingRow], *, learning_rate: float, batch_size: int, seed: int, cycle: int, state: Path
    ) -> TrainingReport:
        """See the protocol."""
        from halo_forge.training.trainer import PolicyTrainer, TrainSettings

        settings = TrainSettings.from_options(
            self._config,
            learning_rate=learning_rate,
            batch_size=batch_size,
            epochs=self._config.epochs,
            schedule="constant",
        )
        trainer = PolicyTrainer(self._policy, settings, self._events, self._stop)
        return trainer.train(rows, seed=seed, cycle=cycle, state_folder=state)

    def save(self, folder: Path, checkpoint: Checkpoint) -> None:
        """See the protocol."""
        from halo_forge.models.save import save_checkpoint

        save_checkpoint(self._policy, folder, checkpoint)


def open_engine(ref: ModelRef, config: RaftTrainConfig, events: EventLog, stop: StopRequest) -> LocalEngine:
    """Load the policy and say what was adjusted on the way."""
    from halo_forge.core.seeds import derive
    from halo_forge.models.load import load_policy

    policy = load_policy(ref, config, config, seed=derive(config.seed, "adapter"))
    for adjustment in policy.adjustments:
        events.notice(adjustment)
    return LocalEngine(policy, config, events, stop)
