"""Judging on the nodes of a Ray cluster.

A thread deals batches to the nodes and takes in their answers. A batch whose node dies goes back to the head of the
line and is judged elsewhere; each submission has one future, which is settled once. How much a node holds is bounded,
and the rest waits here: memory does not grow with what there is to judge.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from halo_forge.config.shared import VerifierOptions
from halo_forge.core.errors import EnvironmentFault, HaloError
from halo_forge.core.plugins import verifier_config
from halo_forge.core.protocols import Submission
from halo_forge.core.types import Stage, Verdict
from halo_forge.rollout.ray_cluster import Cluster, check_address, connected, raised, told
from halo_forge.rollout.ray_judge import Judged
from halo_forge.rollout.ray_members import Member, Members, Opened
from halo_forge.rollout.wire import Order, Refusal

MOST_LOSSES = 4
LARGEST_BATCH = 256
LARGEST_WINDOW = 1_024
QUICK_S, SLOW_S = 0.25, 1.0
PACE_S = 1.0
LOOK_PACE_S = 5.0
NODE_PATIENCE_S = 60.0


@dataclass(eq=False)
class _Work:
    """A submission without a verdict.

    Args:
        losses: nodes that it was lost with.
    """

    submission: Submission
    verdict: Future[Verdict] = field(default_factory=Future)
    losses: int = 0


class _Batch(NamedTuple):
    """Work that a node holds."""

    member: Member
    work: list[_Work]
    sent: float


class _Replied(NamedTuple):
    """A batch's answer."""

    batch: _Batch
    future: Future[Judged | Refusal]


class RayVerifier:
    """Judges on every node of a cluster; see `checking.Judging`.

    Args:
        order: the verifier, its options and its sandbox.
        workers: programs checked at the same time on a node; by default one a processor that Ray may use there.
        stall_timeout_s: see `HostedVerifier`.

    Raises:
        HaloError: see `Members.begin`.
    """

    def __init__(self, cluster: Cluster, order: Order, workers: int | None, stall_timeout_s: float) -> None:
        self._inbox: queue.SimpleQueue[Opened | _Replied | None] = queue.SimpleQueue()
        self._members = Members(cluster, order, workers, stall_timeout_s, self._inbox)
        self._cluster = cluster
        self._lock = threading.Lock()
        self._line: deque[_Work] = deque()
        self._held: dict[int, _Batch] = {}
        self._notices: list[str] = []
        self._broken: HaloError | None = None
        self._closing = False
        self._looked_at = self._peopled_at = time.monotonic()
        try:
            self._agreed = self._members.begin()
        except BaseException:
            self._members.close()
            raise
        self._thread = threading.Thread(target=self._supervise, name=f"{order.verifier} on ray", daemon=True)
        self._thread.start()

    @property
    def name(self) -> str:
        """The entry point's name."""
        return self._agreed.name

    @property
    def version(self) -> str:
        """The verifier's version, the same on every node."""
        return self._agreed.verifier

    @property
    def tier(self) -> str:
        """The sandbox's isolation, the same on every node."""
        return self._agreed.tier

    def submit(self, submissions: Sequence[Submission]) -> list[Future[Verdict]]:
        """Put submissions in line; see `HostedVerifier.submit`."""
        work = [_Work(submission) for submission in submissions]
        with self._lock:
            if self._broken is not None:
                raise self._broken
            self._line.extend(work)
        self._inbox.put(None)
        return [each.verdict for each in work]

    def take_notices(self) -> list[str]:
        """Return what a person should know, once."""
        with self._lock:
            notices, self._notices = self._notices, []
        return notices

    def close(self) -> None:
        """End the actors; whatever has no verdict yet gets none. Closing again does nothing."""
        if not self._closing:
            self._closing = True
            self._inbox.put(None)
            self._thread.join()
            self._members.close()

    def _supervise(self) -> None:
        """Keep the nodes at work until `close`."""
        try:
            while not self._closing:
                self._deal()
                with suppress(queue.Empty):
                    self._take(self._inbox.get(timeout=PACE_S))
                self._look_for_nodes()
                self._pass_on(self._members.notices)
        except HaloError as error:
            self._give_up(error)
        except Exception as error:  # noqa: BLE001  a thread that ended silently would leave everybody waiting
            self._give_up(EnvironmentFault(f"verifier '{self.name}' cannot be supervised on Ray: {error!r}"))
        else:
            self._give_up(EnvironmentFault(f"verifier '{self.name}' is closed"))

    def _deal(self) -> None:
        """Give every node as much as it may hold, the emptiest first."""
        while members := list(self._members.active.values()):
            with self._lock:
                waiting = len(self._line)
            everybody = sum(member.workers for member in members)
            wanting = [member for member in members if member.held <= member.room(waiting, everybody) // 2]
            if not waiting or not wanting:
                return
            member = min(wanting, key=lambda each: each.held / each.workers)
            self._send(member, min(member.room(waiting, everybody) // 2, LARGEST_BATCH))

    def _send(self, member: Member, most: int) -> None:
        """Send a batch from the head of the line."""
        with self._lock:
            work = [self._line.popleft() for _ in range(min(most, len(self._line)))]
        batch = _Batch(member, work, time.monotonic())
        member.held += len(work)
        self._held[id(batch)] = batch
        told(
            member.actor.judge.remote([each.submission for each in work]),
            partial(self._replied, batch),
        )

    def _replied(self, batch: _Batch, future: Future[Judged | Refusal]) -> None:
        self._inbox.put(_Replied(batch, future))

    def _take(self, event: Opened | _Replied | None) -> None:
        if isinstance(event, Opened):
            self._members.admit(event)
        elif isinstance(event, _Replied):
            self._settle(event)

    def _settle(self, replied: _Replied) -> None:
        """Take in a batch's verdicts, or put it back in line."""
        batch, member = replied.batch, replied.batch.member
        try:
            answer = replied.future.result()
        except self._cluster.errors as error:
            self._lose(batch, f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")
            return
        if isinstance(answer, Refusal):
            self._lose(batch, str(raised(answer, member.node)))
            return
        del self._held[id(batch)]
        member.held -= len(batch.work)
        self._members.proved(member)
        self._fit_window(batch, time.monotonic() - batch.sent)
        self._pass_on([f"node {member.node.name}: {notice}" for notice in answer.notices])
        for work, verdict in zip(batch.work, answer.verdicts, strict=True):
            work.verdict.set_result(verdict)

    def _fit_window(self, batch: _Batch, took_s: float) -> None:
        member = batch.member
        if took_s > SLOW_S:
            member.window = max(member.window // 2, 2 * member.workers)
        elif took_s < QUICK_S and len(batch.work) >= min(member.window // 2, LARGEST_BATCH):
            member.window = min(2 * member.window, LARGEST_WINDOW * member.workers)

    def _lose(self, batch: _Batch, why: str) -> None:
        """Leave out a batch's node and have the batch judged elsewhere; what was lost too often becomes a fault."""
        self._members.lose(batch.member, why)
        del self._held[id(batch)]
        again = []
        for work in batch.work:
            work.losses += 1
            if work.losses <= MOST_LOSSES:
                again.append(work)
            else:
                fault = f"verifier {self.name}: {work.losses} nodes were lost while they held this (last: {why})"
                work.verdict.set_result(Verdict(reward=None, passed=False, stage=Stage.PARSE, fault=fault))
        with self._lock:
            self._line.extendleft(reversed(again))
        self._looked_at = 0.0

    def _look_for_nodes(self) -> None:
        """Take in nodes that are new or back.

        Raises:
            EnvironmentFault: there has been none for `NODE_PATIENCE_S`.
        """
        now = time.monotonic()
        if now - self._looked_at >= LOOK_PACE_S:
            self._looked_at = now
            self._members.enlist()
        if self._members.active:
            self._peopled_at = now
        elif now - self._peopled_at > NODE_PATIENCE_S and self._members.is_empty:
            raise EnvironmentFault(
                f"no node of the Ray cluster has been left for {NODE_PATIENCE_S:g} s (last: "
                f"{self._members.last_failure}): start nodes, then the same command continues"
            )

    def _pass_on(self, notices: list[str]) -> None:
        if notices:
            with self._lock:
                self._notices += notices
            notices.clear()

    def _give_up(self, error: HaloError) -> None:
        """Settle everything that waits."""
        with self._lock:
            self._broken = error
            left = [*(work for batch in self._held.values() for work in batch.work), *self._line]
            self._held.clear()
            self._line.clear()
        for work in left:
            work.verdict.set_exception(error)


@contextmanager
def open_ray_verifier(options: VerifierOptions) -> Iterator[RayVerifier]:
    """Connect to the cluster and build the verifier on each node; end both at the end.

    Raises:
        ConfigError: unknown verifier or option, or an address that cannot work.
        EnvironmentFault: no Ray, no cluster, or nodes that are not alike.
        HaloError: what building the verifier raised on a node.
    """
    check_address(options.ray_address)
    verifier_config(options.verifier, dict(options.verifier_options))
    order = Order(verifier=options.verifier, options=options.verifier_options, sandbox=options.sandbox, workers=1)
    with (
        connected(options.ray_address) as cluster,
        closing(RayVerifier(cluster, order, options.workers, options.stall_timeout_s)) as verifier,
    ):
        yield verifier
