"""The sections of the demo's page: RAFT beside its controls, on the same prompts."""

from __future__ import annotations

from pathlib import Path

from halo_forge.core.words import count, duration, percent
from halo_forge.report.blocks import Body, Figure, Section, Table
from halo_forge.report.plots import plot_arms
from halo_forge.report.read import RunView
from halo_forge.report.wording import points, visible, with_interval
from halo_forge.runs.summary import DEMO_ARMS, DemosSummary, DemoSummary, Figures


def demo_body(run: RunView, plots: Path) -> Body:
    """Build what is particular to the demo, writing its plot on the way."""
    if isinstance(run.summary, DemosSummary):
        return _every_demo(run.summary)
    summary = run.summary if isinstance(run.summary, DemoSummary) else None
    if summary is None:
        return Body("The demo has not finished, so there is no result.", (), ())
    arms = {DEMO_ARMS[arm]: summary.arm(arm) for arm in ("raft", "sft", "control", "unfiltered")}
    unseen = {DEMO_ARMS[arm]: figures for arm, figures in summary.unseen.items()}
    sections = (_compared(summary, arms, plots), _gains(summary), _unseen(summary, unseen), _commands(summary))
    return Body(_headline(summary), _caveats(summary), sections)


def _headline(summary: DemoSummary) -> str:
    greedy = f"greedy_{summary.primary_metric}"
    gain = summary.differences[f"{greedy}: raft - control"]
    before, after = summary.sft[greedy], summary.raft[greedy]
    passes = summary.labels["passes"]
    if not summary.higher_is_better:
        return (
            f"Decoded greedily, the {passes} on {count(summary.test_prompts, 'test prompt')} is {percent(after.value)} "
            f"after RAFT and {percent(before.value)} before; against as much further SFT that is {points(gain)}, and "
            "less is better."
        )
    return (
        f"Decoded greedily, {percent(after.value)} of {count(summary.test_prompts, 'test prompt')} {passes} "
        f"after RAFT and {percent(before.value)} before; against as much further SFT that is {points(gain)}."
    )


def _caveats(summary: DemoSummary) -> tuple[str, ...]:
    return (summary.labels["story"], *_quick_caveat(summary))


def _quick_caveat(summary: DemoSummary | DemosSummary) -> tuple[str, ...]:
    said = "This was a quick demo: everything ran, but its figures mean nothing."
    return (said,) if summary.quick else ()


def _measures(summary: DemoSummary) -> dict[str, str]:
    """Metric -> heading, each sampled and greedy, the primary one last."""
    words = {name: summary.labels[name] for name in summary.raft if name in summary.labels}
    words[summary.primary_metric] = summary.primary_metric
    return {
        prefix + name: f"{word}, {how}"
        for name, word in words.items()
        for prefix, how in (("", "sampled"), ("greedy_", "greedy"))
    }


def _compared(summary: DemoSummary, arms: dict[str, Figures], plots: Path) -> Section:
    measures = _measures(summary)
    # The sampled figure beside, and the primary one both ways: four arms of them are as much as a plot can hold.
    plotted = [
        key for key in measures if key in summary.raft and not (key.startswith("greedy_") and key[7:] in summary.labels)
    ]
    named = {arm: {measures[key]: figures[key] for key in plotted} for arm, figures in arms.items()}
    alt = "; ".join(
        f"{arm}: " + ", ".join(f"{measure} {percent(figure.value)}" for measure, figure in figures.items())
        for arm, figures in named.items()
    )
    caption = "Each model on the same test prompts, with 95% intervals over prompts."
    figure = Figure(plot_arms(named, plots / "arms.png"), alt, caption)
    return Section(
        "Every model on the same prompts", figures=(figure,), tables=(_table("All test prompts", arms, measures),)
    )


def _table(caption: str, arms: dict[str, Figures], words: dict[str, str]) -> Table:
    measures = [key for key in words if any(key in figures for figures in arms.values())]
    rows = tuple((arm, *(with_interval(figures.get(key)) for key in measures)) for arm, figures in arms.items())
    return Table(caption, ("Model", *(words[key] for key in measures)), rows)


def _gains(summary: DemoSummary) -> Section:
    primary = summary.primary_metric
    rows = tuple(
        (
            DEMO_ARMS[arm],
            *(points(summary.differences[f"{metric}: raft - {arm}"]) for metric in (primary, f"greedy_{primary}")),
        )
        for arm in DEMO_ARMS
        if arm != "raft"
    )
    table = Table(
        "RAFT minus the other, paired over prompts", ("Against", f"{primary}, sampled", f"{primary}, greedy"), rows
    )
    text = (
        f"Further SFT took {count(summary.control_steps, 'step')}, as many as RAFT. The other control ran RAFT's "
        "cycles with the rewards ignored. What they do not gain, verification does.",
    )
    return Section("What RAFT gained", text, tables=(table,))


def _unseen(summary: DemoSummary, arms: dict[str, Figures]) -> Section:
    title = "On combinations no training has shown"
    if not any(arms.values()):
        return Section(title, empty="None of the test prompts is of that kind.")
    caption = f"Test prompts {summary.labels['unseen']}"
    return Section(title, tables=(_table(caption, arms, _measures(summary)),))


def _commands(summary: DemoSummary) -> Section:
    rows = tuple((name, visible(text), duration(summary.seconds.get(name))) for name, text in summary.commands.items())
    table = Table("Two at a time", ("Run", "Command", "Took"), rows, numeric=False)
    return Section(
        "The commands that ran", ("Each of them has a run folder and a report of its own.",), tables=(table,)
    )


def _every_demo(summary: DemosSummary) -> Body:
    better = [domain for domain, demo in summary.demos.items() if _is_better(demo)]
    headline = (
        f"Decoded greedily, RAFT is better than as much further SFT in {len(better)} of {len(summary.demos)} domains, "
        "by an interval that leaves out zero."
    )
    rows = tuple((domain, *_row(demo)) for domain, demo in summary.demos.items())
    table = Table("The deciding metric, decoded greedily", ("Demo", "Metric", *DEMO_ARMS.values(), "Gain"), rows)
    text = ("The gain is that of RAFT over further SFT. Each demo has a page of its own in the folder of its name.",)
    return Body(headline, _quick_caveat(summary), (Section("Every domain", text, tables=(table,)),))


def _is_better(demo: DemoSummary) -> bool:
    interval = demo.differences[f"greedy_{demo.primary_metric}: raft - control"].ci95
    return interval is not None and (interval[0] > 0 if demo.higher_is_better else interval[1] < 0)


def _row(demo: DemoSummary) -> tuple[str, ...]:
    metric = f"greedy_{demo.primary_metric}"
    said = demo.primary_metric if demo.higher_is_better else f"{demo.primary_metric}, less is better"
    figures = (with_interval(demo.arm(arm).get(metric)) for arm in DEMO_ARMS)
    return visible(said), *figures, points(demo.differences[f"{metric}: raft - control"])
