from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from toy import RIGHT, ToyEngine, always, write_toy_model

from halo_forge.config.load import Loaded, load
from halo_forge.config.raft import RaftTrainConfig
from halo_forge.core.errors import ConfigError, DataError, Interrupted, ModelError, RunConflictError
from halo_forge.core.events import Event, EventType, read_events
from halo_forge.core.protocols import TrainingRow
from halo_forge.core.types import Completion, Prompt
from halo_forge.raft.loop import completed_cycles, plan_raft, train_raft
from halo_forge.rollout.decision import Decision
from halo_forge.rollout.metrics import measure
from halo_forge.rollout.records import read_records, read_rollouts
from halo_forge.rollout.sketch import sketch
from halo_forge.runs.run_dir import Run
from halo_forge.runs.summary import RaftSummary


@pytest.fixture
def configure(tmp_path: Path) -> Callable[..., Loaded[RaftTrainConfig]]:
    prompts = tmp_path / "prompts.jsonl"
    rows = [{"id": f"p{i}", "prompt": f"double n ({i})", "entry_point": "f"} for i in range(14)]
    prompts.write_text("".join(json.dumps(row) + "\n" for row in rows))
    model = write_toy_model(tmp_path / "start", 0.3)

    def make(**changes: Any) -> Loaded[RaftTrainConfig]:
        settings = {
            "model": str(model),
            "prompts": prompts,
            "output": tmp_path / "out",
            "cycles": 3,
            "samples_per_prompt": 4,
            "generation_batch": 16,
            "holdout_fraction": 0.3,
            "reward_threshold": 0.5,
            **changes,
        }
        return load(RaftTrainConfig, {key: value for key, value in settings.items() if value is not None})

    return make


def files(folder: Path) -> dict[str, bytes]:
    """Everything that must not depend on interruptions; timings do, and with them the checksums of an index."""
    names = ("rollouts", "kept", "cycle_1_final", "cycle_2_final", "cycle_3_final", "final_model")
    found = {}
    for name in names:
        for path in sorted((folder / name).rglob("*")):
            if path.is_file() and path.name != "checkpoint.json" and path.suffix != ".index":
                found[str(path.relative_to(folder))] = path.read_bytes()
    return found


def without_times(path: Path) -> list[str]:
    times = {"wall_s": 0.0, "cpu_s": 0.0, "peak_memory_mb": None}
    return [
        r.model_copy(update={"verdict": r.verdict.model_copy(update=times)}).model_dump_json()
        for r in read_rollouts(path)
    ]


def test_cycles_learn_and_everything_is_on_disk(configure: Callable[..., Loaded[RaftTrainConfig]]) -> None:
    heard: list[Event] = []
    loaded = configure()
    summary = train_raft(loaded, (heard.append,), ToyEngine)
    output = loaded.config.output
    rates = [cycle.holdout.pass_at["1"].value for cycle in summary.cycles if cycle.holdout]
    assert len(rates) == 4
    assert rates[-1] == 1.0 and rates[0] is not None and rates[0] < 0.7
    assert summary.best_cycle == rates.index(1.0)
    assert (output / "final_model" / "config.json").read_bytes() == (
        output / f"cycle_{summary.best_cycle}_final" / "config.json"
    ).read_bytes()
    for cycle in (1, 2, 3):
        rollouts = read_rollouts(output / "rollouts" / f"cycle_{cycle}.jsonl")
        decisions = list(read_records(output / "kept" / f"cycle_{cycle}.jsonl", Decision))
        assert len(rollouts) == len(decisions) == summary.prompts * 4
        assert measure(sketch(rollouts), (1, 4)) == summary.cycles[cycle].rollouts
        assert sum(d.kept for d in decisions) == summary.cycles[cycle].kept
    assert [e.cycle for e in heard if e.type is EventType.CYCLE_FINISHED] == [0, 1, 2, 3]
    assert not (output / "training_state").exists()


def test_held_out_prompts_are_never_trained_on(configure: Callable[..., Loaded[RaftTrainConfig]]) -> None:
    loaded = configure()
    summary = train_raft(loaded, engine_factory=ToyEngine)
    output = loaded.config.output
    held = {r.prompt_id for r in read_rollouts(output / "rollouts" / "holdout_1.jsonl")}
    drawn = {r.prompt_id for r in read_rollouts(output / "rollouts" / "cycle_1.jsonl")}
    assert not held & drawn
    assert (len(drawn), len(held)) == (summary.prompts, summary.holdout_prompts)
    assert len(held | drawn) == 14


def test_interrupted_anywhere_the_run_ends_the_same(
    configure: Callable[..., Loaded[RaftTrainConfig]], tmp_path: Path
) -> None:
    train_raft(configure(output=tmp_path / "whole"), engine_factory=ToyEngine)
    total = sum(1 for _ in read_events(tmp_path / "whole" / "events.jsonl"))
    for at in range(1, total - 1, 4):
        output = tmp_path / f"stopped{at}"
        count = iter(range(total * 4))

        class Stopping(ToyEngine):
            def __init__(self, ref: Any, config: RaftTrainConfig, run: Run, at: int = at, count: Any = count) -> None:
                super().__init__(ref, config, run)

                def stop(event: Event) -> None:
                    run.stop.requested = run.stop.requested or next(count) == at

                run.events.listen(stop)

        try:
            train_raft(configure(output=output), engine_factory=Stopping)
        except Interrupted:
            train_raft(configure(output=output), engine_factory=ToyEngine)
        assert files(output).keys() == files(tmp_path / "whole").keys()
        for name in files(output):
            if name.startswith("rollouts"):
                assert without_times(output / name) == without_times(tmp_path / "whole" / name), (at, name)
            else:
                assert (output / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), (at, name)


def test_a_finished_run_is_returned_and_more_cycles_go_on(
    configure: Callable[..., Loaded[RaftTrainConfig]], tmp_path: Path
) -> None:
    first = train_raft(configure(cycles=2), engine_factory=ToyEngine)
    events = (tmp_path / "out" / "events.jsonl").read_bytes()
    assert train_raft(configure(cycles=2), engine_factory=always("unused")) == first
    assert (tmp_path / "out" / "events.jsonl").read_bytes() == events
    longer = train_raft(configure(cycles=3), engine_factory=ToyEngine)
    assert longer.cycles[:3] == first.cycles
    straight = train_raft(configure(cycles=3, output=tmp_path / "straight"), engine_factory=ToyEngine)
    assert [c.rollouts for c in longer.cycles] == [c.rollouts for c in straight.cycles]


def test_changed_settings_are_refused(configure: Callable[..., Loaded[RaftTrainConfig]]) -> None:
    train_raft(configure(cycles=1), engine_factory=ToyEngine)
    with pytest.raises(RunConflictError, match=r"temperature was 0\.7, now 0\.9"):
        train_raft(configure(cycles=1, temperature=0.9), engine_factory=ToyEngine)


def test_nothing_right_stops_with_advice(configure: Callable[..., Loaded[RaftTrainConfig]]) -> None:
    with pytest.raises(DataError, match=r"cycle 1 kept none of 40 completions.*--min-samples"):
        train_raft(configure(), engine_factory=always("int f(int n) { return 0 }"))


def test_too_few_rows_for_a_batch_are_adapted_and_said(configure: Callable[..., Loaded[RaftTrainConfig]]) -> None:
    heard: list[Event] = []
    loaded = configure(cycles=1, batch_size=64, keep_fraction=1.0)
    summary = train_raft(loaded, (heard.append,), always(RIGHT))
    training = summary.cycles[1].training
    assert training is not None and training.steps >= 4
    assert any("too few for batches of 64" in str(e.m.get("message")) for e in heard)


def test_few_prompts_have_no_slice_and_the_last_cycle_is_published(
    configure: Callable[..., Loaded[RaftTrainConfig]],
) -> None:
    summary = train_raft(configure(max_prompts=6, cycles=2), engine_factory=ToyEngine)
    assert (summary.holdout_prompts, summary.best_cycle) == (0, 2)
    assert "no prompts were held out" in summary.chosen_by


def test_accumulating_trains_on_all_kept_so_far(configure: Callable[..., Loaded[RaftTrainConfig]]) -> None:
    summary = train_raft(configure(accumulate=True, cycles=2, keep_fraction=1.0), engine_factory=ToyEngine)
    rows = [cycle.training.rows for cycle in summary.cycles if cycle.training]
    assert rows[0] == summary.cycles[1].kept
    assert rows[0] < rows[1] <= rows[0] + summary.cycles[2].kept


def test_wrong_completions_are_learnt_from_with_their_advantage(
    configure: Callable[..., Loaded[RaftTrainConfig]],
) -> None:
    weights: list[float] = []

    class Weighing(ToyEngine):
        def row(self, prompt: Prompt, completion: Completion, **how: float) -> TrainingRow:
            weights.append(how["weight"])
            assert how["temperature"] == loaded.config.temperature
            return super().row(prompt, completion)

    loaded = configure(objective="reinforce-rej", cycles=1)
    heard: list[Event] = []
    summary = train_raft(loaded, (heard.append,), Weighing)
    decisions = list(read_records(loaded.config.output / "kept" / "cycle_1.jsonl", Decision))
    assert weights == [d.weight for d in decisions if d.kept]
    assert set(weights) == {1.0, -1.0}
    training = summary.cycles[1].training
    assert training is not None and training.rows == len(weights)
    assert any("do not apply" in str(e.m.get("message")) for e in heard)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"verifier": "gccc"}, ConfigError, "unknown verifier 'gccc'"),
        ({"model": "nowhere/at/all"}, ModelError, "there is no such folder"),
        ({"prompts": Path("none.jsonl")}, DataError, "none.jsonl"),
    ],
)
def test_mistakes_are_found_before_anything_is_written(
    configure: Callable[..., Loaded[RaftTrainConfig]],
    nano_model: Path,
    change: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    loaded = configure(**{"model": str(nano_model), **change})
    for call in (lambda: train_raft(loaded, engine_factory=ToyEngine), lambda: plan_raft(loaded)):
        with pytest.raises(error, match=message):
            call()
    assert not loaded.config.output.exists()


def test_a_dry_run_writes_nothing(configure: Callable[..., Loaded[RaftTrainConfig]], nano_model: Path) -> None:
    loaded = configure(model=str(nano_model))
    lines = dict(plan_raft(loaded).lines)
    assert lines["prompts"] == "10 to train on, 4 held out"
    assert not loaded.config.output.exists()


def test_prompts_that_do_not_fit_are_left_out_and_counted(
    configure: Callable[..., Loaded[RaftTrainConfig]], nano_model: Path, tmp_path: Path
) -> None:
    prompts = tmp_path / "long.jsonl"
    rows = [{"id": f"p{i}", "prompt": "x y " * (600 if i == 3 else 1), "entry_point": "f"} for i in range(4)]
    prompts.write_text("".join(json.dumps(row) + "\n" for row in rows))
    loaded = configure(model=str(nano_model), prompts=prompts, max_new_tokens=4)
    assert dict(plan_raft(loaded).lines)["prompts"] == "3 to train on, 0 held out"
    heard: list[Event] = []
    with pytest.raises(DataError, match="kept none of 12"):
        train_raft(loaded, (heard.append,))
    assert any("1 prompts are left out" in str(event.m.get("message")) for event in heard)


@pytest.mark.parametrize(("threshold", "said"), [(0.5, True), (1.0, False)])
def test_training_on_programs_that_fail_their_tests_is_said(
    configure: Callable[..., Loaded[RaftTrainConfig]], tmp_path: Path, threshold: float, said: bool
) -> None:
    prompts = tmp_path / "tested.jsonl"
    row = {"id": "p", "prompt": "double n", "tests": ["assert(f(5) == 10);"], "entry_point": "f"}
    prompts.write_text(json.dumps(row) + "\n")
    heard: list[Event] = []
    loaded = configure(prompts=prompts, cycles=1, reward_threshold=threshold)
    train_raft(loaded, (heard.append,), always(RIGHT))
    notices = [str(event.m["message"]) for event in heard if event.type is EventType.NOTICE]
    assert any("1 prompts have tests" in notice for notice in notices) is said


def test_summaries_of_cycles_survive_a_torn_line(
    configure: Callable[..., Loaded[RaftTrainConfig]], make_prompt: Callable[..., Prompt]
) -> None:
    loaded = configure(cycles=2)
    train_raft(loaded, engine_factory=ToyEngine)
    path = loaded.config.output / "cycles.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    assert [c.cycle for c in completed_cycles(loaded.config.output)] == [0, 1]
    again = train_raft(loaded, engine_factory=ToyEngine)
    assert [c.cycle for c in again.cycles] == [0, 1, 2]


Configure = Callable[..., Loaded[RaftTrainConfig]]


@pytest.fixture
def guarded(configure: Configure, tmp_path: Path) -> Configure:
    """A run with enough held-out prompts to prove a gain."""
    prompts = tmp_path / "many.jsonl"
    rows = [{"id": f"p{i}", "prompt": f"double n ({i})", "entry_point": "f"} for i in range(44)]
    prompts.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def make(**changes: Any) -> Loaded[RaftTrainConfig]:
        return configure(**{"prompts": prompts, "holdout_fraction": 0.5, "cycles": 6, **changes})

    return make


def test_a_run_that_gains_nothing_more_stops_well_and_stays_stopped(guarded: Configure, tmp_path: Path) -> None:
    heard: list[Event] = []
    summary = train_raft(guarded(), (heard.append,), ToyEngine)
    assert [c.holdout.pass_at["1"].value for c in summary.cycles if c.holdout][2:] == [1.0, 1.0, 1.0]
    assert (summary.best_cycle, len(summary.cycles)) == (2, 5)
    assert summary.stopped is not None
    assert "the last 2 cycles brought no proven gain over cycle 2 on 22 held-out prompts" in summary.stopped
    said = [e for e in heard if "stopped after cycle 4 of 6" in str(e.m.get("message"))]
    assert [event.cycle for event in said] == [4]
    assert heard[-1].type is EventType.RUN_FINISHED
    events = (tmp_path / "out" / "events.jsonl").read_bytes()
    for same in (guarded(), guarded(cycles=9), guarded(patience=1)):
        assert train_raft(same, engine_factory=always("unused")) == summary
    assert (tmp_path / "out" / "events.jsonl").read_bytes() == events
    longer = train_raft(guarded(patience=3), engine_factory=ToyEngine)
    straight = train_raft(guarded(patience=3, output=tmp_path / "straight"), engine_factory=ToyEngine)
    assert len(longer.cycles) == 6
    assert figures(longer) == figures(straight)
    assert len(train_raft(guarded(patience=0), engine_factory=ToyEngine).cycles) == 7


def figures(summary: RaftSummary) -> list[object]:
    cycles = [(c.rollouts, c.holdout, c.kept, c.length_drift) for c in summary.cycles]
    return [cycles, summary.best_cycle, summary.chosen_by, summary.stopped]


def test_an_interrupted_run_stops_where_a_whole_one_does(guarded: Configure, tmp_path: Path) -> None:
    whole = train_raft(guarded(output=tmp_path / "whole"), engine_factory=ToyEngine)
    total = sum(1 for _ in read_events(tmp_path / "whole" / "events.jsonl"))
    for at in range(total // 2, total - 1, max(1, total // 12)):
        output, count = tmp_path / f"stopped{at}", iter(range(total * 4))

        def stop(event: Event, count: Any = count, at: int = at) -> None:
            if next(count) == at:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            train_raft(guarded(output=output), (stop,), ToyEngine)
        assert figures(train_raft(guarded(output=output), engine_factory=ToyEngine)) == figures(whole), at


def test_an_old_summary_is_not_taken_for_that_of_later_cycles(
    configure: Callable[..., Loaded[RaftTrainConfig]], tmp_path: Path
) -> None:
    train_raft(configure(cycles=1), engine_factory=ToyEngine)
    old = (tmp_path / "out" / "summary.json").read_bytes()
    longer = train_raft(configure(cycles=2), engine_factory=ToyEngine)
    (tmp_path / "out" / "summary.json").write_bytes(old)  # killed after cycle 2, before it was published
    again = train_raft(configure(cycles=2), engine_factory=ToyEngine)
    assert figures(again) == figures(longer)


def test_patience_on_few_prompts_does_not_apply_and_is_said(
    configure: Callable[..., Loaded[RaftTrainConfig]],
) -> None:
    heard: list[Event] = []
    summary = train_raft(configure(cycles=4, patience=1), (heard.append,), always(RIGHT))
    assert (len(summary.cycles), summary.stopped) == (5, None)
    assert any("4 held-out prompts are too few" in str(event.m.get("message")) for event in heard)


def test_a_finished_cycle_says_how_its_answers_are(configure: Callable[..., Loaded[RaftTrainConfig]]) -> None:
    heard: list[Event] = []
    summary = train_raft(configure(cycles=1), (heard.append,), ToyEngine)
    start, first = (e.m for e in heard if e.type is EventType.CYCLE_FINISHED)
    drawn, held = summary.cycles[1].rollouts, summary.cycles[1].holdout
    assert drawn is not None and held is not None and "pass_at_4" not in start
    assert (first["pass_at_4"], first["holdout_pass_at_4"]) == (drawn.pass_at["4"].value, held.pass_at["4"].value)
    assert (first["distinct_2"], first["entropy"]) == (drawn.distinct["2"], drawn.entropy.value)
    assert (first["truncated_share"], first["unverifiable_share"]) == (0.0, 0.0)
    before = summary.cycles[0].holdout
    assert before is not None and first["length_drift"] == held.mean_tokens / before.mean_tokens - 1
