"""Predictions and simulations from rates, and rates from a run that really ran."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from halo_forge.cli.app import run
from halo_forge.config.load import load
from halo_forge.config.plan import PlanConfig, parameter_count
from halo_forge.config.raft import RaftTrainConfig
from halo_forge.core.errors import ConfigError, DataError
from halo_forge.planning.plan import make_plan, memory_bytes
from halo_forge.planning.predict import Work, batches, knee, predict
from halo_forge.planning.rates import Rates, read_rates, read_rates_file
from halo_forge.planning.simulate import Network, simulate
from halo_forge.raft.loop import completed_cycles, train_raft

RATES = Rates(
    tokens_per_s=100.0,
    mean_tokens=10.0,
    verdict_s=0.4,
    judged_share=0.5,
    workers=2,
    learnt_tokens_per_s=50.0,
    learnt_tokens_per_row=10.0,
    rows_per_prompt=(0.5, 1.0),
    round_s=3.0,
    start_s=7.0,
    completion_bytes=100.0,
    checkpoint_bytes=1000.0,
    parameters=1e6,
)
WORK = Work(prompts=20, holdout=4, samples=8, cycles=3, rows_per_chunk=32, epochs=2.0)
EXACT = Network(spread=0.0, call_s=0.0, bytes_per_s=1e30)


def test_a_run_is_the_sum_of_its_phases() -> None:
    assert WORK.chunks(20) == [32] * 5
    told = predict(RATES, WORK)
    start, first, second, third = told.cycles
    assert (first.generate, first.verify) == pytest.approx((160 * 10 / 100, 160 * 0.5 * 0.4 / 2))
    # Five chunks of 3.2 s to draw and 3.2 s to judge, each drawn while the one before is judged.
    assert first.collect == pytest.approx(6 * 3.2)
    assert start.evaluate == first.evaluate == pytest.approx(2 * 3.2)
    assert (first.train, second.train) == pytest.approx((3 + 10 * 2 * 10 / 50, 3 + 20 * 2 * 10 / 50))
    assert third == second
    assert told.total_s == pytest.approx(7 + 4 * 6.4 + 3 * 19.2 + 7 + 11 + 11)
    assert told.disk.rollouts == 100 * 8 * (20 * 3 + 4 * 4) and told.disk.checkpoints == 3000


def test_what_bounds_it_is_named() -> None:
    assert predict(RATES.model_copy(update={"verdict_s": 4.0}), WORK).bound_by == "verify"
    assert predict(RATES.model_copy(update={"tokens_per_s": 10.0}), WORK).bound_by == "generate"
    assert predict(RATES.model_copy(update={"learnt_tokens_per_s": 1.0}), WORK).bound_by == "train"


@pytest.mark.parametrize(("tokens_per_s", "verdict_s"), [(100.0, 0.4), (30.0, 0.1), (500.0, 2.0)])
def test_one_node_simulated_is_the_arithmetic(tokens_per_s: float, verdict_s: float) -> None:
    rates = RATES.model_copy(update={"tokens_per_s": tokens_per_s, "verdict_s": verdict_s})
    assert simulate(rates, WORK, 1, EXACT).seconds == pytest.approx(predict(rates, WORK).cycles[-1].total)


def test_nodes_share_what_can_be_shared_and_nothing_else() -> None:
    work = WORK.model_copy(update={"prompts": 4096, "holdout": 0})
    one, four, many = (simulate(RATES, work, nodes, EXACT) for nodes in (1, 4, 256))
    train_s = one.busy["train"]
    assert (one.seconds - train_s) / (four.seconds - train_s) == pytest.approx(4, rel=0.02)
    assert (one.bound_by, many.bound_by) == ("generate", "train")
    assert many.seconds > train_s and four.busy["generate"] == pytest.approx(one.busy["generate"] / 4)


def test_the_command_and_the_network_bound_many_nodes() -> None:
    work = WORK.model_copy(update={"prompts": 4096, "holdout": 0})
    quick = RATES.model_copy(update={"rows_per_prompt": (0.0001,), "round_s": 0.0})
    calls = simulate(quick, work, 256, Network(call_s=0.05))
    sending = simulate(quick, work, 256, Network(bytes_per_s=1000.0, call_s=0.0))
    assert (calls.bound_by, sending.bound_by) == ("command", "send")
    assert calls.seconds >= calls.busy["command"] and sending.busy["send"] == pytest.approx(256.0)


def test_the_same_seed_simulates_the_same() -> None:
    seconds = [simulate(RATES, WORK, 4, Network(spread=0.5), seed).seconds for seed in (1, 1, 2)]
    assert seconds[0] == seconds[1] != seconds[2]


def test_the_knee_is_where_doubling_stops_paying() -> None:
    assert knee([1, 2, 4, 8], [100.0, 52.0, 30.0, 29.0]) == 4
    assert knee([1, 2], [100.0, 50.0]) == 2
    assert [sum(batches(30, nodes)) for nodes in (1, 4, 64)] == [30, 30, 30]
    assert batches(30, 1) == [15, 15]


def test_another_size_is_taken_in_proportion() -> None:
    bigger = RATES.for_parameters(7e6)
    assert (bigger.tokens_per_s, bigger.checkpoint_bytes, bigger.verdict_s) == pytest.approx((100 / 7, 7000, 0.4))
    with pytest.raises(ConfigError, match="say it as `parameters` in a file of rates"):
        RATES.model_copy(update={"parameters": None}).for_parameters(7e9)
    assert [parameter_count(text) for text in ("7B", "350m", "1e", "12")[:2]] == [7e9, 350e6]
    with pytest.raises(ValueError, match="no size of a model"):
        parameter_count("big")
    assert memory_bytes(7e9, "full") > memory_bytes(7e9, "lora") > memory_bytes(7e9, "qlora")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("tokens_per_s: 0", r"holds no rates: tokens_per_s: Input should be greater than 0"),
        ("[1, 2", "holds no rates: while parsing"),
        ("speed: 4", "holds no rates: .*it has source, tokens_per_s"),
    ],
)
def test_a_file_that_holds_no_rates_is_refused(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "rates.yaml"
    file.write_text(content)
    with pytest.raises(ConfigError, match=message):
        read_rates_file(file)


def test_rates_of_a_real_run_foretell_that_run(
    terse_model: Path, write_jsonl: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prompts = write_jsonl("prompts.jsonl", *({"id": f"p{i}", "prompt": f"add {i} to n"} for i in range(14)))
    settings: dict[str, Any] = {"model": str(terse_model), "prompts": prompts, "output": tmp_path / "run", "cycles": 2}
    drawing = {"samples_per_prompt": 4, "generation_batch": 8, "max_new_tokens": 12, "holdout_fraction": 0.3}
    training = {"tuning": "full", "batch_size": 4, "select": "random", "cache": False, "epochs": 2}
    train_raft(load(RaftTrainConfig, {**settings, **drawing, **training}))
    rates = read_rates(tmp_path / "run")
    assert rates.judged_share <= 1 and rates.parameters and rates.checkpoint_bytes > 2 * rates.parameters
    told = predict(rates, Work(prompts=10, holdout=4, samples=4, cycles=2, rows_per_chunk=8, epochs=2.0)).cycles
    measured = completed_cycles(tmp_path / "run")
    for phase in ("generate", "verify", "train"):
        assert sum(getattr(cycle, phase) for cycle in told) == pytest.approx(
            sum(cycle.seconds.get(phase, 0.0) for cycle in measured), rel=0.02
        )
    assert run(["plan", "--measured", str(tmp_path / "run"), "--prompts", "50", "--nodes", "4", "--json"]) == 0
    written = tmp_path / "plan.json"
    written.write_text(capsys.readouterr().out)
    assert read_rates_file(written).model_copy(update={"store_s": 0.0}) == rates.model_copy(update={"store_s": 0.0})
    assert [each["nodes"] for each in json.loads(written.read_text())["simulated"]] == [1, 2, 4]


def test_folders_without_rates_are_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(DataError, match="no folder of a RAFT run"):
            read_rates(folder)
    with pytest.raises(ConfigError, match="give either --measured RUN_FOLDER or --rates FILE"):
        load(PlanConfig, {"prompts": 5})


def test_a_plan_is_shown_and_says_where_nodes_stop_helping(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "rates.json"
    file.write_text(RATES.model_dump_json())
    config = load(PlanConfig, {"rates": file, "prompts": 1000, "parameters": "2M"}).config
    plan = make_plan(config)
    assert [each.nodes for each in plan.simulated] == [1, 2, 4, 8, 16, 32, 64, 128, 256]
    assert plan.stops_at is not None and (plan.work.prompts, plan.work.holdout) == (900, 100)
    assert run(["plan", "--rates", str(file), "--prompts", "1000", "--parameters", "2M"]) == 0
    shown = capsys.readouterr().out
    assert f"Twice as many as {plan.stops_at} save less than a fifth of the time." in shown
    assert "most of it to" in shown and "256" in shown
