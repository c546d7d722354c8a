"""What runs on each node of a Ray cluster: a verifier in its own process, as on one machine."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, wait
from pathlib import Path
from typing import NamedTuple

from halo_forge import __version__
from halo_forge.core.protocols import Submission
from halo_forge.core.types import Record, Verdict
from halo_forge.rollout.hosting import HostedVerifier
from halo_forge.rollout.ray_cluster import code_digest, machine, refused
from halo_forge.rollout.wire import Order, Refusal


class NodeReport(Record):
    """What a node judges with; verdicts follow from these and the submission alone.

    Args:
        verifier: its name and version, toolchain included.
        tier: the sandbox's isolation.
        halo_forge: version and digest of the code.
        machine: processor and Python.
    """

    name: str
    verifier: str
    tier: str
    halo_forge: str
    machine: str


class Judged(NamedTuple):
    """The verdicts on a batch, in order, and what a person should know."""

    verdicts: list[Verdict]
    notices: list[str]


class NodeJudge:
    """The actor of a node. Its methods raise nothing of ours: they return a `Refusal`."""

    def __init__(self) -> None:
        self._hosted: HostedVerifier | None = None

    def open(self, order: Order, stall_timeout_s: float, folder: str) -> NodeReport | Refusal:
        """Build the verifier.

        Args:
            folder: working directory of the command, taken where this node has it too.
        """
        try:
            if Path(folder).is_dir():
                os.chdir(folder)
            self._hosted = HostedVerifier(order, stall_timeout_s)
        except Exception as error:  # noqa: BLE001  whatever it is, the command says it with the node's name
            return refused(error)
        return NodeReport(
            name=self._hosted.name,
            verifier=self._hosted.version,
            tier=self._hosted.tier,
            halo_forge=f"{__version__} ({code_digest()})",
            machine=machine(),
        )

    def judge(self, submissions: Sequence[Submission]) -> Judged | Refusal:
        """Judge a batch; several calls may be at it at the same time."""
        assert self._hosted is not None
        try:
            futures = self._hosted.submit(submissions)
            wait(futures, return_when=FIRST_EXCEPTION)  # wakes up once, and not for every verdict
            verdicts = [future.result() for future in futures]
        except Exception as error:  # noqa: BLE001  the batch is judged elsewhere
            return refused(error)
        return Judged(verdicts, self._hosted.take_notices())

    def close(self) -> None:
        """End the verifier."""
        if self._hosted is not None:
            self._hosted.close()
