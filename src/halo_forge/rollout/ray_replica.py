"""What draws on a node of a Ray cluster: a replica of the model, which answers with the weights it was told to take.

torch is imported only once the number of its threads has been fixed, as in a process of the command itself.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from halo_forge import __version__
from halo_forge.config.shared import LoadingOptions
from halo_forge.config.tuning import TuningOptions
from halo_forge.core.errors import ConfigError, EnvironmentFault
from halo_forge.core.types import Completion, Prompt, Record, Sampling
from halo_forge.models.resolve import ModelRef
from halo_forge.rollout.ray_cluster import code_digest, machine, refused
from halo_forge.rollout.wire import Refusal

if TYPE_CHECKING:
    from halo_forge.generation.transformers import TransformersGenerator

THREADS = "OMP_NUM_THREADS"


class Weights(NamedTuple):
    """What a replica is to answer with.

    Args:
        label: a name of their own, which each call repeats.
        ref: where they are on every node; what `files` brings stands in for its last part.
        files: name -> content of a checkpoint's files, an adapter's or those of a whole model.
        tuning: how the command loads them, where it trains them.
        seed: of a new adapter.
    """

    label: str
    ref: ModelRef
    files: Mapping[str, bytes] | None
    tuning: TuningOptions | None
    seed: int


class ReplicaReport(Record):
    """What a replica draws with; replicas that differ in anything might draw otherwise from the same seed.

    Args:
        torch, device, threads, answer: see `generation.fingerprint.Fingerprint`.
    """

    halo_forge: str
    machine: str
    torch: str
    device: str
    threads: int
    answer: str


class Replica:
    """The actor of a replica. Its methods raise nothing of ours: they return a `Refusal`."""

    def __init__(self) -> None:
        self._label = ""
        self._generator: TransformersGenerator | None = None

    def load(self, weights: Weights, loading: LoadingOptions, threads: str | None) -> ReplicaReport | Refusal:
        """Take in weights, and answer the probe with them.

        Args:
            threads: value of OMP_NUM_THREADS in the command's own environment.
        """
        try:
            if self._generator is None:
                _set_threads(threads)
            return self._load(weights, loading)
        except Exception as error:  # noqa: BLE001  whatever it is, the command says it with the node's name
            return refused(error)

    def generate(
        self, label: str, prompts: Sequence[Prompt], sampling: Sampling, seed: int
    ) -> list[Completion] | Refusal:
        """Answer a chunk; see `core.protocols.Generator`."""
        try:
            if self._generator is None or label != self._label:
                raise EnvironmentFault(f"a replica was asked for weights '{label}' and has '{self._label}'")
            return self._generator.generate(prompts, sampling, seed)
        except Exception as error:  # noqa: BLE001  as above
            return refused(error)

    def _load(self, weights: Weights, loading: LoadingOptions) -> ReplicaReport:
        from halo_forge.generation.fingerprint import fingerprint
        from halo_forge.generation.transformers import TransformersGenerator
        from halo_forge.models.load import load_policy

        self._generator, self._label = None, ""
        with _laid_out(weights) as ref:
            policy = load_policy(ref, loading, weights.tuning, weights.seed)
        if policy.media is not None:
            raise ConfigError("--executor ray takes models of text alone, and this one hears or sees: leave it out")
        report = ReplicaReport(
            halo_forge=f"{__version__} ({code_digest()})", machine=machine(), **dict(fingerprint(policy))
        )
        self._generator, self._label = TransformersGenerator(policy), weights.label
        return report

    def close(self) -> None:
        """Forget the weights."""
        self._generator = None


@contextmanager
def _laid_out(weights: Weights) -> Iterator[ModelRef]:
    """Write a checkpoint's files into a folder of this node for as long as they are read."""
    if weights.files is None:
        yield weights.ref
        return
    with tempfile.TemporaryDirectory(prefix="halo-forge-replica-") as folder:
        for name, content in weights.files.items():
            (Path(folder) / name).write_bytes(content)
        yield ModelRef(folder) if weights.ref.adapter is None else ModelRef(weights.ref.base, folder)


def checkpoint_files(folder: Path) -> dict[str, bytes]:
    """Content of a checkpoint's files by name."""
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir()) if file.is_file()}


def _set_threads(threads: str | None) -> None:
    """Undo what Ray does to its workers: it gives those without processors of their own one thread."""
    if threads is None:
        os.environ.pop(THREADS, None)
    else:
        os.environ[THREADS] = threads
