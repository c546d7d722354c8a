"""Predictions and simulations from rates, and rates from a run that really ran."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from halo_forge.cli.app import run
from halo_forge.config.load import load
from halo_forge.config.plan import PlanConfig
from halo_forge.config.raft import RaftTrainConfig
from halo_forge.core.errors import ConfigError, DataError, EnvironmentFault
from halo_forge.planning.measured import read_rates
from halo_forge.planning.plan import make_plan, memory_bytes
from halo_forge.planning.predict import Work, batches, knee, predict
from halo_forge.planning.rates import Novelty, Rates, read_rates_file
from halo_forge.planning.simulate import Network, simulate
from halo_forge.planning.sizes import read_size
from halo_forge.raft.loop import completed_cycles, train_raft

RATES = Rates(
    token_s=0.01,
    mean_tokens=10.0,
    novelty=Novelty(fresh=(0.5,), verdict_s=(0.2,)),
    workers=1,
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
    assert (first.generate, first.verify) == pytest.approx((160 * 10 / 100, 160 * 0.5 * 0.2))
    # Five chunks of 3.2 s to draw and 3.2 s to judge, each drawn while the one before is judged.
    assert first.collect == pytest.approx(6 * 3.2)
    assert start.evaluate == first.evaluate == pytest.approx(2 * 3.2)
    assert (first.train, second.train) == pytest.approx((3 + 10 * 2 * 10 / 50, 3 + 20 * 2 * 10 / 50))
    assert third == second
    assert told.total_s == pytest.approx(7 + 4 * 6.4 + 3 * 19.2 + 7 + 11 + 11)
    assert told.disk.rollouts == 100 * 8 * (20 * 3 + 4 * 4) and told.disk.checkpoints == 3000


def judging(verdict_s: float, rates: Rates = RATES) -> Rates:
    return rates.model_copy(update={"novelty": Novelty(fresh=(0.5,), verdict_s=(verdict_s,))})


def test_what_bounds_it_is_named() -> None:
    assert predict(judging(2.0), WORK).bound_by == "verify"
    assert predict(RATES.model_copy(update={"token_s": 0.1}), WORK).bound_by == "generate"
    assert predict(RATES.model_copy(update={"learnt_tokens_per_s": 1.0}), WORK).bound_by == "train"


def test_drawing_and_judging_hinder_each_other_until_the_shorter_ends() -> None:
    told = predict(judging(0.1, RATES.model_copy(update={"slowdown": 1.5})), WORK).cycles[1]
    # 3.2 s to draw a chunk and 1.6 s to judge it: four pairs, in each of which both lose half of 1.6 s.
    assert (told.generate, told.verify) == pytest.approx((5 * 3.2 + 4 * 0.8, 5 * 1.6 + 4 * 0.8))
    assert told.collect == pytest.approx(3.2 + 4 * 4.0 + 1.6)


def test_a_chunk_is_drawn_until_its_longest_completion_ends() -> None:
    rates = RATES.model_copy(update={"step_s": 0.5, "lengths": (1.0, 2.0, 3.0, 10.0)})
    assert rates.longest(1) == pytest.approx(4.0)
    assert 9.9 < rates.longest(16) < 10
    assert predict(rates, WORK).cycles[0].evaluate == pytest.approx(0.5 * rates.longest(32) + 2 * 3.2)
    assert RATES.longest(16) == RATES.mean_tokens


def test_what_is_new_goes_on_as_it_was_measured_to() -> None:
    novelty = Novelty(fresh=(0.8, 0.2), verdict_s=(0.1, 0.3))
    # A quarter from the first to the second: the power is 2.
    assert [novelty.share(number) for number in (1, 2, 3, 4)] == pytest.approx([0.8, 0.2, 0.8 / 9, 0.8 / 16])
    assert [novelty.seconds(number) for number in (1, 2, 9)] == [0.1, 0.3, 0.3]
    for shares in ((0.3,), (0.2, 0.3), (0.3, 0.0)):
        assert Novelty(fresh=shares, verdict_s=(0.1,)).share(9) == shares[-1]
    rates = RATES.model_copy(update={"novelty": novelty, "accumulates": True})
    added = 0.5 * (0.8 / 9) / 0.2
    assert [rates.rows(cycle) for cycle in (1, 2, 3)] == pytest.approx([0.5, 1.0, 1.0 + added])
    assert RATES.rows(9) == 1.0
    with pytest.raises(ValueError, match="shares from 0 to 1"):
        Novelty(fresh=(1.5,), verdict_s=(0.1,))


@pytest.mark.parametrize(("token_s", "verdict_s"), [(0.01, 0.2), (0.03, 0.05), (0.002, 1.0)])
@pytest.mark.parametrize("slowdown", [1.0, 1.7])
def test_one_node_simulated_is_the_arithmetic(token_s: float, verdict_s: float, slowdown: float) -> None:
    rates = judging(verdict_s, RATES.model_copy(update={"token_s": token_s, "slowdown": slowdown}))
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
    assert (bigger.token_s, bigger.checkpoint_bytes, bigger.learnt_tokens_per_s) == pytest.approx((0.07, 7000, 50 / 7))
    assert bigger.novelty == RATES.novelty
    with pytest.raises(ConfigError, match="say it as `parameters` in a file of rates"):
        RATES.model_copy(update={"parameters": None}).for_parameters(7e9)
    assert memory_bytes(7e9, "full") > memory_bytes(7e9, "lora") > memory_bytes(7e9, "qlora")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("token_s: -1", r"holds no rates: token_s: Input should be greater than or equal to 0"),
        (RATES.model_copy(update={"token_s": 0.0}).model_dump_json(), "step_s or token_s must be above 0"),
        ("[1, 2", "holds no rates: while parsing"),
        ("speed: 4", "holds no rates: .*it has source, step_s"),
    ],
)
def test_a_file_that_holds_no_rates_is_refused(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "rates.yaml"
    file.write_text(content)
    with pytest.raises(ConfigError, match=message):
        read_rates_file(file)


@pytest.fixture
def settings(terse_model: Path, write_jsonl: Callable[..., Path], tmp_path: Path) -> dict[str, Any]:
    """Settings of a small run, whose prompts no other test has: the cache of all tests knows nothing of them."""
    prompts = write_jsonl("prompts.jsonl", *({"id": f"p{i}", "prompt": f"foretell {i} plus n"} for i in range(14)))
    start = {"model": str(terse_model), "prompts": str(prompts), "output": str(tmp_path / "run"), "cycles": 2}
    drawing = {"samples_per_prompt": 4, "generation_batch": 8, "max_new_tokens": 12, "holdout_fraction": 0.3}
    return {**start, **drawing, "tuning": "full", "batch_size": 4, "select": "random", "epochs": 2}


def test_rates_of_a_real_run_foretell_that_run(
    settings: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train_raft(load(RaftTrainConfig, {**settings, "prompts": Path(settings["prompts"]), "output": tmp_path / "run"}))
    rates = read_rates(tmp_path / "run")
    assert rates.parameters and rates.checkpoint_bytes > 2 * rates.parameters
    told = predict(rates, Work(prompts=10, holdout=4, samples=4, cycles=2, rows_per_chunk=8, epochs=2.0)).cycles
    measured = completed_cycles(tmp_path / "run")
    assert sum(cycle.train for cycle in told) == pytest.approx(
        sum(cycle.seconds.get("train", 0.0) for cycle in measured), rel=0.02
    )
    # What had to be judged is what the cache did not know, text by text.
    drawn = [cycle.rollouts.completions for cycle in measured[1:] if cycle.rollouts]
    assert [round(rates.novelty.share(cycle) * drawn[cycle - 1]) for cycle in (1, 2)] == [
        cycle.reuse.judged for cycle in measured[1:] if cycle.reuse
    ]
    assert run(["plan", "--measured", str(tmp_path / "run"), "--nodes", "4", "--json"]) == 0
    written = tmp_path / "plan.json"
    written.write_text(capsys.readouterr().out)
    assert read_rates_file(written) == rates
    plan = json.loads(written.read_text())
    assert [each["nodes"] for each in plan["simulated"]] == [1, 2, 4]
    shape = {"prompts": 10, "holdout": 4, "samples": 4, "cycles": 2, "rows_per_chunk": 8, "epochs": 2.0}
    assert plan["work"] == shape and not plan["notes"]
    assert run(["plan", "--rates", str(written), "--samples-per-prompt", "8", "--cycles", "9", "--nodes", "1"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "holds for 4 samples a prompt, not 8" in said and "2 cycles were measured" in said


def test_without_a_source_the_newest_run_below_the_folder_gives_the_rates(
    settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = load(PlanConfig, {"model": "7B", "prompts": 100, "samples_per_prompt": 8, "nodes": 1}).config
    with pytest.raises(DataError, match=r"no RAFT run below .* has finished a cycle.*give --measure RAFT.yaml"):
        make_plan(asked)
    changes = {"prompts": Path(settings["prompts"]), "output": tmp_path / "models" / "raft", "tuning": "lora"}
    train_raft(load(RaftTrainConfig, {**settings, **changes, "lora_rank": 2}))
    plan = make_plan(asked)
    own = read_rates(tmp_path / "models" / "raft", 8)
    assert plan.rates.source == "models/raft" and own.parameters == read_size(str(settings["model"]))
    assert "this tells hours from days" in plan.notes[-1] and plan.rates.tuning == "lora"
    other = make_plan(asked.model_copy(update={"tuning": "full"}))
    assert other.memory_gib and plan.memory_gib and other.memory_gib > plan.memory_gib
    assert "trained with --tuning lora: times and disk are for that, not for full" in other.notes[0]
    assert plan.rates.token_s + plan.rates.step_s == pytest.approx((own.token_s + own.step_s) * 7e9 / own.parameters)


def test_a_plan_measures_the_settings_themselves(settings: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "raft.yaml"
    file.write_text(yaml.safe_dump({**settings, "cycles": 7, "output": str(tmp_path / "real")}))
    plan = make_plan(load(PlanConfig, {"measure": file, "nodes": 1}).config)
    assert len(plan.rates.rows_per_prompt) == 3 and plan.rates.source == f"a short run of {file}"
    assert (plan.work.prompts, plan.work.holdout, plan.work.cycles) == (10, 4, 7)
    assert plan.prediction.total_s > 0 and not (tmp_path / "real").exists()
    file.write_text(yaml.safe_dump({**settings, "select": "reward"}))  # nothing is right, so nothing is kept
    with pytest.raises(EnvironmentFault, match=r"ended with status .*kept none of 28 completions"):
        make_plan(load(PlanConfig, {"measure": file}).config)


def test_folders_without_rates_are_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(DataError, match="no folder of a RAFT run"):
            read_rates(folder)
    with pytest.raises(ConfigError, match=r"give one of --measure RAFT.yaml, --measured RUN_FOLDER"):
        load(PlanConfig, {"prompts": 5, "measured": tmp_path, "rates": tmp_path / "rates.yaml"})


def test_a_plan_is_shown_and_says_where_nodes_stop_helping(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "rates.json"
    file.write_text(RATES.model_copy(update={"others": 0.64}).model_dump_json())
    config = load(PlanConfig, {"rates": file, "prompts": 1000, "model": "2M"}).config
    plan = make_plan(config)
    assert [each.nodes for each in plan.simulated] == [1, 2, 4, 8, 16, 32, 64, 128, 256]
    assert plan.stops_at is not None and (plan.work.prompts, plan.work.holdout) == (900, 100)
    assert run(["plan", "--rates", str(file), "--prompts", "1000", "--model", "2M"]) == 0
    shown = capsys.readouterr().out
    assert f"Twice as many as {plan.stops_at} save less than a fifth of the time." in shown
    assert "most of it to" in shown and "256" in shown
    assert "other work took 0.6 processors while this was measured" in " ".join(shown.split())
