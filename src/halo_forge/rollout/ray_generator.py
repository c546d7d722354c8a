"""Drawing on the nodes of a Ray cluster, each with a replica of the model.

A chunk is drawn with its own seed by whichever replica is free: the same completions, whoever drew them. That holds
because replicas that answer a fixed prompt otherwise than the first one are refused.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from halo_forge.config.shared import LoadingOptions
from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.types import Completion, Prompt, Sampling
from halo_forge.models.resolve import ModelRef
from halo_forge.rollout.ray_cluster import Cluster, Node, check_address, connected, differences, raised
from halo_forge.rollout.ray_replica import THREADS, Replica, ReplicaReport, Weights, checkpoint_files
from halo_forge.rollout.wire import Refusal

if TYPE_CHECKING:
    from halo_forge.generation.fingerprint import Fingerprint

IDLE_PACE_S = 1.0
NODE_PATIENCE_S = 60.0
MOST_LOSSES = 4
NEEDS_ALIKE = (
    "The same seed must draw the same completions everywhere: give all nodes the same model files, torch, halo-forge, "
    "kind of processor and --threads, or leave the odd ones out of the cluster"
)


class _Place(NamedTuple):
    """Where a replica lives; a node has one, or one for each of its GPUs."""

    node: Node
    number: int


@dataclass(eq=False)
class _Working:
    """A replica that has the weights."""

    place: _Place
    actor: Any


class RayGenerator:
    """Draws completions on replicas; see `core.protocols.Generator` and `drawing.Replicated`.

    `serve` comes first. Several threads may have it draw at the same time.

    Args:
        loading: how the model is put into memory on every node.
    """

    def __init__(self, cluster: Cluster, loading: LoadingOptions) -> None:
        self._cluster = cluster
        self._loading = loading
        self._lock = threading.Lock()
        self._working: dict[_Place, _Working] = {}
        self._idle: queue.SimpleQueue[_Working] = queue.SimpleQueue()
        self._weights: Any = None
        self._label = ""
        self._agreed: ReplicaReport | None = None
        self._notices: list[str] = []

    @property
    def lanes(self) -> int:
        """Replicas that draw."""
        return len(self._working)

    @property
    def agreed(self) -> Fingerprint:
        """What every replica draws with and answers to the probe."""
        from halo_forge.generation.fingerprint import Fingerprint

        assert self._agreed is not None
        return Fingerprint.model_validate(self._agreed.model_dump(include=set(Fingerprint.model_fields)))

    def serve(self, weights: Weights) -> ReplicaReport:
        """Have every replica answer with these weights, those on nodes that are new included.

        Raises:
            HaloError: what loading them raised on a node, as itself.
            EnvironmentFault: no node can take a replica, or the replicas are not alike.
        """
        with self._lock:
            self._weights, self._label, self._agreed = self._cluster.put(weights), weights.label, None
            self._idle = queue.SimpleQueue()
            self._load(self._places())
            if self._agreed is None:
                raise EnvironmentFault("no node of the Ray cluster can take a replica of the model")
            return self._agreed

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling, seed: int) -> list[Completion]:
        """Answer one chunk; one whose node dies is drawn again elsewhere.

        Raises:
            HaloError: what drawing raised, as itself.
            EnvironmentFault: no replica is left, or the chunk was lost with several.
        """
        for _ in range(MOST_LOSSES + 1):
            replica = self._free()
            try:
                answer = self._cluster.get(replica.actor.generate.remote(self._label, prompts, sampling, seed))
            except self._cluster.errors as error:
                why = " ".join(str(error).split())[:200]
                self._lose(replica, f"{type(error).__name__}: {why}")
                continue
            self._idle.put(replica)
            if isinstance(answer, Refusal):
                raise raised(answer, replica.place.node)
            completions: list[Completion] = answer
            return completions
        raise EnvironmentFault(f"a chunk of {len(prompts)} prompts was lost with {MOST_LOSSES + 1} replicas ({why})")

    def take_notices(self) -> list[str]:
        """Return what a person should know, once."""
        with self._lock:
            notices, self._notices = self._notices, []
        return notices

    def close(self) -> None:
        """End the replicas."""
        self._cluster.end([replica.actor for replica in self._working.values()])
        self._working.clear()

    def _free(self) -> _Working:
        """Wait for a replica that draws nothing; when none is left, for nodes."""
        until = time.monotonic() + NODE_PATIENCE_S
        while True:
            try:
                return self._idle.get(timeout=IDLE_PACE_S)
            except queue.Empty:
                pass
            with self._lock:
                if self._working:
                    until = time.monotonic() + NODE_PATIENCE_S
                    continue
                if time.monotonic() > until:
                    raise EnvironmentFault(
                        f"no replica of the model has been left for {NODE_PATIENCE_S:g} s: start nodes, then the same "
                        "command continues"
                    )
                self._load(self._places())

    def _lose(self, replica: _Working, why: str) -> None:
        with self._lock:
            if self._working.pop(replica.place, None) is not None:
                self._cluster.kill(replica.actor)
                node = replica.place.node.name
                self._notices.append(f"the replica on node {node} was lost ({why}); its chunk is drawn elsewhere")

    def _places(self) -> list[_Place]:
        """Where replicas go: one for each GPU of the cluster, or one a node where there are none."""
        nodes = self._cluster.nodes()
        uses_gpus = self._loading.device != "cpu" and any(node.gpus for node in nodes)
        return [_Place(node, n) for node in nodes for n in range(node.gpus if uses_gpus else 1)]

    def _load(self, places: Sequence[_Place]) -> None:
        """Have replicas take in the weights; those that are lost meanwhile are left out."""
        uses_gpus = self._loading.device != "cpu" and any(place.node.gpus for place in places)
        asked = {}
        for place in places:
            there = self._working.pop(place, None)
            actor = (
                self._cluster.start(Replica, place.node, calls=1, gpus=int(uses_gpus)) if there is None else there.actor
            )
            asked[place] = (actor, actor.load.remote(self._weights, self._loading, os.environ.get(THREADS)))
        reports: dict[_Place, ReplicaReport] = {}
        for place, (actor, reference) in asked.items():
            try:
                answer = self._cluster.get(reference)
            except self._cluster.errors as error:
                self._notices.append(f"no replica on node {place.node.name}: {' '.join(str(error).split())[:200]}")
                self._cluster.kill(actor)
                continue
            if isinstance(answer, Refusal):
                raise raised(answer, place.node)
            reports[place] = answer
            self._working[place] = _Working(place, actor)
        self._refuse_unlike(reports)
        for place in reports:
            self._idle.put(self._working[place])

    def _refuse_unlike(self, reports: dict[_Place, ReplicaReport]) -> None:
        first = next(iter(reports.values()), None)
        self._agreed = self._agreed or first
        named = {f"node {place.node.name}": report for place, report in reports.items()}
        if self._agreed is not None and any(report != self._agreed for report in reports.values()):
            if self._agreed != first:
                named["the first ones"] = self._agreed
            raise EnvironmentFault(f"the replicas on Ray draw differently: {differences(named)}. {NEEDS_ALIKE}")


@contextmanager
def open_ray_generator(address: str, loading: LoadingOptions, weights: Weights) -> Iterator[RayGenerator]:
    """Connect to the cluster and start replicas with the first weights; end both at the end.

    Raises:
        HaloError: see `RayGenerator.serve` and `ray_cluster.connected`.
    """
    check_address(address)
    own = LoadingOptions.model_validate(loading.model_dump(include=set(LoadingOptions.model_fields)))
    with connected(address) as cluster, closing(RayGenerator(cluster, own)) as generator:
        generator.serve(weights)
        yield generator


def start_weights(ref: ModelRef) -> Weights:
    """Weights that are measured as they are; the files of an adapter that is a folder here go to every node."""
    here = ref.adapter is not None and Path(ref.adapter).is_dir()
    return Weights("start", ref, checkpoint_files(Path(str(ref.adapter))) if here else None, None, 0)
