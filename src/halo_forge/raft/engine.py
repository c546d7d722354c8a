"""The policy of a RAFT run: what draws, what trains, and how it is kept on disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from halo_forge.config.raft import RaftTrainConfig
from halo_forge.core.errors import DataError
from halo_forge.core.events import EventLog
from halo_forge.core.protocols import Generator, TrainingReport, TrainingRow
from halo_forge.core.stop import StopRequest
from halo_forge.core.types import Checkpoint, Completion, Prompt
from halo_forge.models.resolve import ModelRef, resolve_model
from halo_forge.raft.replay import draw_replay
from halo_forge.runs.run_dir import Run

if TYPE_CHECKING:
    from halo_forge.models.load import Policy
    from halo_forge.training.memory import Fit
    from halo_forge.training.reference import Reference

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

    def row(
        self, prompt: Prompt, completion: Completion, *, weight: float = 1.0, temperature: float = 1.0
    ) -> TrainingRow:
        """Tokens of a completion after its prompt; see `TrainingRow` for the weight and the temperature."""
        ...

    def restart(self) -> None:
        """Take the weights that the run started from in place of the current ones."""
        ...

    def train(
        self,
        rows: Sequence[TrainingRow],
        *,
        learning_rate: float,
        batch_size: int,
        epochs: float,
        seed: int,
        cycle: int,
        state: Path,
    ) -> TrainingReport:
        """Train the current weights on the rows of a cycle."""
        ...

    def save(self, folder: Path, checkpoint: Checkpoint) -> None:
        """Write the current weights."""
        ...


class LocalEngine:
    """A transformers model in this process."""

    def __init__(
        self,
        policy: Policy,
        config: RaftTrainConfig,
        events: EventLog,
        stop: StopRequest,
        *,
        reference: Reference | None = None,
        replay: Sequence[TrainingRow] = (),
    ) -> None:
        from halo_forge.generation.choice import local_generator
        from halo_forge.training.parts import TogetherGenerator
        from halo_forge.training.team import watch_over

        watch_over(stop)
        self._policy = policy
        self._config = config
        self._events = events
        self._stop = stop
        self._reference = reference
        self._replay = replay
        self.generator: Generator = TogetherGenerator(policy, local_generator(policy))
        self.base = policy.base
        self.kind: Literal["adapter", "full"] = "adapter" if policy.is_adapter else "full"

    def row(
        self, prompt: Prompt, completion: Completion, *, weight: float = 1.0, temperature: float = 1.0
    ) -> TrainingRow:
        """See the protocol.

        Raises:
            DataError: the objective compares log-probabilities and the completion brings none.
        """
        config = self._config
        if (config.uses_ratios or config.kl_coefficient) and len(completion.logprobs) != len(completion.token_ids):
            raise DataError(
                f"a completion of prompt '{completion.prompt_id}' brings {len(completion.logprobs)} log-probabilities "
                f"for {len(completion.token_ids)} tokens; --objective {config.objective} with --kl-coefficient "
                f"{config.kl_coefficient} needs one each: take --objective raft without a coefficient"
            )
        row = self._policy.chat.completion_row(prompt.messages, completion.token_ids, prompt.tools)
        return row._replace(weight=weight, old_logprobs=completion.logprobs, temperature=temperature)

    def restart(self) -> None:
        """See the protocol."""
        assert self._reference is not None
        self._reference.restore(self._policy)

    def train(
        self,
        rows: Sequence[TrainingRow],
        *,
        learning_rate: float,
        batch_size: int,
        epochs: float,
        seed: int,
        cycle: int,
        state: Path,
    ) -> TrainingReport:
        """See the protocol."""
        from halo_forge.training.settings import LossSettings, TrainSettings
        from halo_forge.training.trainer import PolicyTrainer

        config = self._config
        replayed = draw_replay(self._replay, config.replay_share, len(rows), seed)
        settings = TrainSettings.from_options(
            config,
            learning_rate=learning_rate,
            batch_size=batch_size,
            epochs=epochs,
            schedule="constant",
            loss=LossSettings(config.objective, config.clip_range, config.kl_coefficient),
        )
        reference = self._reference if config.kl_coefficient else None
        trainer = PolicyTrainer(self._policy, settings, self._events, self._stop, reference)
        return trainer.train([*rows, *replayed], seed=seed, cycle=cycle, state_folder=state)

    def save(self, folder: Path, checkpoint: Checkpoint) -> None:
        """See the protocol."""
        from halo_forge.models.save import save_checkpoint
        from halo_forge.training.parts import gather

        save_checkpoint(self._policy, folder, checkpoint, gather(self._policy))


class Start(NamedTuple):
    """What an engine is made of."""

    policy: Policy
    reference: Reference | None
    replay: Sequence[TrainingRow]


def check_run_memory(start: ModelRef, config: RaftTrainConfig) -> Fit | None:
    """See whether a run fits into memory; see `training.memory.check_memory`."""
    from halo_forge.training.memory import Generation, check_memory

    rows = 0 if config.generator == "server" else config.generation_batch
    drawing = Generation(rows, config.kl_coefficient > 0 or config.start_from == "base")
    return check_memory(start, config, config, drawing, config)


def open_engine(ref: ModelRef, config: RaftTrainConfig, run: Run) -> Engine:
    """Load the policy, and find the servers or the nodes if they are to draw."""
    if config.generator == "server":
        from halo_forge.raft.server_engine import open_server_engine

        return open_server_engine(ref, config, run)
    if config.executor == "ray":
        from halo_forge.raft.ray_engine import open_ray_engine

        return open_ray_engine(ref, config, run)
    start = load_start(ref, config, run.events)
    return LocalEngine(start.policy, config, run.events, run.stop, reference=start.reference, replay=start.replay)


def load_start(ref: ModelRef, config: RaftTrainConfig, events: EventLog) -> Start:
    """Load the policy to train, and what the objective needs beside it, and say what was adjusted on the way."""
    from halo_forge.core.seeds import derive
    from halo_forge.models.load import load_policy
    from halo_forge.training.parts import share_out
    from halo_forge.training.reference import Reference

    fit = check_run_memory(ref, config)
    if fit is not None and fit.advice:
        events.notice(f"the run may not fit into memory: {fit.text}; {fit.advice}")
    seed, reference = derive(config.seed, "adapter"), None
    if config.kl_coefficient or config.start_from == "base":
        # Before the policy, so that the two are never whole in memory together.
        start = resolve_model(config.start, config.stated_base)
        reference = Reference(load_policy(start, config, config, seed=seed))
        events.notice(
            "the start model's trained weights are kept for --kl-coefficient or --start-from base: "
            f"{reference.size / 2**20:.0f} MiB"
        )
    policy = load_policy(ref, config, config, seed=seed)
    for adjustment in policy.adjustments:
        events.notice(adjustment)
    share_out(policy)
    return Start(policy, reference, _replay(policy, config, events))


def _replay(policy: Policy, config: RaftTrainConfig, events: EventLog) -> list[TrainingRow]:
    from halo_forge.data import load_conversations
    from halo_forge.training.rendering import describe_dropped, render

    if config.replay is None:
        return []
    limit = min(config.max_length, policy.context_length or config.max_length)
    rows, dropped = render(load_conversations(config.replay).conversations, policy.chat, limit)
    events.notice(
        f"{config.replay_share:.0%} of the rows each cycle trains on are drawn from the {len(rows)} of "
        f"{config.replay}{describe_dropped(dropped)}"
    )
    return rows
