from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from toy import RIGHT, ToyEngine, always, write_toy_model

from halo_forge.config.load import Loaded, load
from halo_forge.config.raft import RaftTrainConfig
from halo_forge.core.errors import ConfigError, DataError, EnvironmentFault, Interrupted, ModelError, RunConflictError
from halo_forge.core.events import Event, EventType, read_events
from halo_forge.core.protocols import TrainingRow
from halo_forge.core.types import Completion, Prompt
from halo_forge.raft.cycle import Amount, enough_steps
from halo_forge.raft.engine import LEAST_STEPS
from halo_forge.raft.loop import completed_cycles, plan_raft, train_raft
from halo_forge.rollout.decision import Decision
from halo_forge.rollout.metrics import measure
from halo_forge.rollout.records import read_records, read_rollouts
from halo_forge.rollout.sketch import sketch
from halo_forge.runs.run_dir import Run
from halo_forge.runs.summary import RaftSummary
from halo_forge.training.batches import count_steps
from halo_forge.training.schedule import learning_rate_at


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
    names = ("rollouts", "kept", "plans", "cycle_1_final", "cycle_2_final", "cycle_3_final", "final_model")
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


SCHEDULES: dict[str, dict[str, Any]] = {
    "plain": {},
    "adaptive": {"curriculum": "adaptive", "reward_shaping": "adaptive", "temperature_end": 1.0, "lr_decay": 0.5},
    "historical": {
        "curriculum": "historical",
        "start_from": "base",
        "reward_threshold": 0.2,
        "reward_shaping": "warmup",
        "reward_threshold_end": 0.5,
    },
    "list": {"cycle_settings": [{"keep_fraction": 1}, {"verifier_options": {"min_tokens": 5}, "prompt_fraction": 0.7}]},
}


@pytest.mark.parametrize(
    ("schedule", "every"),
    [
        *((name, 6 if name == "plain" else 13) for name in SCHEDULES),
        *(pytest.param(name, 2, marks=pytest.mark.slow) for name in SCHEDULES),
    ],
)
def test_interrupted_anywhere_the_run_ends_the_same(
    configure: Callable[..., Loaded[RaftTrainConfig]], tmp_path: Path, schedule: str, every: int
) -> None:
    configure = partial(configure, **SCHEDULES[schedule])
    train_raft(configure(output=tmp_path / "whole"), engine_factory=ToyEngine)
    total = sum(1 for _ in read_events(tmp_path / "whole" / "events.jsonl"))
    for at in range(1, total - 1, every):
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


def test_another_start_model_under_the_same_name_is_refused(
    configure: Callable[..., Loaded[RaftTrainConfig]], tmp_path: Path
) -> None:
    loaded = configure(cycles=1)
    train_raft(loaded, engine_factory=ToyEngine)
    for call in (lambda: train_raft(loaded, engine_factory=ToyEngine), lambda: plan_raft(loaded)):
        write_toy_model(tmp_path / "start", 0.9)
        with pytest.raises(RunConflictError, match=r"the content of model \(.*start\) changed"):
            call()
    write_toy_model(tmp_path / "start", 0.3)
    assert train_raft(loaded, engine_factory=ToyEngine).cycles


def test_a_checkpoint_that_is_gone_is_trained_again(
    configure: Callable[..., Loaded[RaftTrainConfig]], tmp_path: Path
) -> None:
    train_raft(configure(output=tmp_path / "whole"), engine_factory=ToyEngine)
    train_raft(configure(cycles=2), engine_factory=ToyEngine)
    shutil.rmtree(tmp_path / "out" / "cycle_2_final")
    heard: list[Event] = []
    train_raft(configure(), (heard.append,), ToyEngine)
    assert any("the checkpoint of cycle 2 is gone" in str(event.m.get("message")) for event in heard)
    again = completed_cycles(tmp_path / "out")
    assert [c.cycle for c in again] == [0, 1, 2, 3]
    for name in files(tmp_path / "whole"):
        if not name.startswith("rollouts"):
            assert files(tmp_path / "out")[name] == files(tmp_path / "whole")[name], name


def test_a_checkpoint_that_cannot_be_read_says_what_to_do(
    configure: Callable[..., Loaded[RaftTrainConfig]], tmp_path: Path
) -> None:
    train_raft(configure(cycles=2), engine_factory=ToyEngine)
    (tmp_path / "out" / "cycle_2_final" / "checkpoint.json").write_text("{")
    with pytest.raises(ModelError, match=r"cycle_2_final/checkpoint.json is damaged; remove .*cycle_2_final, and"):
        train_raft(configure(), engine_factory=ToyEngine)


def test_a_run_killed_after_its_last_word_but_one_ends_when_asked_again(
    configure: Callable[..., Loaded[RaftTrainConfig]], tmp_path: Path
) -> None:
    first = train_raft(configure(), engine_factory=ToyEngine)
    (tmp_path / "out" / "exit.json").unlink()
    assert train_raft(configure(), engine_factory=ToyEngine).cycles == first.cycles
    assert (tmp_path / "out" / "exit.json").exists()


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


def test_every_cycle_draws_and_selects_as_its_schedule_says(
    configure: Callable[..., Loaded[RaftTrainConfig]],
) -> None:
    heard: list[Event] = []
    loaded = configure(
        reward_threshold=0.2,
        reward_shaping="annealing",
        reward_threshold_end=0.4,
        temperature_end=1.1,
        learning_rate=1e-3,
        lr_decay=0.5,
        curriculum="progressive",
        prompt_fraction=0.5,
        cycle_settings=[{}, {"keep_fraction": 1, "samples_per_prompt": 3}],
    )
    summary = train_raft(loaded, (heard.append,), ToyEngine)
    cycles = summary.cycles[1:]
    assert [c.threshold for c in cycles] == pytest.approx([0.2, 0.3, 0.4])
    assert [c.settings["temperature"] for c in cycles] == pytest.approx([0.7, 0.9, 1.1])
    assert [c.training.learning_rate for c in cycles if c.training] == [1e-3, 5e-4, 2.5e-4]
    assert [c.rollouts.prompts for c in cycles if c.rollouts] == [5, 8, 10]
    assert [c.rollouts.completions for c in cycles if c.rollouts] == [20, 24, 40]
    assert {c.holdout.completions for c in summary.cycles if c.holdout} == {16}
    said = [str(e.m.get("message")) for e in heard if e.type is EventType.NOTICE]
    (second,) = [message.removeprefix("cycle 2 runs with ") for message in said if message.startswith("cycle 2 runs")]
    assert sorted(second.split(", ")) == [
        "8 of 10 prompts",
        "keep fraction 1",
        "learning rate 0.0005",
        "reward threshold 0.3",
        "samples per prompt 3",
        "temperature 0.9",
    ]


def test_a_cycle_may_have_a_verifier_of_its_own_and_the_slice_keeps_the_runs(
    configure: Callable[..., Loaded[RaftTrainConfig]],
) -> None:
    loaded = configure(cycles=2, cycle_settings=[{}, {"verifier": "python", "min_samples": 1}])
    with pytest.raises(DataError, match="cycle 2 kept none of 40"):  # no C++ is Python
        train_raft(loaded, engine_factory=ToyEngine)
    output = loaded.config.output
    drawn, held = (read_rollouts(output / "rollouts" / f"{name}.jsonl") for name in ("cycle_2", "holdout_1"))
    assert {r.verdict.reward for r in drawn} == {0.0}
    assert any(r.verdict.passed for r in held)
    context = json.loads((output / "launch_context.json").read_text())
    assert "g++" in context["verifier_version"] and "; python rules" in context["verifier_version"]


def test_a_verifier_that_a_later_cycle_lacks_is_found_before_anything_is_written(
    configure: Callable[..., Loaded[RaftTrainConfig]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("bwrap", "prlimit", "python3"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    monkeypatch.setenv("PATH", str(tmp_path))
    loaded = configure(verifier="python", cycles=2, cycle_settings=[{}, {"verifier": "gcc"}])
    with pytest.raises(EnvironmentFault, match="the compiler"):
        train_raft(loaded, engine_factory=ToyEngine)
    assert not loaded.config.output.exists()


def test_each_cycle_may_train_the_weights_the_run_started_from(
    configure: Callable[..., Loaded[RaftTrainConfig]], tmp_path: Path
) -> None:
    summary = train_raft(configure(start_from="base", keep_fraction=0.1), engine_factory=ToyEngine)
    for cycle in (1, 2, 3):
        skill = json.loads((tmp_path / "out" / f"cycle_{cycle}_final" / "config.json").read_text())["skill"]
        training = summary.cycles[cycle].training
        assert training is not None
        assert skill == pytest.approx(0.3 + 0.06 * training.rows)


def test_only_cycles_that_have_not_begun_may_be_given_other_settings(
    configure: Callable[..., Loaded[RaftTrainConfig]],
) -> None:
    given = [{"keep_fraction": 1}, {"temperature": 0.8}]
    train_raft(configure(cycles=2, cycle_settings=given), engine_factory=ToyEngine)
    more = train_raft(configure(cycles=3, cycle_settings=[*given, {"temperature": 0.9}]), engine_factory=ToyEngine)
    assert more.cycles[3].settings["temperature"] == 0.9
    with pytest.raises(RunConflictError, match=r"cycle 2 was given \{'temperature': 0\.8\}, now \{\}"):
        train_raft(configure(cycles=3, cycle_settings=given[:1]), engine_factory=ToyEngine)


def test_cycles_added_later_keep_the_last_value_of_a_schedule(
    configure: Callable[..., Loaded[RaftTrainConfig]],
) -> None:
    train_raft(configure(cycles=2, temperature_end=1.0), engine_factory=ToyEngine)
    longer = train_raft(configure(cycles=4, temperature_end=1.0), engine_factory=ToyEngine)
    assert [c.settings["temperature"] for c in longer.cycles[1:]] == [0.7, 1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("rows", "asked", "expected"),
    [
        (64, (16, 1.0), (16, 1.0)),
        (50, (16, 1.0), (16, 1.0)),
        (48, (16, 1.0), (15, 1.0)),
        (20, (64, 1.0), (6, 1.0)),
        (4, (16, 1.0), (1, 1.0)),
        (3, (16, 1.0), (1, 4 / 3)),
        (1, (16, 1.0), (1, 4.0)),
        (1, (16, 8.0), (16, 8.0)),
        (6, (16, 0.5), (1, 4 / 6)),
    ],
)
def test_a_cycle_takes_at_least_four_steps(rows: int, asked: tuple[int, float], expected: tuple[int, float]) -> None:
    amount = enough_steps(rows, Amount(*asked))
    assert amount == expected
    steps = count_steps(rows, amount.batch_size, amount.epochs)
    assert steps >= LEAST_STEPS
    assert all(learning_rate_at(step, steps, 1e-4, 0.05, "constant") > 0 for step in range(steps))


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
