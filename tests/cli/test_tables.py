from io import StringIO

import pytest
from rich.console import Console

from halo_forge.cli.console import results_console
from halo_forge.cli.demo_tables import show_demo, show_every_demo
from halo_forge.cli.figures import number, percent_interval
from halo_forge.cli.tables import show_benchmark, show_plan, show_raft, show_sft
from halo_forge.rollout.metrics import Estimate, Metrics
from halo_forge.runs.plan import Plan
from halo_forge.runs.summary import (
    BenchmarkSummary,
    CycleSummary,
    DemosSummary,
    DemoSummary,
    RaftSummary,
    SftSummary,
    TrainingFigures,
)

TRAINING = TrainingFigures(
    rows=120,
    steps=24,
    learnt_tokens=9_876,
    mean_loss=0.61234,
    last_loss=0.5,
    learning_rate=2e-4,
    weight_change=0.0123,
)


def metrics(
    rate: float, *, ks: tuple[int, ...] = (1,), faults: dict[str, int] | None = None, without: int = 0
) -> Metrics:
    interval = Estimate(value=rate, ci95=(rate - 0.065, rate + 0.066))
    return Metrics(
        prompts=160,
        completions=1_280,
        pass_at={str(k): interval for k in ks},
        compile_rate=Estimate(value=0.9, ci95=(0.88, 0.92)),
        mean_reward=Estimate(value=0.412, ci95=(0.38, 0.444)),
        by_stage={"passed": 480, "tests": 600, "run": 80, "compile": 110},
        unverifiable=faults or {},
        prompts_without={str(k): without if k == max(ks) else 0 for k in ks},
        truncated=12,
        distinct_fraction=0.71,
        mean_tokens=48.25,
        entropy=Estimate(value=0.5, ci95=(0.4, 0.6)),
        distinct={"1": 0.1, "2": 0.3, "3": 0.45},
        rewards=(0,) * 10,
    )


def shown(show, summary, width: int = 120) -> str:
    page = StringIO()
    console = results_console(page)
    console.width = width
    show(summary, console)
    return page.getvalue()


def words(text: str) -> str:
    return " ".join(text.split())


RAFT = RaftSummary(
    run_id="r",
    model="models/sft/final_model",
    verifier="gcc",
    verifier_version="1",
    seed=7,
    prompts=160,
    holdout_prompts=16,
    cycles=(
        CycleSummary(cycle=0, holdout=metrics(0.2)),
        CycleSummary(
            cycle=1,
            rollouts=metrics(0.3, faults={"sandbox: no memory": 10}),
            kept=240,
            training=TRAINING,
            holdout=metrics(0.375),
            seconds={"generate": 10.0, "verify": 4.0, "collect": 11.0, "train": 3.0, "evaluate": 2.0, "all": 16.5},
        ),
        CycleSummary(
            cycle=2, rollouts=metrics(0.35), kept=0, holdout=metrics(0.36), seconds={"generate": 9.0, "all": 75.0}
        ),
    ),
    best_cycle=1,
    chosen_by="highest pass@1 on the held-out slice, 0.375 (start model 0.200)",
    wall_s=91.5,
)


def test_raft_has_a_row_a_cycle_and_says_which_was_published() -> None:
    text = shown(show_raft, RAFT, width=80)
    rows = [words(line) for line in text.splitlines()]
    assert "start 20.0% [13.5, 26.6] – –" in rows
    assert "1 * 37.5% [31.0, 44.1] 30.0% [23.5, 36.6] 90.0% [88.0, 92.0]" in rows
    assert "2 36.0% [29.5, 42.6] 35.0% [28.5, 41.6] 90.0% [88.0, 92.0]" in rows
    assert "1 240 of 1,280 24 0.6123 1.2% 6,176 16 s" in rows
    assert "2 0 of 1,280 – – – 6,862 1 min 15 s" in rows
    assert "Published as final_model: cycle 1. Why: highest pass@1" in words(text)


def test_raft_shows_how_the_answers_are() -> None:
    held = metrics(0.375, ks=(1, 8))
    start = RAFT.cycles[0].model_copy(update={"holdout": held})
    drifted = RAFT.cycles[1].model_copy(update={"holdout": held, "length_drift": -0.125})
    text = shown(show_raft, RAFT.model_copy(update={"cycles": (start, drifted)}), width=100)
    rows = [words(line) for line in text.splitlines()]
    assert "cycle pass@8 entropy distinct-2 tokens drift cut unverifiable" in rows
    assert "start 37.5% 0.500 0.300 48.2 – 0.9% 0.0%" in rows
    assert "1 37.5% 0.500 0.300 48.2 -12% 0.9% 0.0%" in rows


def test_raft_says_why_it_stopped() -> None:
    assert "Stopped after" not in shown(show_raft, RAFT)
    stopped = RAFT.model_copy(update={"stopped": "the last 2 cycles brought no proven gain"})
    assert "Stopped after cycle 2: the last 2 cycles brought no proven gain." in words(shown(show_raft, stopped))


def test_raft_says_what_could_not_be_verified() -> None:
    text = words(shown(show_raft, RAFT))
    assert "cycle 1, drawn: 10 completions could not be verified and count neither way: sandbox: no memory" in text


def test_raft_whose_start_model_was_published() -> None:
    assert "Published as final_model: the start model." in words(
        shown(show_raft, RAFT.model_copy(update={"best_cycle": 0}))
    )


BENCHMARK = BenchmarkSummary(
    run_id="r",
    model="m",
    verifier="gcc",
    verifier_version="1",
    seed=0,
    temperature=0.7,
    samples=8,
    prompts_hash="0123456789abcdef",
    sampled=metrics(0.375, ks=(1, 5), faults={"g++ died": 10}, without=3),
    greedy=metrics(0.4),
    groups={"seen": (metrics(0.5, ks=(1, 5)), metrics(0.6)), "unseen": (metrics(0.25, ks=(1, 5)), None)},
    tokens_per_s=1234.6,
    wall_s=200.0,
)


def test_benchmark_shows_sampled_and_greedy_beside_each_other() -> None:
    text = words(shown(show_benchmark, BENCHMARK))
    assert "pass@1 37.5% [31.0, 44.1] 40.0% [33.5, 46.6]" in text
    assert "pass@5 37.5% [31.0, 44.1] –" in text
    assert "mean reward 0.412 [0.380, 0.444]" in text
    assert "cut at max_new_tokens 12 of 1,280" in text


def test_benchmark_shows_groups_stages_and_what_was_left_out() -> None:
    text = words(shown(show_benchmark, BENCHMARK))
    assert "seen, 160 prompts pass@1 50.0% [43.5, 56.6] 60.0% [53.5, 66.6] pass@5 50.0% [43.5, 56.6] –" in text
    assert "unseen, 160 prompts pass@1 25.0% [18.5, 31.6] –" in text
    assert "passed everything 480 (37.5%) 480 (37.5%)" in text
    assert "could not be verified 10 (0.8%) 0 (0.0%)" in text
    assert "pass@5 leaves out 3 prompts with fewer than 5 verified completions" in text
    assert "Took 3 min 20 s at 1,235 tokens/s. Prompts 0123456789ab, seed 0." in text


def test_benchmark_without_greedy_groups_or_faults() -> None:
    plain = BENCHMARK.model_copy(update={"greedy": None, "groups": {}, "sampled": metrics(0.5), "tokens_per_s": None})
    text = words(shown(show_benchmark, plain))
    assert "greedy" not in text
    assert "By group" not in text
    assert "count neither way" not in text
    assert "Took 3 min 20 s. Prompts" in text


def test_sft() -> None:
    summary = SftSummary(
        run_id="r", model="m", seed=0, rows=120, dropped={"longer than 2048 tokens": 3}, training=TRAINING, wall_s=10.0
    )
    text = words(shown(show_sft, summary))
    assert "rows 120 rows dropped 3 longer than 2048 tokens" in text
    assert "loss, mean and last 0.6123, 0.5000" in text
    assert "peak learning rate 2.0e-04" in text
    assert "weights moved by 1.2%" in text
    assert "learnt tokens/s, all told 988" in text


def test_markup_in_names_is_shown_as_it_is() -> None:
    text = shown(show_raft, RAFT.model_copy(update={"model": "models/[bold]x"}), width=200)
    assert "models/[bold]x" in text


def test_plan() -> None:
    text = words(shown(show_plan, Plan((("prompts", "160 [bold]"), ("steps", "24")))))
    assert text == "Nothing was run. A run would be prompts 160 [bold] steps 24"


def demo_figures(rate: float) -> dict[str, Estimate]:
    interval = Estimate(value=rate, ci95=(rate - 0.05, rate + 0.05))
    return dict.fromkeys(("compile_rate", "pass@1", "greedy_compile_rate", "greedy_pass@1"), interval)


DEMO = DemoSummary(
    run_id="r",
    seed=0,
    quick=False,
    test_prompts=160,
    control_steps=80,
    sft=demo_figures(0.06),
    raft=demo_figures(0.2),
    control=demo_figures(0.1),
    unfiltered=demo_figures(0.15),
    unseen={"raft": {"pass@1": Estimate(value=0.11)}},
    differences={
        "pass@1: raft - sft": Estimate(value=0.14, ci95=(0.081, 0.2)),
        "greedy_pass@1: raft - sft": Estimate(value=-0.02, ci95=(-0.05, 0.01)),
    },
    seconds={},
    commands={},
    wall_s=200.0,
)


def test_demo_shows_raft_beside_its_controls() -> None:
    text = words(shown(show_demo, DEMO, width=90))
    assert "160 test prompts: pass their tests (pass@1) model sampled greedy" in text
    assert "after RAFT 20.0% [15.0, 25.0] 20.0% [15.0, 25.0]" in text
    assert "control: further SFT 10.0% [5.0, 15.0]" in text
    assert "after SFT +14.0 [+8.1, +20.0] -2.0 [-5.0, +1.0]" in text
    assert "after RAFT 11.0% –" in text
    assert "mean nothing" not in text


def test_every_demo_is_a_row() -> None:
    wer = {"greedy_WER": Estimate(value=0.1, ci95=(0.05, 0.15))}
    gain = {"greedy_WER: raft - control": Estimate(value=-0.78, ci95=(-0.81, -0.74))}
    heard = DEMO.model_copy(
        update={"domain": "audio", "primary_metric": "WER", "higher_is_better": False, "raft": wer, "differences": gain}
    )
    summary = DemosSummary(run_id="r", seed=0, quick=False, demos={"code": DEMO, "audio": heard}, wall_s=400.0)
    text = words(shown(show_every_demo, summary, width=140))
    assert "code pass@1 6.0% 20.0% 10.0% 15.0% –" in text
    assert "audio WER (less is better) – 10.0% – – -78.0 [-81.0, -74.0]" in text
    assert "Took 6 min 40 s, seed 0." in text


def test_a_quick_demo_says_that_it_means_nothing() -> None:
    text = words(shown(show_demo, DEMO.model_copy(update={"quick": True, "unseen": {}})))
    assert "its figures mean nothing" in text
    assert "no training has shown" not in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0, "0"),
        (12_345, "12,345"),
        (1234.5, "1,234"),
        (0.25, "0.25"),
        (2e-4, "2.0e-04"),
        (-3.14159, "-3.14"),
    ],
)
def test_number(value: float | None, text: str) -> None:
    assert number(value) == text


def test_interval() -> None:
    assert percent_interval(Estimate(value=0.375, ci95=(0.31, 0.441))) == "37.5%  [31.0, 44.1]"
    assert percent_interval(Estimate(value=0.375)) == "37.5%"
    assert percent_interval(Estimate(value=None)) == percent_interval(None) == "–"


@pytest.mark.parametrize(("best_cycle", "colour"), [(1, "\x1b[1;32m"), (0, "\x1b[1;33m")])
def test_only_a_gain_over_the_start_model_is_green(best_cycle: int, colour: str) -> None:
    page = StringIO()
    console = Console(file=page, force_terminal=True, color_system="standard", width=120, _environ={})
    show_raft(RAFT.model_copy(update={"best_cycle": best_cycle}), console)
    assert f"{colour}Published as final_model" in page.getvalue()
