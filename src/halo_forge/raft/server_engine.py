"""A policy that trains in this process and draws on servers: after each cycle they get its adapter."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from halo_forge.config.raft import RaftTrainConfig
from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.types import Checkpoint, Sampling
from halo_forge.models.resolve import ModelRef
from halo_forge.raft.engine import LocalEngine, Start, load_start
from halo_forge.runs.run_dir import Run, read_checkpoint

if TYPE_CHECKING:
    from halo_forge.generation.server import ServerGenerator

START_ADAPTER = "start_adapter"


class ServerEngine(LocalEngine):
    """Trains here, draws there; the servers answer with exactly the weights that are in memory here."""

    def __init__(self, start: Start, config: RaftTrainConfig, run: Run, servers: ServerGenerator) -> None:
        super().__init__(start.policy, config, run.events, run.stop, reference=start.reference, replay=start.replay)
        self._run = run
        self._servers = servers
        self.generator = servers

    def save(self, folder: Path, checkpoint: Checkpoint) -> None:
        """Write the current weights and have the servers answer with them."""
        super().save(folder, checkpoint)
        self.publish(folder, f"cycle_{checkpoint.cycle}")

    def publish(self, folder: Path, label: str) -> None:
        """Load an adapter, which must hold the current weights, on every server, and compare what it computes.

        Raises:
            EnvironmentFault: a server cannot load it, is away for too long, or computes something else; or the
                objective needs log-probabilities that it does not give.
        """
        from halo_forge.generation.adapters import name_adapter
        from halo_forge.generation.agreement import confirm
        from halo_forge.training.parts import put_together

        config, run_id = self._config, self._run.context.run_id
        for problem in self._servers.serve(name_adapter(folder, run_id, label), run_id):
            self._events.notice(problem)
        samplings = [
            Sampling(temperature=temperature, top_p=top_p, top_k=top_k, max_new_tokens=config.max_new_tokens)
            for temperature, top_p, top_k in config.samplings()
        ]
        put_together(self._policy)
        self._events.notice(confirm(self._servers, self._policy, samplings, config.max_logprob_gap))
        if (config.uses_ratios or config.kl_coefficient) and not self._servers.keeps_logprobs:
            raise EnvironmentFault(
                f"--objective {config.objective} with --kl-coefficient {config.kl_coefficient} needs the "
                "log-probability of each sampled token, and the servers give none that can be used (the note above "
                "says why): start vLLM with --logprobs-mode processed_logprobs, or take --objective raft without a "
                "coefficient"
            )


def open_server_engine(ref: ModelRef, config: RaftTrainConfig, run: Run) -> ServerEngine:
    """Load the policy to train, find the servers, and put the policy's adapter on them before anything is drawn."""
    from halo_forge.generation.connect import open_servers
    from halo_forge.models.renderers.base import MediaFormat

    start = load_start(ref, config, run.events)
    chat, context = start.policy.chat, start.policy.context_length
    assert not isinstance(chat, MediaFormat), "check_generator refuses these"
    servers = open_servers(config, chat, context, run.events, run.stop)
    engine = ServerEngine(start, config, run, servers)
    engine.publish(*_start(ref, engine, run))
    return engine


def _start(ref: ModelRef, engine: ServerEngine, run: Run) -> tuple[Path, str]:
    """The folder of the adapter that the policy starts from; one that is new or from the Hub is written first."""
    if ref.adapter is not None and Path(ref.adapter).is_dir():
        folder = Path(ref.adapter)
        made = read_checkpoint(folder)
        ours = made is not None and made.run_id == run.context.run_id
        return folder, f"cycle_{made.cycle}" if made is not None and ours else "start"
    folder = run.path / START_ADAPTER
    start = Checkpoint(kind="adapter", base_model=engine.base, run_id=run.context.run_id, cycle=0, step=0)
    LocalEngine.save(engine, folder, start)
    return folder, "start"
