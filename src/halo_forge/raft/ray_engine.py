"""A policy that trains in this process and draws on a Ray cluster: after each cycle its replicas get its checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from halo_forge.config.raft import RaftTrainConfig
from halo_forge.config.tuning import TuningOptions
from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.seeds import derive
from halo_forge.core.types import Checkpoint, Sampling
from halo_forge.models.resolve import ModelRef
from halo_forge.raft.engine import LocalEngine, Start, load_start
from halo_forge.rollout.ray_generator import RayGenerator, open_ray_generator
from halo_forge.rollout.ray_replica import Weights, checkpoint_files
from halo_forge.runs.run_dir import Run

if TYPE_CHECKING:
    from halo_forge.generation.fingerprint import Fingerprint


class RayEngine(LocalEngine):
    """Trains here, draws there; the replicas answer with exactly the weights that are in memory here."""

    def __init__(self, ref: ModelRef, start: Start, config: RaftTrainConfig, run: Run) -> None:
        super().__init__(start.policy, config, run.events, run.stop, reference=start.reference, replay=start.replay)
        self._run = run
        self._tuning = TuningOptions.model_validate(config.model_dump(include=set(TuningOptions.model_fields)))
        first = self._weights("start", ref, _shipped(ref, run))
        self._replicas: RayGenerator = run.resources.enter_context(
            open_ray_generator(config.ray_address, config, first)
        )
        self._confirm()
        self.generator = self._replicas

    def save(self, folder: Path, checkpoint: Checkpoint) -> None:
        """Write the current weights and have the replicas draw with them.

        Raises:
            EnvironmentFault: none can, or they compute something else.
        """
        super().save(folder, checkpoint)
        ref = ModelRef(self.base, str(folder)) if self.kind == "adapter" else ModelRef(str(folder))
        self._replicas.serve(self._weights(f"cycle_{checkpoint.cycle}", ref, checkpoint_files(folder)))
        self._confirm()

    def _weights(self, label: str, ref: ModelRef, files: dict[str, bytes] | None) -> Weights:
        return Weights(label, ref, files, self._tuning, derive(self._config.seed, "adapter"))

    def _confirm(self) -> None:
        """Compare what the replicas draw with what the local model does."""
        from halo_forge.generation.agreement import measure_gap
        from halo_forge.generation.fingerprint import fingerprint
        from halo_forge.training.parts import put_together

        put_together(self._policy)
        for notice in self._replicas.take_notices():
            self._run.events.notice(notice)
        theirs, ours = self._replicas.agreed, fingerprint(self._policy)
        many = f"{self._replicas.lanes} replicas on Ray"
        if theirs == ours:
            self._run.events.notice(f"{many} draw exactly what the local model does")
            return
        sampling = Sampling(temperature=0.7, max_new_tokens=self._config.max_new_tokens)
        gap = measure_gap(self._replicas, self._policy, sampling).drawn
        if gap > self._config.max_logprob_gap:
            raise EnvironmentFault(
                f"the replicas' log-probabilities are {gap:.3g} nats a token from the local model's, where "
                f"{self._config.max_logprob_gap:g} are allowed: they have other weights or a much coarser precision. "
                "Put the same model files on every node, or allow more with --max-logprob-gap"
            )
        self._run.events.notice(
            f"{many} are {gap:.2g} nats a token from the local model ({_told(theirs)}; here {_told(ours)}): with "
            "--executor local the same seed may draw other completions"
        )


def open_ray_engine(ref: ModelRef, config: RaftTrainConfig, run: Run) -> RayEngine:
    """Load the policy to train, and put replicas of it on the cluster before anything is drawn."""
    return RayEngine(ref, load_start(ref, config, run.events), config, run)


def _shipped(ref: ModelRef, run: Run) -> dict[str, bytes] | None:
    """Files that other nodes need not have: those of an adapter, and of a checkpoint of this run."""
    last = Path(ref.adapter or ref.base)
    if last.is_dir() and (ref.adapter is not None or run.path.resolve() in last.resolve().parents):
        return checkpoint_files(last)
    return None


def _told(found: Fingerprint) -> str:
    return f"{found.device}, {found.threads} threads, torch {found.torch}"
