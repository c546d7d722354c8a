"""The closing tables of a run: what was measured, with its uncertainty, and what was left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from halo_forge.cli.figures import mean_interval, number, percent_interval
from halo_forge.core.words import NONE, duration, percent

if TYPE_CHECKING:
    from halo_forge.rollout.checking import Reuse
    from halo_forge.rollout.metrics import Metrics
    from halo_forge.runs.plan import Plan
    from halo_forge.runs.summary import BenchmarkSummary, CycleSummary, RaftSummary, SftSummary

STAGES = {
    "passed": "passed everything",
    "tests": "ended in the tests",
    "run": "ended at run time",
    "compile": "did not compile",
    "parse": "held no program",
}
INTERVALS = "[ ] are 95% intervals, bootstrapped over prompts."


def show_sft(summary: SftSummary, console: Console) -> None:
    """Write the figures of `sft train`."""
    training = summary.training
    table = facts_table(f"SFT of {summary.model}")
    table.add_row("rows", number(summary.rows))
    for reason, count in summary.dropped.items():
        table.add_row("rows dropped", _warned(count, reason))
    table.add_row("optimiser steps", number(training.steps))
    table.add_row("learnt tokens", number(training.learnt_tokens))
    table.add_row("loss, mean and last", f"{training.mean_loss:.4f}, {training.last_loss:.4f}")
    table.add_row("peak learning rate", number(training.learning_rate))
    table.add_row("weights moved by", percent(training.weight_change))
    table.add_row("time", duration(summary.wall_s))
    if summary.wall_s > 0:
        table.add_row("learnt tokens/s, all told", number(round(training.learnt_tokens / summary.wall_s)))
    console.print(table)


def show_raft(summary: RaftSummary, console: Console) -> None:
    """Write what each cycle reached and what it did, and which one was published."""
    title = f"RAFT of {summary.model}, verifier {summary.verifier}"
    reached = column_table(
        title,
        "cycle",
        f"pass@1, {summary.holdout_prompts:,} held out",
        f"pass@1, {summary.prompts:,} drawn",
        "compiles, drawn",
    )
    did = column_table("What the cycles did", "cycle", "kept", "steps", "loss", "weights moved", "tokens/s", "time")
    for cycle in summary.cycles:
        style = "bold green" if cycle.cycle == summary.best_cycle else ""
        reached.add_row(*_reached(cycle, summary.best_cycle), style=style)
        if cycle.rollouts is not None:
            did.add_row(*_did(cycle, cycle.rollouts))
    console.print(reached)
    write_line(console, f"* published. Drawn: on training prompts, before the cycle trained. {INTERVALS}", "dim")
    console.print(did)
    _show_answers(summary, console)
    for cycle in summary.cycles:
        name = "start model" if cycle.cycle == 0 else f"cycle {cycle.cycle}"
        if cycle.rollouts is not None:
            _show_left_out(f"{name}, drawn", cycle.rollouts, console)
        if cycle.holdout is not None:
            _show_left_out(f"{name}, held out", cycle.holdout, console)
        if cycle.reuse is not None:
            write_line(console, f"{name}, verdicts on what was drawn: {origin(cycle.reuse)}")
    drawn = {f"cycle {cycle.cycle}": cycle.rollouts for cycle in summary.cycles if cycle.rollouts is not None}
    _show_stages({name: drawn[name] for name in (*list(drawn)[:1], *list(drawn)[1:][-1:])}, console)
    if summary.stopped is not None:
        write_line(console, f"Stopped after cycle {summary.cycles[-1].cycle}: {summary.stopped}.", "yellow")
    best = "the start model" if summary.best_cycle == 0 else f"cycle {summary.best_cycle}"
    style = "bold green" if _beats_start(summary) else "bold yellow"
    write_line(console, f"Published as final_model: {best}. Why: {summary.chosen_by}.", style)
    write_line(console, f"Took {duration(summary.wall_s)}, seed {summary.seed}.")


def _show_answers(summary: RaftSummary, console: Console) -> None:
    where = "held out" if summary.holdout_prompts else "drawn"
    measured = [(c, c.holdout if summary.holdout_prompts else c.rollouts) for c in summary.cycles]
    found = [(cycle, metrics) for cycle, metrics in measured if metrics is not None]
    if not found:
        return
    k = max(map(int, found[0][1].pass_at))
    columns = (f"pass@{k}", "entropy", "distinct-2", "tokens", "drift", "cut", "unverifiable")
    table = column_table(f"How the answers are, {where}", "cycle", *columns)
    for cycle, metrics in found:
        entropy, distinct = metrics.entropy.value, metrics.distinct.get("2")
        table.add_row(
            "start" if cycle.cycle == 0 else str(cycle.cycle),
            percent(metrics.pass_at[str(k)].value),
            NONE if entropy is None else f"{entropy:.3f}",
            NONE if distinct is None else f"{distinct:.3f}",
            f"{metrics.mean_tokens:,.1f}",
            NONE if cycle.length_drift is None else f"{cycle.length_drift:+.0%}",
            percent(metrics.truncated_share),
            percent(metrics.unverifiable_share),
        )
    console.print(table)
    write_line(console, "Entropy in nats a token, at the sampling temperature. Drift: of the tokens.", "dim")


def show_benchmark(summary: BenchmarkSummary, console: Console) -> None:
    """Write pass@k and the other figures, sampled and greedy beside each other, over all prompts and by group."""
    sampled, greedy = summary.sampled, summary.greedy
    title = f"{summary.model}: {sampled.prompts:,} prompts, verifier {summary.verifier}"
    columns = {f"{summary.samples} samples, T = {summary.temperature:g}": sampled}
    if greedy is not None:
        columns["greedy"] = greedy
    table = column_table(title, "", *columns)
    for name, row in _measurements(sampled).items():
        beside = [] if greedy is None else [_measurements(greedy).get(name, NONE)]
        table.add_row(name, row, *beside)
    console.print(table)
    write_line(console, INTERVALS, "dim")
    if summary.groups:
        _show_groups(summary, list(columns), console)
    _show_stages(columns, console)
    for name, metrics in columns.items():
        _show_left_out(name, metrics, console)
    if summary.reuse is not None:
        write_line(console, f"Verdicts: {origin(summary.reuse)}.")
    write_line(console, f"Contamination {summary.contamination}.")
    speed = "" if summary.tokens_per_s is None else f" at {number(round(summary.tokens_per_s))} tokens/s"
    write_line(
        console, f"Took {duration(summary.wall_s)}{speed}. Prompts {summary.prompts_hash[:12]}, seed {summary.seed}."
    )


def show_plan(plan: Plan, console: Console) -> None:
    """Write what a dry run found."""
    table = facts_table("Nothing was run. A run would be")
    for name, value in plan.lines:
        table.add_row(name, value)
    console.print(table)


def column_table(title: str, first: str, *others: str) -> Table:
    """Make a table of figures, right-aligned below their headings."""
    table = Table(title=f"\n{title}", title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right")
    return table


def write_line(console: Console, text: str, style: str = "") -> None:
    """Write one line of text as it is."""
    console.print(Text(text, style=style))


def _beats_start(summary: RaftSummary) -> bool:
    held_out = {cycle.cycle: cycle.holdout.pass_at["1"].value for cycle in summary.cycles if cycle.holdout}
    best, start = held_out.get(summary.best_cycle), held_out.get(0)
    return best is not None and start is not None and best > start


def _reached(cycle: CycleSummary, best_cycle: int) -> tuple[str, ...]:
    drawn, held_out = cycle.rollouts, cycle.holdout
    name = "start" if cycle.cycle == 0 else str(cycle.cycle)
    return (
        f"{name} *" if cycle.cycle == best_cycle else name,
        percent_interval(held_out.pass_at.get("1") if held_out else None),
        percent_interval(drawn.pass_at.get("1") if drawn else None),
        percent_interval(drawn.compile_rate if drawn else None),
    )


def _did(cycle: CycleSummary, drawn: Metrics) -> tuple[str, ...]:
    training, generating = cycle.training, cycle.seconds.get("generate", 0.0)
    return (
        str(cycle.cycle),
        f"{cycle.kept:,} of {drawn.completions:,}",
        number(training.steps if training else None),
        f"{training.mean_loss:.4f}" if training else NONE,
        percent(training.weight_change if training else None),
        number(round(drawn.mean_tokens * drawn.completions / generating) if generating else None),
        duration(cycle.seconds.get("all")),
    )


def _measurements(metrics: Metrics) -> dict[str, str]:
    return {
        **{f"pass@{k}": percent_interval(value) for k, value in metrics.pass_at.items()},
        **{f"maj@{k}": percent_interval(value) for k, value in metrics.maj_at.items()},
        **{name: percent_interval(value) for name, value in metrics.scores.items()},
        ("can be read" if metrics.scores else "compiles"): percent_interval(metrics.compile_rate),
        "mean reward": mean_interval(metrics.mean_reward),
        "different texts a prompt": percent(metrics.distinct_fraction)
        if metrics.completions > metrics.prompts
        else NONE,
        "tokens a completion": f"{metrics.mean_tokens:,.1f}",
        "cut at max_new_tokens": f"{metrics.truncated:,} of {metrics.completions:,}",
    }


def _show_groups(summary: BenchmarkSummary, columns: Sequence[str], console: Console) -> None:
    table = column_table("By group", "", *columns)
    for name, group in summary.groups.items():
        table.add_row(f"{name}, {group[0].prompts:,} prompts", style="bold")
        for k in summary.sampled.pass_at:
            figures = [percent_interval(metrics.pass_at.get(k) if metrics else None) for metrics in group]
            table.add_row(f"  pass@{k}", *figures[: len(columns)])
    console.print(table)


def _show_stages(columns: dict[str, Metrics], console: Console) -> None:
    table = column_table("How far the completions came", "", *columns)
    for stage, words in STAGES.items():
        table.add_row(
            words, *(share(metrics.by_stage.get(stage, 0), metrics.completions) for metrics in columns.values())
        )
    faults = [sum(metrics.unverifiable.values()) for metrics in columns.values()]
    table.add_row(
        "could not be verified",
        *(share(count, metrics.completions) for count, metrics in zip(faults, columns.values(), strict=True)),
        style="yellow" if any(faults) else "",
    )
    console.print(table)


def _show_left_out(name: str, metrics: Metrics, console: Console) -> None:
    for cause, count in metrics.unverifiable.items():
        fate = "could not be verified and count neither way"
        write_line(console, f"{name}: {count:,} completions {fate}: {cause}", "yellow")
    for k, count in metrics.prompts_without.items():
        if count:
            fewer = f"fewer than {k} verified completions"
            write_line(console, f"{name}: pass@{k} leaves out {count:,} prompts with {fewer}", "yellow")


def origin(reuse: Reuse) -> str:
    """Say where verdicts came from."""
    return f"{reuse.judged:,} judged, {reuse.cached:,} from the cache, {reuse.duplicates:,} equal to one in work"


def share(count: int, total: int) -> str:
    """Write a count with its share of a total."""
    return f"{count:,}  ({percent(count / total)})" if total else NONE


def _warned(count: int, reason: str) -> Text:
    return Text(f"{count:,}  {reason}", style="yellow" if count else "")


def facts_table(title: str, style: str = "bold") -> Table:
    """Make a table of names and what they stand for."""
    table = Table(title=f"\n{title}", title_justify="left", title_style=style, box=None, show_header=False)
    table.add_column(style="cyan", min_width=24)
    table.add_column()
    return table
