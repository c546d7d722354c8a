"""Servers on a real Ray cluster: one a node or a GPU, found at their addresses, and started again when they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from ray_cluster import Nodes, ray_nodes

from halo_forge.config.generator import GeneratorOptions
from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.events import EventLog
from halo_forge.core.stop import StopRequest
from halo_forge.core.types import Prompt, Sampling
from halo_forge.generation.connect import open_servers
from halo_forge.generation.transformers import TransformersGenerator
from halo_forge.rollout.ray_cluster import Cluster, connected
from halo_forge.rollout.ray_servers import Engine, RayServers, listening

TESTS = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def nodes(cache_of_our_own: None) -> Iterator[Nodes]:
    with ray_nodes(2, TESTS) as cluster:
        yield cluster


@pytest.fixture
def cluster(nodes: Nodes) -> Iterator[Cluster]:
    with connected(nodes.address) as found:
        yield found


def engine(model: Path, *, uses_gpu: bool = False, **environment: str) -> Engine:
    words = (sys.executable, "-m", "engine_process", "--model", str(model), "--host", "127.0.0.1", "--port", "8000")
    return Engine(words, {"PYTHONPATH": str(TESTS), "OMP_NUM_THREADS": "1", **environment}, uses_gpu)


def alive(process: int) -> bool:
    stat = Path(f"/proc/{process}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_command_listens_where_it_runs() -> None:
    words = ("vllm", "--host", "127.0.0.1", "--port", "8000", "--enforce-eager")
    assert listening(words, "10.0.0.7", 40_001) == [
        *("vllm", "--host", "10.0.0.7", "--port", "40001", "--enforce-eager")
    ]


@pytest.mark.slow
def test_one_a_node_draws_as_the_local_model_and_comes_back_when_killed(
    cluster: Cluster, terse_model: Path, make_prompt: Callable[..., Prompt]
) -> None:
    from completion_server import LOADING

    from halo_forge.models.load import load_policy
    from halo_forge.models.resolve import ModelRef

    policy = load_policy(ModelRef(str(terse_model)), LOADING)
    prompts = [make_prompt(name, f"add {name} to n") for name in "abcd"]
    greedy = Sampling(n=1, temperature=0, max_new_tokens=12)
    expected = [completion.token_ids for completion in TransformersGenerator(policy).generate(prompts, greedy, seed=4)]
    with closing(RayServers(cluster, engine(terse_model))) as servers:
        assert len(set(servers.addresses)) == 2
        options = GeneratorOptions(
            generator="server", base_url=tuple(servers.addresses), server_model="base", server_patience_s=60.0
        )
        with EventLog() as events:
            drawing = open_servers(options, policy.chat, policy.context_length, events, StopRequest())
        assert [completion.token_ids for completion in drawing.generate(prompts, greedy, seed=4)] == expected
        processes = [cluster.get(actor.process.remote()) for actor in servers.actors]
        for process in processes:
            os.kill(process, signal.SIGKILL)
        told: list[str] = []
        until = time.monotonic() + 60
        while len(told) < 2 and time.monotonic() < until:
            told += servers.look()
        assert len(told) == 2 and all("ended with status -9 and is started again" in each for each in told)
        # On the same addresses: whoever draws has waited.
        assert [completion.token_ids for completion in drawing.generate(prompts, greedy, seed=4)] == expected
        processes = [cluster.get(actor.process.remote()) for actor in servers.actors]
        assert all(alive(process) for process in processes)
    assert not any(alive(process) for process in processes)


@pytest.mark.slow
def test_an_engine_that_fails_is_told_with_its_last_words(cluster: Cluster, terse_model: Path) -> None:
    failing = engine(terse_model, ENGINE_FAILS="1")
    with pytest.raises(EnvironmentFault, match=r"ended with status 1: the engine does not like this model \(node "):
        RayServers(cluster, failing)
    with pytest.raises(EnvironmentFault, match="no node of the Ray cluster lends a GPU"):
        RayServers(cluster, engine(terse_model, uses_gpu=True))


def test_each_gpu_gets_a_server(nodes: Nodes, cluster: Cluster, terse_model: Path) -> None:
    rich = nodes.add(gpus=2)
    with closing(RayServers(cluster, engine(terse_model, uses_gpu=True))) as servers:
        processes = [cluster.get(actor.process.remote()) for actor in servers.actors]
        variables = [Path(f"/proc/{process}/environ").read_bytes().split(b"\0") for process in processes]
    nodes.take_away(rich)
    assert len(set(servers.addresses)) == 2
    assert all(
        sum(gpu in each for each in variables) == 1 for gpu in (b"CUDA_VISIBLE_DEVICES=0", b"CUDA_VISIBLE_DEVICES=1")
    )


@pytest.mark.slow
def test_the_command_serves_until_it_is_interrupted(nodes: Nodes, nano_model: Path, tmp_path: Path) -> None:
    python = tmp_path / "python"  # in place of the interpreter that has an engine
    python.write_text(f'#!/bin/bash\nexport PYTHONPATH={TESTS}\nexec {sys.executable} -m engine_process "$@"\n')
    python.chmod(0o755)
    words = [sys.executable, "-m", "halo_forge", "serve", "--model", str(nano_model), "--device", "cpu"]
    words += ["--executor", "ray", "--ray-address", nodes.address, "--python", str(python), "--dtype", "float32"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    addresses = process.stdout.readline().strip().split(",")
    assert len(addresses) == 2 and all(address.endswith("/v1") for address in addresses)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert "--generator server --base-url with these" in said
