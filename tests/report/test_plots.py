import math
from pathlib import Path

from halo_forge.report.curves import plot_loss, rolling_mean, running_steps
from halo_forge.report.history import Step
from halo_forge.report.plots import in_order, plot_arms, plot_diversity, plot_rates, plot_rewards, wall_phases
from halo_forge.report.stages import plot_stages
from halo_forge.report.style import evenly
from halo_forge.rollout.metrics import Estimate, Metrics, measure
from halo_forge.runs.summary import CycleSummary, RaftSummary

PNG = b"\x89PNG"


def nothing_measured() -> Metrics:
    return measure([])


def test_arms_with_foreign_names_and_missing_measures(tmp_path: Path) -> None:
    arms = {
        "RAFT <b>$x$": {"pass@1": Estimate(value=0.4, ci95=(0.3, 0.5)), "unseen": Estimate(value=0.2)},
        "控制": {"pass@1": Estimate(value=None)},
    }
    svg = plot_arms(arms, tmp_path / "arms.png")
    assert (tmp_path / "arms.png").read_bytes().startswith(PNG)
    assert "RAFT &lt;b&gt;$x$" in svg and "控制" in svg
    assert svg.count("not measured") == 2
    assert "40.0%" in svg


def test_arms_of_one_measure_near_zero(tmp_path: Path) -> None:
    svg = plot_arms({"base": {"pass@1": Estimate(value=0.0, ci95=(0.0, 0.0))}}, tmp_path / "arms.png")
    assert "0.0%" in svg


def test_rates_of_a_run_where_nothing_could_be_verified(tmp_path: Path) -> None:
    cycles = [CycleSummary(cycle=1, rollouts=nothing_measured(), holdout=nothing_measured())]
    assert "svg" in plot_rates(cycles, tmp_path / "rates.png", published=1)
    assert "svg" in plot_diversity(cycles, tmp_path / "diversity.png")


def test_rates_mark_the_published_cycle(tmp_path: Path, raft_run: Path) -> None:
    cycles = RaftSummary.model_validate_json((raft_run / "summary.json").read_text()).cycles
    assert ">published<" in plot_rates(cycles, tmp_path / "rates.png", published=3)
    assert ">published<" not in plot_rates(cycles, tmp_path / "rates.png")


def test_many_cycles_stay_readable(tmp_path: Path, raft_run: Path) -> None:
    first = RaftSummary.model_validate_json((raft_run / "summary.json").read_text()).cycles[1]
    cycles = [first.model_copy(update={"cycle": n}) for n in range(1, 61)]
    svg = plot_rewards(cycles, tmp_path / "rewards.png")
    assert svg.count(">Cycle ") == 15
    assert ">Cycle 1<" in svg and ">Cycle 60<" in svg


def test_loss_with_gaps_and_one_step(tmp_path: Path) -> None:
    steps = [Step(1, 1, None, None)]
    assert "svg" in plot_loss(steps, tmp_path / "loss.png", learning_rate=True)
    steps = [Step(c, i, None if i == 7 else 1 / i, 1e-5) for c in (1, 2) for i in range(1, 80)]
    svg = plot_loss(steps, tmp_path / "loss.png")
    assert ">cycle 2<" in svg


def test_steps_count_on_over_cycles_though_not_each_is_reported() -> None:
    steps = [Step(1, 5, 1.0, None), Step(1, 20, 1.0, None), Step(2, 4, 1.0, None), Step(3, 6, 1.0, None)]
    assert running_steps(steps) == [5, 20, 24, 30]


def test_stages_leave_out_an_empty_set(tmp_path: Path) -> None:
    svg = plot_stages({"a": {"passed": 1, "parse": 3}, "empty": {}}, tmp_path / "stages.png")
    assert ">a<" in svg and ">empty<" not in svg and "75%" in svg


def test_rolling_mean_skips_what_is_not_finite() -> None:
    assert rolling_mean([1.0, None, 3.0], 2) == [1.0, 2.0, 3.0]
    assert math.isnan(rolling_mean([None], 5)[0])


def test_phases_inside_collect_are_not_counted_twice() -> None:
    seconds = {"train": 3.0, "collect": 5.0, "generate": 4.0, "verify": 2.0, "merge": 1.0}
    assert wall_phases(seconds) == {"collect": 5.0, "train": 3.0, "merge": 1.0}
    assert in_order(["all", "merge", "train", "generate"]) == ["generate", "train", "merge", "all"]


def test_time_outside_every_phase_is_other() -> None:
    assert wall_phases({"all": 10.0, "train": 6.0}) == {"train": 6.0, "other": 4.0}
    assert wall_phases({"all": 6.01, "train": 6.0}) == {"train": 6.0}


def test_evenly_keeps_both_ends() -> None:
    assert evenly(3, 5) == [0, 1, 2]
    assert evenly(100, 5) == [0, 25, 50, 74, 99]
