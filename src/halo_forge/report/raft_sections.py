"""The sections of a RAFT run's page."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from halo_forge.core.words import NONE, duration, percent
from halo_forge.report.blocks import Body, Figure, SampleGroup, Section, Table
from halo_forge.report.curves import loss_figure
from halo_forge.report.plots import (
    in_order,
    plot_diversity,
    plot_kept,
    plot_rates,
    plot_rewards,
    plot_time,
    wall_phases,
)
from halo_forge.report.raft_headline import raft_headline
from halo_forge.report.raft_view import RaftView, read_raft
from halo_forge.report.read import RunView
from halo_forge.report.samples import read_prompts, show
from halo_forge.report.stages import stage_section
from halo_forge.report.wording import number, visible, with_interval
from halo_forge.rollout.metrics import Metrics
from halo_forge.runs.summary import CycleSummary


class _Drawn(NamedTuple):
    """A cycle that drew completions, with their figures."""

    cycle: CycleSummary
    metrics: Metrics

    @property
    def name(self) -> str:
        return f"cycle {self.cycle.cycle}"


def raft_body(run: RunView, plots: Path) -> Body:
    """Build what is particular to a RAFT run, writing its plots on the way."""
    view = read_raft(run)
    headline, caveats = raft_headline(view)
    drawn = [_Drawn(c, c.rollouts) for c in view.cycles if c.rollouts is not None]
    sections = (
        _rates(view, plots),
        _cycles(view, drawn),
        stage_section({d.name: d.metrics for d in drawn}, plots),
        _rewards(drawn, plots),
        _selection(drawn, plots),
        _training(run, plots),
        _time(view, plots),
        _samples(run, view),
    )
    return Body(headline, caveats, sections)


def _rates(view: RaftView, plots: Path) -> Section:
    title = "Rates by cycle"
    held = [(c.cycle, c.holdout) for c in view.cycles if c.holdout]
    drawn = [(c.cycle, c.rollouts) for c in view.cycles if c.rollouts]
    if not held and not drawn:
        return Section(title, view.unfinished, empty="No cycle is complete enough to be measured yet.")
    text = list(view.unfinished)
    published = None
    if view.summary is not None:
        published = view.summary.best_cycle
        text.append(f"Published: cycle {published} ({visible(view.summary.chosen_by)}).")
        if view.summary.stopped is not None:
            text.append(f"Stopped after cycle {view.summary.cycles[-1].cycle}: {visible(view.summary.stopped)}.")
    if not held:
        text.append("There are no figures on held-out prompts, so only the training prompts are shown.")
    alt = " ".join(_pass_by_cycle(name, pairs) for name, pairs in (("held-out", held), ("training", drawn)) if pairs)
    caption = (
        "Bars are 95% intervals (bootstrap over prompts). A cycle draws its completions before it trains, "
        "so cycle 1 on the training prompts shows the start model."
    )
    figure = Figure(plot_rates(view.cycles, plots / "rates.png", published), alt, caption)
    return Section(title, tuple(text), (figure,))


def _pass_by_cycle(name: str, pairs: list[tuple[int, Metrics]]) -> str:
    values = (f"cycle {n} {with_interval(metrics.pass_at.get('1'))}" for n, metrics in pairs)
    return f"pass@1 on {name} prompts: {'; '.join(values)}."


def _cycles(view: RaftView, drawn: list[_Drawn]) -> Section:
    rated = [c for c in view.cycles if c.rollouts or c.holdout]
    if not rated:
        return Section("All cycles", empty="No cycle is complete enough to be measured yet.")
    measured = Table(
        "Shares with 95% intervals",
        ("Cycle", "Training: compiles", "Training: pass@1", "Held-out: compiles", "Held-out: pass@1"),
        tuple((_name(c), *_shares(c.rollouts), *_shares(c.holdout)) for c in rated),
    )
    trained = Table(
        "Selection and training",
        ("Cycle", "Drawn", "Unverifiable", "Truncated", "Threshold", "Kept", "Steps", "Mean loss", "Weight change"),
        tuple(_trained_row(*d) for d in drawn),
    )
    answers = Table(
        "How the answers are",
        ("Cycle", "Prompts", "pass@k", "Entropy", "Distinct-2", "Mean tokens", "Drift", "Truncated", "Unverifiable"),
        tuple(
            _answer_row(c, where, metrics)
            for c in rated
            for where, metrics in (("training", c.rollouts), ("held-out", c.holdout))
            if metrics is not None
        ),
    )
    return Section("All cycles", tables=(measured, trained, answers) if drawn else (measured, answers))


def _answer_row(cycle: CycleSummary, where: str, metrics: Metrics) -> tuple[str, ...]:
    k = max(map(int, metrics.pass_at))
    drift = cycle.length_drift if where == "held-out" or cycle.holdout is None else None
    return (
        _name(cycle),
        where,
        f"k = {k}: {percent(metrics.pass_at[str(k)].value)}",
        number(metrics.entropy.value, 3),
        number(metrics.distinct.get("2"), 3),
        f"{metrics.mean_tokens:,.0f}",
        NONE if drift is None else f"{drift:+.0%}",
        percent(metrics.truncated_share),
        percent(metrics.unverifiable_share),
    )


def _name(cycle: CycleSummary) -> str:
    return "0, start model" if cycle.cycle == 0 else str(cycle.cycle)


def _shares(metrics: Metrics | None) -> tuple[str, str]:
    if metrics is None:
        return NONE, NONE
    return with_interval(metrics.compile_rate), with_interval(metrics.pass_at.get("1"))


def _trained_row(cycle: CycleSummary, metrics: Metrics) -> tuple[str, ...]:
    training = cycle.training
    return (
        _name(cycle),
        f"{metrics.completions:,}",
        f"{sum(metrics.unverifiable.values()):,}",
        f"{metrics.truncated:,}",
        number(cycle.threshold),
        f"{cycle.kept:,}",
        NONE if training is None else f"{training.steps:,}",
        NONE if training is None else number(training.mean_loss, 3),
        NONE if training is None else percent(training.weight_change),
    )


def _rewards(drawn: list[_Drawn], plots: Path) -> Section:
    verified = [d for d in drawn if sum(d.metrics.rewards)]
    if not verified:
        return Section("Rewards", empty="No cycle has verified rewards yet.")
    alt = "; ".join(f"{d.name}: mean {number(d.metrics.mean_reward.value)}" for d in verified)
    caption = "Share of each cycle’s verified completions, by reward."
    figure = Figure(plot_rewards([d.cycle for d in verified], plots / "rewards.png"), alt, caption)
    return Section("Rewards", figures=(figure,))


def _selection(drawn: list[_Drawn], plots: Path) -> Section:
    title = "Selection and diversity"
    if not drawn:
        return Section(title, empty="Nothing has been selected yet.")
    cycles = [d.cycle for d in drawn]
    kept = "; ".join(f"{d.name}: {d.cycle.kept:,} of {d.metrics.completions:,}" for d in drawn)
    spread = "; ".join(f"{d.name}: {_spread(d.metrics)}" for d in drawn)
    return Section(
        title,
        figures=(
            Figure(plot_kept(cycles, plots / "kept.png"), kept, "Completions that the cycle trained on.", half=True),
            Figure(
                plot_diversity(cycles, plots / "diversity.png"),
                spread,
                "Entropy a token, estimated by minus the mean log-probability of what was drawn, and the share of "
                "different texts among a prompt’s completions. Both falling towards nothing is a collapse.",
                half=True,
            ),
        ),
    )


def _spread(metrics: Metrics) -> str:
    distinct = f"{percent(metrics.distinct_fraction)} distinct"
    return distinct if metrics.entropy.value is None else f"{distinct}, {metrics.entropy.value:.2f} nats a token"


def _training(run: RunView, plots: Path) -> Section:
    if not run.history.steps:
        return Section("Training loss", empty="No optimiser step has been taken yet.")
    caption = "Mean loss a token of the kept completions, cycle after cycle."
    return Section("Training loss", figures=(loss_figure(run.history.steps, plots / "loss.png", caption),))


def _time(view: RaftView, plots: Path) -> Section:
    timed = [c for c in view.cycles if any(c.seconds.values())]
    if not timed:
        return Section("Time", empty="No phase has been timed yet.")
    alt = "; ".join(
        f"cycle {c.cycle}: " + ", ".join(f"{phase} {duration(s)}" for phase, s in wall_phases(c.seconds).items())
        for c in timed
    )
    phases = in_order(phase for c in timed for phase in c.seconds)
    rows = tuple((_name(c), *(duration(c.seconds.get(phase)) for phase in phases)) for c in timed)
    caption = "Time on the clock, phase after phase."
    if "collect" in phases:
        caption += " “collect” is generate and verify together, which overlap."
    figure = Figure(plot_time(timed, plots / "time.png"), alt, caption)
    return Section("Time", figures=(figure,), tables=(Table("Time on the clock", ("Cycle", *phases), rows),))


def _samples(run: RunView, view: RaftView) -> Section:
    title = "Sample completions"
    if not any(view.picks.values()):
        return Section(title, empty="No completion has been drawn yet.")
    ids = {pick.rollout.prompt_id for picks in view.picks.values() for pick in picks}
    prompts = read_prompts(run.folder, ids)
    groups = tuple(
        SampleGroup(f"Cycle {n}", tuple(show(p, prompts, f"rollouts/cycle_{n}.jsonl") for p in picks))
        for n, picks in sorted(view.picks.items())
        if picks
    )
    text = [f"A few of each cycle, drawn with the run’s seed ({run.seed}). What the model wrote is shown as it is."]
    if not prompts:
        text.append("The run folder holds no prompts.jsonl, so the prompts’ texts are not shown.")
    return Section(title, tuple(text), groups=groups)
