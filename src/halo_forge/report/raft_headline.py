"""The main result of a RAFT run in one sentence, and what must be known to read it rightly."""

from __future__ import annotations

from halo_forge.core.words import count, percent
from halo_forge.report.raft_view import RaftView
from halo_forge.report.wording import no_width, points, span
from halo_forge.rollout.metrics import Estimate, Metrics

NOTHING = Estimate(value=None)
Headline = tuple[str, tuple[str, ...]]


def raft_headline(view: RaftView) -> Headline:
    """Return the sentence and its caveats: on held-out prompts where there are figures, else on training prompts."""
    held = {c.cycle: c.holdout for c in view.cycles if c.holdout is not None}
    if view.compared in held and 0 in held:
        return _on_held_out(view, held[0], held[view.compared])
    return _on_training(view)


def _on_held_out(view: RaftView, start: Metrics, end: Metrics) -> Headline:
    where = f"{count(end.prompts, 'held-out prompt')} after cycle {view.compared}"
    said = f"pass@1 is {_value(end)} on {where}, against {_value(start)} with the start model"
    caveats = [*no_width(end.pass_at.get("1"), end.prompts)]
    if view.change is not None:
        said += f": {points(view.change)}"
        if view.change.ci95 is not None and view.change.ci95[0] <= 0 <= view.change.ci95[1]:
            caveats.append("The interval of the change includes zero: these prompts do not show a change.")
    choices = sum(c.cycle > 0 and c.holdout is not None for c in view.cycles)
    if view.summary is not None and choices > 1:
        caveats.append(
            f"Cycle {view.compared} was chosen by its figure on these same prompts, which makes that figure lean "
            "high; a benchmark on other prompts gives one that does not."
        )
    return _sentence(view, said), tuple(caveats)


def _on_training(view: RaftView) -> Headline:
    drawn = [(c.cycle, c.rollouts) for c in view.cycles if c.rollouts is not None]
    if not drawn:
        return "No cycle is complete yet, so there is no result.", ()
    (first, start), (last, end) = drawn[0], drawn[-1]
    said = f"pass@1 is {_pass_at_1(start)} on the {count(start.prompts, 'training prompt')} in cycle {first}"
    if last != first:
        said += f" and {_pass_at_1(end)} in cycle {last}"
    caveat = "These prompts are trained on; what the model does on others takes a held-out slice or a benchmark."
    return _sentence(view, said), (caveat,)


def _sentence(view: RaftView, said: str) -> str:
    return f"{said}." if view.summary is not None else f"So far: {said}."


def _value(metrics: Metrics) -> str:
    return percent(metrics.pass_at.get("1", NOTHING).value)


def _pass_at_1(metrics: Metrics) -> str:
    estimate = metrics.pass_at.get("1")
    if estimate is None or estimate.value is None:
        return "not measured"
    return f"{percent(estimate.value)} (95% interval {span(estimate)})"
