"""The nodes that judge: who may take part, who was lost, who came later."""

from __future__ import annotations

import queue
import time
from collections import Counter
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

from halo_forge.core.errors import EnvironmentFault
from halo_forge.rollout.ray_cluster import Cluster, Node, differences, raised, told
from halo_forge.rollout.ray_judge import NodeJudge, NodeReport
from halo_forge.rollout.wire import Order, Refusal

CALLS_AT_ONCE = 64
MOST_FAILURES = 4
START_PATIENCE_S = 120.0
NEEDS_ALIKE = (
    "A verdict must not depend on the node: give all of them the same toolchain, sandbox, Python and halo-forge, or "
    "leave the odd ones out of the cluster (`ray stop` there)"
)


@dataclass(eq=False)
class Member:
    """A node with an actor on it.

    Args:
        workers: programs it checks at the same time.
        window: submissions it may hold; it grows while answers come quickly, so that a fast verifier gets large
            batches and a slow one leaves no other node idle at the end.
        held: submissions it holds.
    """

    node: Node
    actor: Any
    workers: int
    window: int
    held: int = 0

    def room(self, waiting: int, everybody: int) -> int:
        """Return what it may hold: less towards the end of the line, so that all nodes end together.

        Args:
            waiting: submissions in line.
            everybody: workers of all nodes.
        """
        fair = ceil(waiting * self.workers / everybody)
        return min(self.window, max(2 * self.workers, fair))


class Opened(NamedTuple):
    """A node has built its verifier, or has failed to."""

    member: Member
    future: Future[NodeReport | Refusal]


class Members:
    """The nodes of a cluster that judge.

    Args:
        workers: programs checked at the same time on a node; by default one a processor that Ray may use there.
        inbox: gets an `Opened` for each node that is ready, or not.
    """

    def __init__(
        self, cluster: Cluster, order: Order, workers: int | None, stall_timeout_s: float, inbox: queue.SimpleQueue[Any]
    ) -> None:
        self._cluster = cluster
        self._order = order
        self._workers = workers
        self._stall_timeout_s = stall_timeout_s
        self._inbox = inbox
        self._opening: dict[str, Member] = {}
        self._failures: Counter[str] = Counter()
        self._unlike: set[str] = set()
        self._last_failure = ""
        self.active: dict[str, Member] = {}
        self.notices: list[str] = []

    def begin(self) -> NodeReport:
        """Have every node build its verifier, and return what all of them judge with.

        Raises:
            HaloError: what building it raised on a node, as itself.
            EnvironmentFault: there is no node, one does not answer, or they are not alike.
        """
        self.enlist()
        if not self._opening:
            raise EnvironmentFault("no node of the Ray cluster lends a processor: start some with --num-cpus above 0")
        reports: dict[Node, NodeReport] = {}
        deadline = time.monotonic() + START_PATIENCE_S + self._stall_timeout_s
        while self._opening:
            opened = self._next(deadline)
            node = opened.member.node
            del self._opening[node.id]
            try:
                reports[node] = self._report(opened)
            except EnvironmentFault as error:
                if node in self._cluster.nodes():
                    raise
                self._fail(opened.member, " ".join(str(error.__cause__ or error).split())[:200])
            else:
                self.active[node.id] = opened.member
        if not reports:
            raise EnvironmentFault(f"every node of the Ray cluster was lost at the start: {self.notices[-1]}")
        self.agreed = reports[min(reports)]
        if any(report != self.agreed for report in reports.values()):
            raise EnvironmentFault(f"the nodes of the Ray cluster judge differently: {_list(reports)}. {NEEDS_ALIKE}")
        judges = ", ".join(f"node {member.node.name} with {member.workers} workers" for member in self.active.values())
        self.notices.append(f"{self.agreed.verifier} in sandbox {self.agreed.tier} judges on {judges}")
        return self.agreed

    def enlist(self) -> None:
        """Begin on every node that is up and has no actor, except those that failed too often or are not alike."""
        for node in self._cluster.nodes():
            known = node.id in self.active or node.id in self._opening or node.id in self._unlike
            if known or self._failures[node.id] > MOST_FAILURES:
                continue
            workers = self._workers or node.cpus
            order = self._order.model_copy(update={"workers": workers})
            actor = self._cluster.start(NodeJudge, node, calls=CALLS_AT_ONCE)
            member = Member(node, actor, workers, window=2 * workers)
            self._opening[node.id] = member
            told(
                actor.open.remote(order, self._stall_timeout_s, str(Path.cwd())),
                partial(self._opened, member),
            )

    def _opened(self, member: Member, future: Future[NodeReport | Refusal]) -> None:
        self._inbox.put(Opened(member, future))

    def admit(self, opened: Opened) -> None:
        """Take in a node that has become ready in mid-run, or say why not."""
        member, node = opened.member, opened.member.node
        self._opening.pop(node.id, None)
        try:
            report = self._report(opened)
        except Exception as error:  # noqa: BLE001  the others go on without it
            self._fail(member, " ".join(str(error).split())[:300])
            return
        if report != self.agreed:
            self._unlike.add(node.id)
            self._cluster.kill(member.actor)
            listed = differences({"the others": self.agreed, f"node {node.name}": report})
            self.notices.append(f"node {node.name} is not used, as it would judge differently: {listed}")
            return
        self.active[node.id] = member
        self.notices.append(f"node {node.name} has joined and judges with {member.workers} workers")

    def lose(self, member: Member, why: str) -> None:
        """Leave out a node whose actor has ended or makes no sense; it is asked again if it is still there."""
        if self.active.get(member.node.id) is member:
            del self.active[member.node.id]
            self._fail(member, why)

    def proved(self, member: Member) -> None:
        """Forget the failures of a node that has answered."""
        self._failures.pop(member.node.id, None)

    @property
    def is_empty(self) -> bool:
        """Whether nobody judges, nor is about to."""
        return not self.active and not self._opening

    @property
    def last_failure(self) -> str:
        """Why a node was lost most recently."""
        return self._last_failure

    def close(self) -> None:
        """End every actor, those that answer in good order."""
        self._cluster.end([member.actor for member in self.active.values()])
        for member in self._opening.values():
            self._cluster.kill(member.actor)

    def _next(self, deadline: float) -> Opened:
        try:
            opened: Opened = self._inbox.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            late = ", ".join(member.node.name for member in self._opening.values())
            raise EnvironmentFault(
                f"verifier '{self._order.verifier}' was not ready on node {late} in time; if it needs longer there, "
                "raise --stall-timeout-s"
            ) from None
        return opened

    def _report(self, opened: Opened) -> NodeReport:
        try:
            answer = opened.future.result()
        except self._cluster.errors as error:
            reason = " ".join(str(error).split())[:300]
            raise EnvironmentFault(
                f"node {opened.member.node.name} cannot run halo-forge, which it needs in the same version as here: "
                f"{reason}"
            ) from error
        if isinstance(answer, Refusal):
            raise raised(answer, opened.member.node)
        return answer

    def _fail(self, member: Member, why: str) -> None:
        self._cluster.kill(member.actor)
        self._failures[member.node.id] += 1
        self._last_failure = f"node {member.node.name}: {why}"
        again = "" if self._failures[member.node.id] <= MOST_FAILURES else "; it is not asked again"
        lost = f"; {member.held} completions that it held are judged elsewhere" if member.held else ""
        self.notices.append(f"node {member.node.name} was lost ({why}){lost}{again}")


def _list(reports: dict[Node, NodeReport]) -> str:
    return differences({f"node {node.name}": report for node, report in sorted(reports.items())})
