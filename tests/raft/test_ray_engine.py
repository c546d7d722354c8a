"""Runs whose verdicts and draws come from a real Ray cluster: the same files as on one machine."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ray_cluster import Nodes, ray_nodes
from toy import ToyEngine, write_toy_model

from halo_forge.benchmark.loop import run_benchmark
from halo_forge.config.benchmark import BenchmarkRunConfig
from halo_forge.config.load import load
from halo_forge.config.raft import RaftTrainConfig
from halo_forge.core.events import Event, EventType
from halo_forge.raft.loop import train_raft
from halo_forge.rollout.records import read_rollouts

TIMES = {"wall_s": 0.0, "cpu_s": 0.0, "peak_memory_mb": None}


@pytest.fixture(scope="module")
def nodes(cache_of_our_own: None) -> Iterator[Nodes]:
    with ray_nodes(2) as cluster:
        yield cluster


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    file = tmp_path / "prompts.jsonl"
    rows = ({"id": f"p{i}", "prompt": f"add {i} to n", "entry_point": "f"} for i in range(14))
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def content(run: Path) -> dict[str, bytes | list[str]]:
    """What must not depend on the executor: all but timings, and the ids of the run in checkpoints."""
    found: dict[str, bytes | list[str]] = {}
    for path in sorted(path for path in run.rglob("*") if path.is_file()):
        name = str(path.relative_to(run))
        if name.startswith("rollouts/") and path.suffix == ".jsonl":
            found[name] = [
                r.model_copy(update={"verdict": r.verdict.model_copy(update=TIMES)}).model_dump_json()
                for r in read_rollouts(path)
            ]
        elif name.startswith(("kept/", "plans/")) or path.suffix == ".safetensors" or path.name == "config.json":
            found[name] = path.read_bytes()
    return found


def both(
    run: Callable[..., object], nodes: Nodes, output: Path, *listeners: Callable[[Event], None]
) -> list[dict[str, Any]]:
    run(output / "local", executor="local")
    run(output / "ray", *listeners, executor="ray", ray_address=nodes.address)
    return [content(output / "local"), content(output / "ray")]


def test_a_run_of_the_toy_is_the_same(nodes: Nodes, prompts: Path, tmp_path: Path) -> None:
    start = write_toy_model(tmp_path / "start", 0.3)

    def run(output: Path, **changes: object) -> None:
        settings = {"model": str(start), "prompts": prompts, "output": output, "cycles": 2, "samples_per_prompt": 4}
        more = {"generation_batch": 16, "holdout_fraction": 0.3, "cache": False, "workers": 1}
        train_raft(load(RaftTrainConfig, {**settings, **more, **changes}), engine_factory=ToyEngine)

    here, there = both(run, nodes, tmp_path)
    assert here == there
    assert {"rollouts/holdout_0.jsonl", "rollouts/cycle_2.jsonl", "kept/cycle_2.jsonl"} <= set(here)


def test_replicas_draw_what_the_local_model_draws(
    nodes: Nodes, terse_model: Path, prompts: Path, tmp_path: Path
) -> None:
    notices: list[str] = []

    def hear(event: Event) -> None:
        if event.type is EventType.NOTICE:
            notices.append(str(event.m["message"]))

    def run(output: Path, **changes: object) -> None:
        settings = {"model": str(terse_model), "prompts": prompts, "output": output, "cycles": 2, "select": "random"}
        drawing = {"samples_per_prompt": 4, "generation_batch": 8, "max_new_tokens": 12, "holdout_fraction": 0.3}
        training = {"tuning": "lora", "learning_rate": 1e-3, "batch_size": 4, "device": "cpu", "dtype": "float32"}
        loaded = load(RaftTrainConfig, {**settings, **drawing, **training, "cache": False, **changes})
        train_raft(loaded, (hear,))

    here, there = both(run, nodes, tmp_path)
    assert here == there
    assert {"cycle_2_final/adapter_model.safetensors", "rollouts/holdout_2.jsonl"} <= set(here)
    assert notices.count("2 replicas on Ray draw exactly what the local model does") == 3


@pytest.mark.slow
def test_a_benchmark_outlives_a_node(nodes: Nodes, nano_model: Path, prompts: Path, tmp_path: Path) -> None:
    doomed = nodes.add()
    notices: list[str] = []

    def hear(event: Event) -> None:
        if event.type is EventType.NOTICE:
            notices.append(str(event.m["message"]))
        if event.type is EventType.PROGRESS and (event.step or 0) > 0:
            nodes.kill(doomed)

    def run(output: Path, *listeners: Callable[[Event], None], **changes: object) -> None:
        settings = {"model": str(nano_model), "prompts": prompts, "output": output, "samples": 8, "k": (1, 8)}
        more = {"generation_batch": 8, "max_new_tokens": 160, "device": "cpu", "dtype": "float32", "cache": False}
        run_benchmark(load(BenchmarkRunConfig, {**settings, **more, **changes}), listeners)

    here, there = both(run, nodes, tmp_path, hear)
    assert here == there
    assert len(here["rollouts/sampled.jsonl"]) == 14 * 8
    assert "3 replicas of the model draw on Ray" in notices
    assert sum("its chunk is drawn elsewhere" in notice for notice in notices) == 1
