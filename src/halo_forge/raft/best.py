"""Which cycle is published."""

from __future__ import annotations

from collections.abc import Sequence

from halo_forge.raft.guards import HeldOut, compare
from halo_forge.runs.summary import CycleSummary


def choose_best(cycles: Sequence[CycleSummary], held_out: Sequence[HeldOut], seed: int) -> tuple[int, str]:
    """Pick the cycle with the highest pass@1 on the held-out slice, the earliest of equals; else the last cycle.

    The highest of several noisy figures leans high, so the reason says how sure the gain is and which other cycles
    might as well have been chosen.

    Args:
        cycles: all cycles, the start model's first.
        held_out: of the same cycles.

    Returns:
        The cycle's number, 1 or more, and why it was chosen.
    """
    measured = [
        (cycle.holdout.pass_at["1"].value, cycle.cycle)
        for cycle in cycles
        if cycle.cycle > 0 and cycle.holdout is not None and cycle.holdout.pass_at["1"].value is not None
    ]
    if not measured:
        return cycles[-1].cycle, "the last cycle: no prompts were held out to choose by"
    best = max(value for value, _ in measured if value is not None)
    number = next(number for value, number in measured if value == best)
    why = f"highest pass@1 on the held-out slice, {best:.3f}" + _against_start(cycles, held_out, number, best, seed)
    alike = [str(other) for _, other in measured if other != number and _alike(held_out, other, number, seed)]
    if alike:
        names = alike[0] if len(alike) == 1 else f"{', '.join(alike[:-1])} and {alike[-1]}"
        why += f"; cycle{'s' * (len(alike) > 1)} {names} cannot be told from it"
    return number, why


def _against_start(
    cycles: Sequence[CycleSummary], held_out: Sequence[HeldOut], number: int, best: float, seed: int
) -> str:
    start = cycles[0].holdout.pass_at["1"].value if cycles[0].holdout else None
    if start is None:
        return ""
    if best <= start:
        return f", no more than the start model's {start:.3f}"
    gain, _ = compare(held_out[number].pass_at_1, held_out[0].pass_at_1, seed)
    if gain.ci95 is None:
        return f" (start model {start:.3f})"
    sure = "" if gain.ci95[0] > 0 else ", so it is not proven"
    return f" (start model {start:.3f}; 95% interval of the gain {gain.ci95[0]:+.3f} to {gain.ci95[1]:+.3f}{sure})"


def _alike(held_out: Sequence[HeldOut], other: int, best: int, seed: int) -> bool:
    difference, _ = compare(held_out[best].pass_at_1, held_out[other].pass_at_1, seed)
    return difference.ci95 is not None and difference.ci95[0] <= 0
