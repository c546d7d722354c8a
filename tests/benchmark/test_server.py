from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from completion_server import serve_completions

from halo_forge.benchmark.loop import plan_benchmark, run_benchmark
from halo_forge.config.benchmark import BenchmarkRunConfig
from halo_forge.config.load import load
from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.events import Event, EventType
from halo_forge.rollout.records import read_rollouts


def test_greedy_answers_of_a_server_are_those_of_the_model(
    nano_model: Path, tmp_path: Path, write_jsonl: Callable[..., Path]
) -> None:
    prompts = write_jsonl("prompts.jsonl", *({"id": f"p{i}", "prompt": f"double {i}"} for i in range(4)))
    heard: list[Event] = []
    texts = {}
    with serve_completions(nano_model) as server:
        for name, extra in {"here": {}, "there": {"generator": "server", "base_url": (server.url,)}}.items():
            settings = {
                "model": str(nano_model),
                "prompts": prompts,
                "output": tmp_path / name,
                "samples": 2,
                "k": (1,),
            }
            settings |= {"greedy": True, "max_new_tokens": 8, "verifier": "custom", "threads": 1}
            settings |= {"verifier_options": {"command": ["true"]}, **extra}
            loaded = load(BenchmarkRunConfig, settings)
            summary = run_benchmark(loaded, (heard.append,))
            assert summary.sampled.completions == 8
            greedy = read_rollouts(tmp_path / name / "rollouts" / "greedy.jsonl")
            texts[name] = [(r.prompt_id, r.completion.token_ids) for r in greedy]
            sampled = read_rollouts(tmp_path / name / "rollouts" / "sampled.jsonl")
            assert all(bool(r.completion.logprobs) == (name == "here") for r in sampled)
        assert texts["here"] == texts["there"]
        told = [str(event.m["message"]) for event in heard if event.type is EventType.NOTICE]
        assert any("not compared" in notice for notice in told)
        server.stop()
        with pytest.raises(EnvironmentFault, match="no server answered"):
            plan_benchmark(load(BenchmarkRunConfig, {**settings, "output": tmp_path / "third"}))
    assert not (tmp_path / "third").exists()
