"""Servers of an engine such as vLLM on the nodes of a Ray cluster: one for each GPU, or one a node without any.

A placement group holds a bundle for each server. In it lives an actor that starts the engine, and starts it again on
the same address when it ends; whoever draws from it waits meanwhile, as for any server that comes back.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from halo_forge.core.errors import EnvironmentFault
from halo_forge.rollout.ray_cluster import Cluster, Node, raised, refused
from halo_forge.rollout.wire import Refusal

START_PATIENCE_S = 900.0
PLACE_PATIENCE_S = 60.0
MOST_STARTS_IN_A_ROW = 3
STEADY_S = 300.0
PACE_S = 0.5
END_PATIENCE_S = 10.0
PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


class Engine(NamedTuple):
    """What is started.

    Args:
        words: the command, with `--host` and `--port`, whose values are those of the place where it runs.
        environment: variables besides those of the node.
        uses_gpu: whether each server has a GPU to itself.
    """

    words: tuple[str, ...]
    environment: Mapping[str, str]
    uses_gpu: bool


class EngineHost:
    """The actor beside a server. Its methods raise nothing of ours: they return a `Refusal`."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  as long as the actor
        self._started_at, self._starts, self._address = 0.0, 0, ("", 0)

    def start(self, engine: Engine, patience_s: float) -> str | Refusal:
        """Start the engine and wait until it answers.

        Returns:
            Its address, such as http://10.0.0.2:41234/v1.
        """
        import ray

        try:
            host = ray.util.get_node_ip_address()
            with socket.create_server((host, 0)) as free:
                self._address = (host, free.getsockname()[1])
            self._engine = engine
            self._launch()
            self._await(patience_s)
        except Exception as error:  # noqa: BLE001  whatever it is, the command says it with the node's name
            return refused(error)
        return f"http://{host}:{self._address[1]}/v1"

    def look(self) -> str:
        """Start the engine again if it has ended; return what there is to tell, or nothing."""
        if self._process is None or self._process.poll() is None:
            return ""
        ended = f"the server at {self._address[0]}:{self._address[1]} ended with status {self._process.returncode}"
        self._starts = 1 if time.monotonic() - self._started_at > STEADY_S else self._starts + 1
        if self._starts > MOST_STARTS_IN_A_ROW:
            self._process = None
            return f"{ended}, again and again: it is not started any more. {self._last_words()}"
        self._launch()
        return f"{ended} and is started again"

    def process(self) -> int | None:
        """Process id of the engine."""
        return None if self._process is None else self._process.pid

    def close(self) -> None:
        """End the engine with everything below it."""
        if self._process is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(END_PATIENCE_S)

    def _launch(self) -> None:
        """Start the engine in a session of its own; it ends when this process does."""
        words = listening(self._engine.words, *self._address)
        self._log.truncate(0)
        self._process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            env={**os.environ, **self._engine.environment},
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )
        self._started_at = time.monotonic()

    def _await(self, patience_s: float) -> None:
        assert self._process is not None
        host, port = self._address
        until = time.monotonic() + patience_s
        while time.monotonic() < until:
            if self._process.poll() is not None:
                raise EnvironmentFault(f"it ended with status {self._process.returncode}: {self._last_words()}")
            try:
                urllib.request.urlopen(f"http://{host}:{port}/v1/models", timeout=5).close()
                return
            except urllib.error.HTTPError:  # a key is asked for: it is there
                return
            except OSError:
                time.sleep(PACE_S)
        self.close()
        raise EnvironmentFault(f"it did not answer within {patience_s:g} s: {self._last_words()}")

    def _last_words(self) -> str:
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else "it printed nothing"


class RayServers:
    """Servers on a cluster, from the first answer of all of them until `close`.

    Raises:
        EnvironmentFault: there is no place for one, or one does not start; the text names the node.
    """

    def __init__(self, cluster: Cluster, engine: Engine, patience_s: float = START_PATIENCE_S) -> None:
        self._cluster = cluster
        nodes = {node.id: node for node in cluster.nodes()}
        count = sum(node.gpus for node in nodes.values()) if engine.uses_gpu else len(nodes)
        if not count:
            raise EnvironmentFault(f"no node of the Ray cluster lends a {'GPU' if engine.uses_gpu else 'processor'}")
        bundle = {"GPU": 1.0} if engine.uses_gpu else {"CPU": 1.0}
        self._group = cluster.reserve([bundle] * count, one_a_node=not engine.uses_gpu, patience_s=PLACE_PATIENCE_S)
        self._actors: list[Any] = []
        try:
            self._actors = [
                cluster.start_reserved(EngineHost, self._group, number, gpus=int(engine.uses_gpu))
                for number in range(count)
            ]
            placed = cluster.places(self._group)
            asked = [actor.start.remote(engine, patience_s) for actor in self._actors]
            self.addresses = [
                self._started(reference, nodes.get(node)) for reference, node in zip(asked, placed, strict=True)
            ]
        except BaseException:
            self.close()
            raise

    def look(self) -> list[str]:
        """Have engines that ended started again; return what a person should know."""
        told = []
        for actor in list(self._actors):
            try:
                told.append(str(self._cluster.get(actor.look.remote())))
            except self._cluster.errors as error:
                self._actors.remove(actor)
                told.append(f"a server was lost with its node ({' '.join(str(error).split())[:200]})")
        return [notice for notice in told if notice]

    @property
    def actors(self) -> Sequence[Any]:
        """Those beside the servers that are left."""
        return self._actors

    def close(self) -> None:
        """End the servers."""
        self._cluster.end(self._actors)
        self._cluster.release(self._group)

    def _started(self, reference: Any, node: Node | None) -> str:
        try:
            answer = self._cluster.get(reference)
        except self._cluster.errors as error:
            raise EnvironmentFault(f"a server was lost at its start: {' '.join(str(error).split())[:300]}") from error
        if isinstance(answer, Refusal):
            assert node is not None
            raise raised(answer.model_copy(update={"text": f"the server does not start: {answer.text}"}), node)
        address: str = answer
        return address


def listening(words: Sequence[str], host: str, port: int) -> list[str]:
    """Return a command with the values of its `--host` and `--port` replaced."""
    made = list(words)
    made[made.index("--host") + 1], made[made.index("--port") + 1] = host, str(port)
    return made


def _end_with_parent() -> None:
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
