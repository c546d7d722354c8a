"""A Ray cluster, which is imported and reached only when a command asks for it.

Ray carries calls and answers between processes. What must hold about verdicts and draws (order, what runs again, which
nodes may take part) is decided on this side, in `ray_verifier` and `ray_generator`.
"""

from __future__ import annotations

import os
import platform
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import halo_forge
from halo_forge.core.errors import ConfigError, EnvironmentFault, HaloError
from halo_forge.core.types import Record
from halo_forge.rollout.host_process import ERRORS
from halo_forge.rollout.wire import Refusal

CLOSE_PATIENCE_S = 10.0
KNOCK_PATIENCE_S = 10.0
AUTH_MODE = "RAY_AUTH_MODE"
ASK = "import sys; from ray._raylet import GcsClient; GcsClient(address=sys.argv[1])"
START_ONE = (
    "start one with `ray start --head` (and `ray start --address HOST:6379` on each further machine), give its "
    "--ray-address HOST:PORT, or --ray-address local for a Ray of this machine alone"
)


class Node(NamedTuple):
    """A machine of the cluster that is up.

    Args:
        id: Ray's name for it.
        host: its address.
        cpus: processors that Ray may use there.
        gpus: likewise.
    """

    id: str
    host: str
    cpus: int
    gpus: int

    @property
    def name(self) -> str:
        """What tells it from others of the same address."""
        return f"{self.host} ({self.id[:8]})"


class Cluster:
    """A connection to Ray."""

    def __init__(self, ray: ModuleType) -> None:
        self._ray = ray
        self.errors: type[Exception] = ray.exceptions.RayError

    def nodes(self) -> list[Node]:
        """The nodes that are up and lend processors, in a fixed order."""
        found = (
            Node(
                entry["NodeID"],
                entry["NodeManagerAddress"],
                int(entry["Resources"].get("CPU", 0)),
                int(entry["Resources"].get("GPU", 0)),
            )
            for entry in self._ray.nodes()
            if entry["Alive"]
        )
        return sorted(node for node in found if node.cpus > 0)

    def start(self, actor: type, node: Node, *, calls: int, gpus: int = 0) -> Any:
        """Begin an actor in a process on that node; it ends with this connection.

        Args:
            calls: calls that it answers at the same time.
        """
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        return (
            self._ray.remote(actor)
            .options(
                num_cpus=0,
                num_gpus=gpus,
                max_concurrency=calls,
                max_restarts=0,
                max_task_retries=0,
                scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False),
            )
            .remote()
        )

    def reserve(self, bundles: Sequence[Mapping[str, float]], *, one_a_node: bool, patience_s: float) -> Any:
        """Set resources aside, a bundle on one node each.

        Raises:
            EnvironmentFault: the cluster has not had them free for so long.
        """
        from ray.util.placement_group import placement_group

        group = placement_group(list(bundles), strategy="STRICT_SPREAD" if one_a_node else "SPREAD")
        if not group.wait(patience_s):
            self.release(group)
            wanted = ", ".join(f"{amount:g} {name}" for name, amount in bundles[0].items())
            raise EnvironmentFault(
                f"the Ray cluster has not had {len(bundles)} times {wanted} free within {patience_s:g} s: end what "
                "else runs there, or start nodes"
            )
        return group

    def places(self, group: Any) -> list[str]:
        """Ids of the nodes on which a group's bundles lie, in order."""
        from ray.util import placement_group_table

        placed: dict[int, str] = placement_group_table(group)["bundles_to_node_id"]
        return [placed[number] for number in sorted(placed)]

    def start_reserved(self, actor: type, group: Any, number: int, *, gpus: int) -> Any:
        """Begin an actor in a bundle of a group; it ends with this connection."""
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        place = PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=number)
        wanted = {"num_cpus": 0, "num_gpus": gpus, "max_restarts": 0, "max_task_retries": 0}
        return self._ray.remote(actor).options(scheduling_strategy=place, **wanted).remote()

    def release(self, group: Any) -> None:
        """Give resources back."""
        from ray.util.placement_group import remove_placement_group

        if self._ray.is_initialized():
            with suppress(Exception):  # of a cluster that is gone
                remove_placement_group(group)

    def put(self, value: object) -> Any:
        """Lay something down once that several calls will be given."""
        return self._ray.put(value)

    def get(self, reference: Any) -> Any:
        """Wait for a call's answer.

        Raises:
            Exception: one of `errors`: the actor or its node has ended, or the call failed.
        """
        return self._ray.get(reference)

    def end(self, actors: Sequence[Any]) -> None:
        """End actors; those that answer in time have closed what they hold."""
        if not self._ray.is_initialized():  # a call would start a Ray of its own
            return
        with suppress(Exception):  # of a cluster that is gone
            self._ray.wait(
                [actor.close.remote() for actor in actors], num_returns=len(actors), timeout=CLOSE_PATIENCE_S
            )
        for actor in actors:
            self.kill(actor)

    def kill(self, actor: Any) -> None:
        """End an actor with its process, wherever it is."""
        with suppress(Exception):  # of a node that is gone
            self._ray.kill(actor, no_restart=True)


def told(reference: Any, tell: Callable[[Future[Any]], None]) -> None:
    """Have a function called, in another thread, once a call's answer or error is there."""
    reference.future().add_done_callback(tell)


@contextmanager
def connected(address: str) -> Iterator[Cluster]:
    """Connect to a cluster, or go on using the connection that there is.

    Args:
        address: `auto`, HOST:PORT or `local`; see `config.shared.JudgingOptions`.

    Raises:
        EnvironmentFault: Ray is not installed, or there is no such cluster.
    """
    ray = _ray()
    if ray.is_initialized():
        yield Cluster(ray)
        return
    _connect(ray, address)
    try:
        yield Cluster(ray)
    finally:
        ray.shutdown()


def _ray() -> ModuleType:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise EnvironmentFault("--executor ray needs Ray: pip install 'halo-forge[ray]'") from error
    # Ray prints what it thinks of its nodes to standard output, which is for results; what matters is a notice of ours.
    sys.modules["ray._private.worker"].__dict__["listen_error_messages"] = lambda *_: None
    module: ModuleType = ray
    return module


def _connect(ray: ModuleType, address: str) -> None:
    """Connect; the signals stay ours, as Ray would end the process where we stop at a safe point."""
    in_main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGTERM)
    own: dict[str, object] = {"include_dashboard": False} if address == "local" else {}
    try:
        _knock(address)
        _bring_token(address)
        ray.init(address=address, log_to_driver=False, logging_level="ERROR", configure_logging=False, **own)
    except (ConnectionError, OSError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise EnvironmentFault(f"no Ray cluster at --ray-address {address} ({reason}): {START_ONE}") from error
    finally:
        if in_main and handler is not None:
            signal.signal(signal.SIGTERM, handler)


def _knock(address: str) -> None:
    """See that somebody listens at HOST:PORT, as Ray itself waits without end."""
    if address in ("auto", "local"):
        return
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise ValueError("give auto, local or HOST:PORT")
    socket.create_connection((host, int(port)), KNOCK_PATIENCE_S).close()


def _bring_token(address: str) -> None:
    """Send this user's token to a cluster that asks for one; Ray itself would try without it, and without end.

    `ray start` has a cluster ask for the token in ~/.ray/auth_token as soon as there is one, which a Ray of this
    machine alone leaves behind.

    Raises:
        ConnectionError: it asks for another, or there is none.
    """
    if address in ("auto", "local") or AUTH_MODE in os.environ or _answers(address, {}):
        return
    if not _answers(address, {AUTH_MODE: "token"}):
        raise ConnectionError(
            "it asks for a token and takes none of this user's: bring that of the machine on which `ray start --head` "
            "ran, as ~/.ray/auth_token or in the variable RAY_AUTH_TOKEN"
        )
    os.environ[AUTH_MODE] = "token"
    with suppress(KeyError):  # of a Ray that knows no tokens
        sys.modules["ray._raylet"].__dict__["Config"].initialize("")  # it has read the variable already


def _answers(address: str, environment: Mapping[str, str]) -> bool:
    """Ask a cluster for its id, in a process of its own; False when it asks for a token in turn."""
    command = [sys.executable, "-c", ASK, address]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "RAY_BACKEND_LOG_LEVEL": "warning", **environment},
    ) as asking:
        assert asking.stdout is not None
        wants_token = any("Unauthenticated" in line or "AuthenticationError" in line for line in asking.stdout)
        asking.kill()
    return not wants_token


@cache
def code_digest() -> str:
    """A digest of this installation's own code: what decides verdicts besides toolchain and sandbox."""
    root = Path(halo_forge.__file__).parent
    digest = sha256()
    for file in sorted(root.rglob("*.py")):
        digest.update(str(file.relative_to(root)).encode() + b"\0" + sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:12]


def machine() -> str:
    """What processor and Python a process runs on."""
    return f"{platform.machine()}, Python {platform.python_version()}"


def refused(error: Exception) -> Refusal:
    """Put what went wrong into a record, as our errors need not survive the way between processes."""
    if isinstance(error, HaloError):
        return Refusal(error=type(error).__name__, text=str(error))
    return Refusal(error="", text=f"{type(error).__name__}: {error}")


def raised(refusal: Refusal, node: Node) -> HaloError:
    """Return the error that a node's refusal stands for."""
    kind = ERRORS.get(refusal.error, EnvironmentFault)
    return kind(f"{refusal.text} (node {node.name})")


def check_address(address: str) -> None:
    """Refuse an address that cannot work.

    Raises:
        ConfigError: it is one of Ray Client.
    """
    if address.startswith("ray://"):
        raise ConfigError(
            f"--ray-address {address} is one of Ray Client: run halo-forge on a machine of the cluster, with auto or "
            "HOST:PORT"
        )


def differences(reports: Mapping[str, Record]) -> str:
    """Say in which fields records of the same kind differ, and who has what of it."""
    parts = []
    for field in type(next(iter(reports.values()))).model_fields:
        values: dict[str, list[str]] = {}
        for who, report in reports.items():
            values.setdefault(str(report.model_dump()[field]), []).append(who)
        if len(values) > 1:
            held = "; ".join(f"{', '.join(who)}: {value}" for value, who in values.items())
            parts.append(f"{field} ({held})")
    return ", ".join(parts)
