"""A real Ray cluster of several nodes on this machine, each with processes of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest


class Nodes:
    """A cluster to which nodes can be added, and from which they can be taken as if they had died."""

    def __init__(self, cluster: Any) -> None:
        self._cluster = cluster
        self.address: str = cluster.address

    def add(self, gpus: int = 0, **environment: str) -> Any:
        """Bring up a node.

        Args:
            gpus: that it says it has; there need be none.
        """
        return self._cluster.add_node(num_cpus=1, num_gpus=gpus, object_store_memory=80 << 20, env_vars=environment)

    def take_away(self, node: Any) -> None:
        """End a node in good order."""
        self._cluster.remove_node(node, allow_graceful=True)

    def kill(self, node: Any) -> None:
        """End a node's processes with SIGKILL; nothing on it can say goodbye."""
        with suppress(KeyError):  # it has been killed before
            self._cluster.remove_node(node, allow_graceful=False)


@contextmanager
def ray_nodes(count: int, *paths: Path) -> Iterator[Nodes]:
    """Bring up nodes of one processor each; the head lends none, so that any node may die.

    Args:
        paths: folders of packages that the nodes have besides what is installed.
    """
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("PYTHONPATH", os.pathsep.join(map(str, paths)))
        cluster = Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": 0, "object_store_memory": 80 << 20, "include_dashboard": False},
        )
        try:
            nodes = Nodes(cluster)
            for _ in range(count):
                nodes.add()
            yield nodes
        finally:
            cluster.shutdown()
