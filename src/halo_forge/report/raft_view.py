"""What a RAFT run has come to: from its summary when it is finished, else from what it has written so far."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from halo_forge.core.words import count
from halo_forge.report.read import RunView, read_lines, read_sketches
from halo_forge.report.samples import Pick, Picker, read_reasons
from halo_forge.rollout.decision import Reason
from halo_forge.rollout.metrics import Estimate, by_prompt, measure, paired_difference, pass_values
from halo_forge.rollout.rollout_file import RolloutFile
from halo_forge.rollout.sketch import Sketch
from halo_forge.runs.run_dir import CYCLES_FILE
from halo_forge.runs.summary import CycleSummary, RaftSummary

_NUMBERED = re.compile(r"(cycle|holdout)_(\d+)\.jsonl")

KEPT = (Reason.KEPT, Reason.KEPT_LOWERED, Reason.KEPT_AT_RANDOM)
HIGHEST, LOWEST, UNVERIFIABLE = "Highest reward", "Lowest reward", "Could not be verified"


@dataclass(frozen=True)
class RaftView:
    """Cycles and samples of a RAFT run.

    Args:
        cycles: in order, cycle 0 (the start model) first; the last may lack its training and held-out figures.
        unfinished: what is not complete, in words.
        picks: cycle -> completions to show.
        compared: the cycle whose held-out figures are compared with cycle 0: the published, else the latest.
        change: held-out pass@1 of that cycle minus cycle 0's, paired by prompt.
        summary: of the finished run.
    """

    cycles: tuple[CycleSummary, ...]
    unfinished: tuple[str, ...]
    picks: Mapping[int, tuple[Pick, ...]]
    compared: int | None
    change: Estimate | None
    summary: RaftSummary | None


def _label(reason: Reason) -> str:
    return reason.value[:1].upper() + reason.value[1:]


PLACES = {_label(reason): 2 if reason in KEPT else 1 for reason in Reason} | {HIGHEST: 1, LOWEST: 1, UNVERIFIABLE: 1}


def read_raft(run: RunView) -> RaftView:
    """Read the figures, rollouts and decisions of a RAFT run, one file at a time."""
    summary = run.summary if isinstance(run.summary, RaftSummary) else None
    done = summary.cycles if summary else read_lines(run.folder / CYCLES_FILE, CycleSummary)
    found = {cycle.cycle: cycle for cycle in done}
    picks: dict[int, tuple[Pick, ...]] = {}
    unfinished: list[str] = []
    held_out: dict[int, dict[str, float]] = {}
    for n in _numbers(run.folder, "cycle"):
        reasons = read_reasons(run.folder / "kept" / f"cycle_{n}.jsonl")
        drawn, picks[n] = _read_cycle(run, n, reasons)
        if n not in found and reasons:
            found[n] = _begun(run, n, drawn, reasons)
            unfinished.append(f"Cycle {n} is not complete: its completions are drawn and selected.")
        elif n not in found:
            unfinished.append(f"Cycle {n} has drawn {count(len(drawn), 'completion')}, not counted yet.")
    for n in _numbers(run.folder, "holdout"):
        answers = read_sketches(RolloutFile(run.folder / "rollouts" / f"holdout_{n}.jsonl"))
        if n in found and found[n].holdout is not None:
            held_out[n] = pass_values(by_prompt(answers), 1)
        else:
            unfinished.append(
                f"Cycle {n} has drawn {count(len(answers), 'completion')} to held-out prompts, not counted yet."
            )
    cycles = tuple(found[n] for n in sorted(found))
    compared = summary.best_cycle if summary else max((n for n in held_out if n), default=None)
    change = _change(held_out, compared, run.seed)
    return RaftView(cycles, tuple(unfinished), picks, compared, change, summary)


def _begun(run: RunView, n: int, drawn: Sequence[Sketch], reasons: Mapping[tuple[str, int], Reason]) -> CycleSummary:
    """Return what is known of a cycle that has made its selection; its phase `generate` verifies along the way."""
    seconds = {"collect" if p == "generate" else p: s for p, s in run.history.seconds.get(n, {}).items()}
    kept = sum(reason in KEPT for reason in reasons.values())
    return CycleSummary(cycle=n, rollouts=measure(drawn, seed=run.seed), kept=kept, seconds=seconds)


def _read_cycle(
    run: RunView, n: int, reasons: Mapping[tuple[str, int], Reason]
) -> tuple[list[Sketch], tuple[Pick, ...]]:
    picker = Picker(f"{run.seed}:{n}", PLACES)
    file = RolloutFile(run.folder / "rollouts" / f"cycle_{n}.jsonl")
    drawn = read_sketches(file)
    for rollout in drawn:
        _offer(picker, rollout, reasons.get((rollout.prompt_id, rollout.number)))
    return drawn, picker.picks(file, reasons)


def _offer(picker: Picker, rollout: Sketch, reason: Reason | None) -> None:
    if rollout.reward is None:
        picker.offer(UNVERIFIABLE, rollout)
        return
    picker.offer(HIGHEST, rollout, rollout.reward)
    picker.offer(LOWEST, rollout, -rollout.reward)
    if reason is not None:
        picker.offer(_label(reason), rollout)


def _numbers(folder: Path, stem: str) -> list[int]:
    found = (_NUMBERED.fullmatch(path.name) for path in (folder / "rollouts").glob("*.jsonl"))
    return sorted(int(match[2]) for match in found if match and match[1] == stem)


def _change(held_out: Mapping[int, Mapping[str, float]], compared: int | None, seed: int) -> Estimate | None:
    if not compared or 0 not in held_out or compared not in held_out:
        return None
    shared = [name for name in held_out[0] if name in held_out[compared]]
    return paired_difference([held_out[compared][n] for n in shared], [held_out[0][n] for n in shared], seed)
