"""A cycle on many nodes, event by event: where more of them stop helping.

Each node has a replica of the model and a verifier. The command, on one machine, deals chunks and batches, stores
chunks in order, trains, and sends the checkpoint to every node. Chunks take lognormally distributed times to draw.
"""

from __future__ import annotations

import random
from collections.abc import Generator
from math import log
from types import ModuleType
from typing import Any

from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.types import Record
from halo_forge.planning.predict import (
    Collecting,
    Work,
    batches,
    chunk_seconds,
    held_out,
    to_train,
    train_seconds,
)
from halo_forge.planning.rates import Rates

Process = Generator[Any, Any, None]


class Network(Record):
    """Between the command and the nodes.

    Args:
        bytes_per_s: of the command's machine, shared by all nodes.
        call_s: seconds of the command's time for a call to a node.
        spread: standard deviation of a chunk's drawing time, as a share of it.
    """

    bytes_per_s: float = 125e6
    call_s: float = 0.001
    spread: float = 0.1


class Simulated(Record):
    """The last cycle of a run on some nodes.

    Args:
        seconds: of the whole cycle.
        busy: what -> seconds that it would take if nothing else did: drawing and judging by all nodes together,
            training, sending the checkpoint, and the command's own dealing and storing.
    """

    nodes: int
    seconds: float
    busy: dict[str, float]

    @property
    def bound_by(self) -> str:
        """What takes longest."""
        return max(self.busy, key=lambda name: self.busy[name])


def simulate(rates: Rates, work: Work, nodes: int, network: Network, seed: int = 0) -> Simulated:
    """Run a cycle.

    Raises:
        EnvironmentFault: simpy is not installed.
    """
    simpy = _simpy()
    chance = random.Random(seed)
    spent = {"generate": 0.0, "verify": 0.0, "command": 0.0}
    collected = sum(
        _Collection(simpy, rates, collecting, nodes, network, chance, spent).seconds()
        for collecting in (to_train(rates, work, work.cycles), held_out(rates, work, work.cycles))
    )
    train_s = train_seconds(rates, work, work.cycles)
    send_s = rates.checkpoint_bytes * (nodes if nodes > 1 else 0) / network.bytes_per_s
    return Simulated(
        nodes=nodes,
        seconds=collected + train_s + send_s,
        busy={
            "generate": spent["generate"] / nodes,
            "verify": spent["verify"] / nodes,
            "train": train_s,
            "send": send_s,
            "command": spent["command"],
        },
    )


class _Collection:
    """Drawing and judging of some chunks."""

    def __init__(
        self,
        simpy: ModuleType,
        rates: Rates,
        collecting: Collecting,
        nodes: int,
        network: Network,
        chance: random.Random,
        spent: dict[str, float],
    ) -> None:
        chunks = collecting.chunks
        self._rates, self._chunks, self._nodes, self._network, self._spent = rates, chunks, nodes, network, spent
        # Replica and judge of a node hinder each other as they do on one machine.
        self._seconds = chunk_seconds(rates, collecting)
        self._env = simpy.Environment()
        self._replicas = simpy.Resource(self._env, nodes)
        self._judges = simpy.Resource(self._env, nodes)
        self._command = simpy.Resource(self._env, 1)
        # As many chunks are under way as are drawn at the same time, and as many again are being judged.
        self._window = simpy.Container(self._env, capacity=2 * nodes, init=2 * nodes)
        self._judged = [self._env.event() for _ in chunks]
        sigma = log(1 + network.spread**2) ** 0.5
        self._delays = [chance.lognormvariate(-(sigma**2) / 2, sigma) for _ in chunks]

    def seconds(self) -> float:
        """Run to the end."""
        self._env.process(self._deal())
        self._env.process(self._store())
        self._env.run()
        return float(self._env.now)

    def _deal(self) -> Process:
        for number in range(len(self._chunks)):
            yield self._window.get(1)
            self._env.process(self._draw(number))

    def _draw(self, number: int) -> Process:
        rows = self._chunks[number]
        with self._replicas.request() as replica:
            yield replica
            yield from self._calling()
            took = self._seconds.draw[number] * self._delays[number]
            self._spent["generate"] += took
            yield self._env.timeout(took)
        yield self._env.all_of([self._env.process(self._judge(number, size)) for size in batches(rows, self._nodes)])
        self._judged[number].succeed()

    def _judge(self, number: int, rows: int) -> Process:
        with self._judges.request() as judge:
            yield judge
            yield from self._calling()
            took = self._seconds.judge[number] * rows / self._chunks[number]
            self._spent["verify"] += took
            yield self._env.timeout(took)

    def _store(self) -> Process:
        for number, rows in enumerate(self._chunks):
            yield self._judged[number]
            yield from self._commanding(rows * self._rates.store_s)
            yield self._window.put(1)

    def _calling(self) -> Process:
        if self._nodes > 1:
            yield from self._commanding(self._network.call_s)

    def _commanding(self, seconds: float) -> Process:
        with self._command.request() as command:
            yield command
            self._spent["command"] += seconds
            yield self._env.timeout(seconds)


def _simpy() -> ModuleType:
    try:
        import simpy
    except ImportError as error:
        raise EnvironmentFault("simulating nodes needs simpy: pip install 'halo-forge[plan]'") from error
    module: ModuleType = simpy
    return module
