"""RAFT with a server: our own HTTP server with a real model behind it, adapters loaded after each cycle."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from completion_server import CompletionServer, serve_completions

from halo_forge.config.load import Loaded, load
from halo_forge.config.raft import RaftTrainConfig
from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.events import Event, EventType
from halo_forge.raft.loop import plan_raft, train_raft
from halo_forge.rollout.records import read_rollouts

Configure = Callable[..., Loaded[RaftTrainConfig]]


@pytest.fixture
def server(terse_model: Path) -> Iterator[CompletionServer]:
    with serve_completions(terse_model) as running:
        yield running


@pytest.fixture
def configure(
    server: CompletionServer, terse_model: Path, tmp_path: Path, write_jsonl: Callable[..., Path]
) -> Configure:
    prompts = write_jsonl("prompts.jsonl", *({"id": f"p{i}", "prompt": f"double {i}"} for i in range(10)))

    def make(**changes: Any) -> Loaded[RaftTrainConfig]:
        settings = {
            "model": str(terse_model),
            "prompts": prompts,
            "output": tmp_path / "out",
            "generator": "server",
            "base_url": (server.url,),
            "server_patience_s": 10.0,
            "verifier": "custom",
            "verifier_options": {"command": ["true"]},
            "cycles": 2,
            "samples_per_prompt": 2,
            "max_new_tokens": 12,
            "temperature": 1.0,
            "holdout_fraction": 0.2,
            "generation_batch": 8,
            "lora_rank": 4,
            "learning_rate": 1e-2,
            "batch_size": 2,
            "keep_fraction": 1.0,
            "threads": 1,
            **changes,
        }
        return load(RaftTrainConfig, settings)

    return make


def drawn(folder: Path) -> dict[str, list[str]]:
    return {
        path.stem: [rollout.completion.model_dump_json() for rollout in read_rollouts(path)]
        for path in sorted((folder / "rollouts").glob("*.jsonl"))
    }


def test_each_cycle_is_drawn_from_the_adapter_of_the_one_before(configure: Configure, server: CompletionServer) -> None:
    heard: list[Event] = []
    summary = train_raft(configure(), (heard.append,))
    assert all(cycle.training is not None and cycle.training.weight_change > 0 for cycle in summary.cycles[1:])
    order = list(dict.fromkeys(body["model"] for body in server.asked))
    assert order[0] == "base"  # the first question, before any adapter is there
    run_id = summary.run_id
    assert [name.removeprefix(f"{run_id}-").rsplit("-", 1)[0] for name in order[1:]] == ["start", "cycle_1", "cycle_2"]
    assert list(server.adapters) == order[-1:]
    told = [str(event.m["message"]) for event in heard if event.type is EventType.NOTICE]
    assert sum("nats a token from the local model" in notice for notice in told) == 3
    rollouts = read_rollouts(configure().config.output / "rollouts" / "cycle_2.jsonl")
    assert all(len(r.completion.logprobs) == len(r.completion.token_ids) > 0 for r in rollouts)


def test_a_run_that_lost_its_server_goes_on_with_what_it_has(
    configure: Configure, server: CompletionServer, tmp_path: Path
) -> None:
    train_raft(configure(output=tmp_path / "whole"))
    output = tmp_path / "broken"

    def lose(event: Event) -> None:
        if event.type is EventType.PROGRESS and event.cycle == 2 and event.phase == "generate":
            server.moods.fail = 10_000

    with pytest.raises(EnvironmentFault, match="the same command"):
        train_raft(configure(output=output, server_patience_s=0.2), (lose,))
    before = drawn(output)
    assert before["cycle_2"]
    server.moods.fail = 0
    train_raft(configure(output=output))
    after = drawn(output)
    assert after["cycle_2"][: len(before["cycle_2"])] == before["cycle_2"]
    assert after == drawn(tmp_path / "whole")


def test_a_server_started_anew_in_mid_cycle_changes_nothing(
    configure: Configure, server: CompletionServer, tmp_path: Path
) -> None:
    train_raft(configure(output=tmp_path / "whole"))

    def restart(event: Event) -> None:
        if event.type is EventType.PROGRESS and event.cycle == 2 and event.phase == "generate" and not restarted:
            restarted.append(True)
            threading.Timer(0.3, server.start, (server.stop(),)).start()

    restarted: list[bool] = []
    train_raft(configure(output=tmp_path / "again"), (restart,))
    assert restarted
    assert drawn(tmp_path / "again") == drawn(tmp_path / "whole")


def test_stale_weights_stop_the_run_before_a_sample_is_used(configure: Configure, server: CompletionServer) -> None:
    server.moods.keep_weights = True
    loaded = configure(max_logprob_gap=0.02)
    with pytest.raises(EnvironmentFault, match="it has other weights"):
        train_raft(loaded)
    assert {name for name, lines in drawn(loaded.config.output).items() if lines} == {"holdout_0", "cycle_1"}


def test_a_server_that_is_down_is_found_before_anything_is_written(
    configure: Configure, server: CompletionServer
) -> None:
    assert dict(plan_raft(configure()).lines)["cycles"] == "2"
    port = server.stop()
    for begin in (train_raft, plan_raft):
        with pytest.raises(EnvironmentFault, match="no server answered"):
            begin(configure())
    assert not configure().config.output.exists()
    server.start(port)


def test_the_key_is_never_written(
    configure: Configure, server: CompletionServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.moods.key = "k3y-of-the-server"
    monkeypatch.setenv("HALO_FORGE_SERVER_KEY", server.moods.key)
    output = configure().config.output
    train_raft(configure(cycles=1))
    context = json.loads((output / "launch_context.json").read_text())
    assert "HALO_FORGE_SERVER_KEY" in context["secrets"]
    assert not [path for path in output.rglob("*") if path.is_file() and b"k3y-of" in path.read_bytes()]


def test_an_objective_that_needs_log_probabilities_is_refused_without_them(
    configure: Configure, server: CompletionServer
) -> None:
    server.moods.raw_logprobs = True
    with pytest.raises(EnvironmentFault, match=r"--objective grpo .*needs the log-probability"):
        train_raft(configure(objective="grpo", temperature=0.5))
    assert not drawn(configure().config.output)


def test_the_start_may_be_an_adapter(configure: Configure, tmp_path: Path, server: CompletionServer) -> None:
    train_raft(configure(cycles=1, output=tmp_path / "first"))
    server.asked.clear()
    summary = train_raft(configure(cycles=1, model=str(tmp_path / "first" / "final_model"), output=tmp_path / "second"))
    names = list(dict.fromkeys(body["model"] for body in server.asked))
    assert names[1].startswith(f"{summary.run_id}-start-")
    assert not (tmp_path / "second" / "start_adapter").exists()
