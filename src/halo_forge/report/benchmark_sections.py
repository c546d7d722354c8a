"""The sections of a benchmark's page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from halo_forge.core.types import Stage
from halo_forge.core.words import NONE, count, percent
from halo_forge.report.blocks import Body, Figure, SampleGroup, Section, Table
from halo_forge.report.plots import plot_arms
from halo_forge.report.read import RunView, read_sketches
from halo_forge.report.samples import Pick, Picker, read_prompts, show
from halo_forge.report.stages import stage_section
from halo_forge.report.wording import no_width, number, shorten, span, visible, with_interval
from halo_forge.rollout.metrics import Estimate, Metrics, by_prompt
from halo_forge.rollout.rollout_file import RolloutFile
from halo_forge.rollout.sketch import Sketch
from halo_forge.runs.summary import BenchmarkSummary

LISTED = 8
PASSED, CLOSEST, UNVERIFIABLE = "Passed", "Highest reward without passing", "Could not be verified"
ENDED_IN = {stage: f"Ended in {stage}" for stage in Stage}
PLACES = {PASSED: 2, CLOSEST: 1, **dict.fromkeys(ENDED_IN.values(), 2), UNVERIFIABLE: 1}


@dataclass(frozen=True)
class _Drawn:
    """The sampled completions: sketches by prompt, and those to show."""

    groups: Mapping[str, Sequence[Sketch]]
    picks: tuple[Pick, ...]


def benchmark_body(run: RunView, plots: Path) -> Body:
    """Build what is particular to a benchmark, writing its plots on the way."""
    drawn = _read_drawn(run)
    summary = run.summary if isinstance(run.summary, BenchmarkSummary) else None
    sections = (
        _pass_at(summary, plots),
        stage_section(_sets(summary), plots),
        _prompts(run, drawn.groups),
        _samples(run, drawn),
    )
    return Body(*_headline(summary, drawn.groups), sections)


def _read_drawn(run: RunView) -> _Drawn:
    picker = Picker(f"{run.seed}:sampled", PLACES)
    file = RolloutFile(run.folder / "rollouts" / "sampled.jsonl")
    sketches = read_sketches(file)
    for rollout in sketches:
        if rollout.reward is None:
            picker.offer(UNVERIFIABLE, rollout)
        elif rollout.passed:
            picker.offer(PASSED, rollout)
        else:
            picker.offer(ENDED_IN[rollout.stage], rollout)
            picker.offer(CLOSEST, rollout, rollout.reward)
    return _Drawn(by_prompt(sketches), picker.picks(file))


def _headline(summary: BenchmarkSummary | None, groups: Mapping[str, Sequence[Sketch]]) -> tuple[str, tuple[str, ...]]:
    if summary is None:
        completions = sum(map(len, groups.values()))
        if not completions:
            return "Nothing has been drawn yet, so there is no result.", ()
        drawn = f"{count(completions, 'completion')} to {count(len(groups), 'prompt')}"
        return f"No result yet: {drawn} are drawn so far, and pass@k is given when all are.", ()
    (k, first), *_ = sorted(summary.sampled.pass_at.items(), key=lambda item: int(item[0]))
    said = f"pass@{k} is {percent(first.value)} (95% interval {span(first)})"
    said += f" on {count(summary.sampled.prompts, 'prompt')}, {count(summary.samples, 'sample')} each"
    said += f" at temperature {summary.temperature:g}"
    greedy = summary.greedy.pass_at.get("1") if summary.greedy else None
    if greedy is not None:
        said += f"; decoded greedily it is {with_interval(greedy)}"
    without = summary.sampled.prompts_without.get(k, 0)
    caveats = no_width(first, summary.sampled.prompts)
    if without:
        caveats += (f"For {count(without, 'prompt')} too few completions could be verified; they are left out.",)
    return f"{said}.", caveats


def _arms(summary: BenchmarkSummary) -> dict[str, tuple[Metrics, Metrics | None]]:
    groups = {visible(name): pair for name, pair in summary.groups.items()}
    return {"all prompts": (summary.sampled, summary.greedy), **groups}


def _measures(pair: tuple[Metrics, Metrics | None]) -> dict[str, Estimate]:
    sampled, greedy = pair
    found = {f"pass@{k}": e for k, e in sorted(sampled.pass_at.items(), key=lambda item: int(item[0]))}
    if greedy is not None and "1" in greedy.pass_at:
        found["greedy pass@1"] = greedy.pass_at["1"]
    return found


def _pass_at(summary: BenchmarkSummary | None, plots: Path) -> Section:
    if summary is None:
        return Section("pass@k", empty="pass@k is given when every prompt has its completions.")
    pairs = _arms(summary)
    arms = {name: _measures(pair) for name, pair in pairs.items()}
    measures = list(dict.fromkeys(m for found in arms.values() for m in found))
    rows = tuple(
        (name, f"{pairs[name][0].prompts:,}", *(with_interval(found.get(m)) for m in measures))
        for name, found in arms.items()
    )
    alt = "; ".join(
        f"{name}: " + ", ".join(f"{m} {with_interval(e)}" for m, e in f.items()) for name, f in arms.items()
    )
    figure = Figure(
        plot_arms(arms, plots / "pass_at_k.png"),
        alt,
        "Dots with 95% intervals (bootstrap over prompts); pass@k is the unbiased estimate of Chen et al. 2021.",
    )
    table = Table("pass@k with 95% intervals", ("Prompts", "Number", *measures), rows)
    return Section("pass@k", figures=(figure,), tables=(table, _conduct(pairs)))


def _conduct(pairs: dict[str, tuple[Metrics, Metrics | None]]) -> Table:
    rows = []
    for name, (sampled, greedy) in pairs.items():
        for label, m in ((name, sampled), (f"{name}, greedy", greedy)):
            if m is not None:
                entropy = number(m.entropy.value)
                shares = (with_interval(m.compile_rate), percent(m.distinct_fraction))
                rows.append((label, *shares, entropy, f"{m.mean_tokens:.0f}", f"{m.truncated:,}"))
    columns = ("Completions", "Compile rate", "Distinct", "Entropy, nats a token", "Mean tokens", "Truncated")
    return Table("Other figures", columns, tuple(rows))


def _sets(summary: BenchmarkSummary | None) -> dict[str, Metrics]:
    if summary is None:
        return {}
    sets = {"sampled": summary.sampled}
    if summary.greedy is not None:
        sets["greedy"] = summary.greedy
    return sets | {f"sampled, {name}": pair[0] for name, pair in summary.groups.items()}


def _prompts(run: RunView, groups: Mapping[str, Sequence[Sketch]]) -> Section:
    title = "Hardest and easiest prompts"
    judged = {name: [r for r in group if r.reward is not None] for name, group in groups.items()}
    rated = sorted(
        (sum(r.passed for r in group) / len(group), _mean_reward(group), name)
        for name, group in judged.items()
        if group
    )
    if not rated:
        return Section(title, empty="No prompt has a verified completion yet.")
    names = [name for _, _, name in rated]
    shown = min(LISTED, len(names) // 2) or 1
    hardest, easiest = names[:shown], names[::-1][: min(shown, len(names) - shown)]
    texts = {p.id: shorten(p.messages[-1].text, 90) for p in read_prompts(run.folder, {*hardest, *easiest}).values()}
    never = sum(rate == 0 for rate, _, _ in rated)
    always = sum(rate == 1 for rate, _, _ in rated)
    text = (
        f"Of {count(len(rated), 'prompt')}, {never:,} were never solved and {always:,} always; "
        "those alike in pass rate are ordered by mean reward.",
    )
    columns = ("Prompt", "Passed", "Mean reward", "Mostly ended in", "Text")
    tables = tuple(
        Table(caption, columns, tuple(_prompt_row(n, judged[n], texts.get(n, NONE)) for n in chosen), False)
        for caption, chosen in (("Hardest", hardest), ("Easiest", easiest))
        if chosen
    )
    return Section(title, text, tables=tables)


def _prompt_row(name: str, judged: Sequence[Sketch], text: str) -> tuple[str, ...]:
    stage = Counter("passed" if r.passed else str(r.stage) for r in judged).most_common(1)[0][0]
    passed = f"{sum(r.passed for r in judged)}\u00a0of\u00a0{len(judged)}"
    return shorten(name, 40), passed, number(_mean_reward(judged)), stage, text


def _mean_reward(judged: Sequence[Sketch]) -> float:
    return sum(r.reward or 0.0 for r in judged) / len(judged)


def _samples(run: RunView, drawn: _Drawn) -> Section:
    if not drawn.picks:
        return Section("Sample completions", empty="No completion has been drawn yet.")
    prompts = read_prompts(run.folder, {pick.rollout.prompt_id for pick in drawn.picks})
    shown = tuple(show(pick, prompts, "rollouts/sampled.jsonl") for pick in drawn.picks)
    text = [f"A few, drawn with the run’s seed ({run.seed}). What the model wrote is shown as it is."]
    if not prompts:
        text.append("The run folder holds no prompts.jsonl, so the prompts’ texts are not shown.")
    return Section("Sample completions", tuple(text), groups=(SampleGroup("Sampled", shown),))
