"""Programs that read standard input and print to standard output: running their cases, comparing the outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from halo_forge.core.protocols import Job, Outcome
from halo_forge.core.types import IoCase
from halo_forge.core.words import count
from halo_forge.verifiers.batch import Meter

SHOWN_CHARS = 120


class CasesResult(NamedTuple):
    """How far a program came through its cases.

    Args:
        ran: it ended with status 0 in every case tried.
        correct: it printed what was expected in all of them.
        detail: the first case that went wrong.
    """

    ran: bool
    correct: bool
    detail: str


def run_cases(meter: Meter, job: Job, cases: Sequence[IoCase]) -> CasesResult:
    """Run a program on its cases, up to the first that goes wrong."""
    for number, case in enumerate(cases, 1):
        outcome = meter.run(job._replace(stdin=case.input.encode()))
        if outcome.exit_status != 0:
            return CasesResult(ran=False, correct=False, detail=f"case {number}: {ending(outcome)}")
        printed = outcome.stdout.decode(errors="replace")
        if significant_lines(printed) != significant_lines(case.output):
            shown = f"printed {printed.strip()[:SHOWN_CHARS]!r}, expected {case.output.strip()[:SHOWN_CHARS]!r}"
            return CasesResult(ran=True, correct=False, detail=f"case {number}: {shown}")
    return CasesResult(ran=True, correct=True, detail=f"{count(len(cases), 'case')} correct")


def significant_lines(text: str) -> list[str]:
    """Return the lines without trailing white space and without empty lines at the end."""
    return [line.rstrip() for line in text.rstrip().splitlines()]


def ending(outcome: Outcome) -> str:
    """Say how a program ended badly."""
    if outcome.timed_out:
        return f"timed out after {outcome.wall_s:.1f} s"
    if outcome.flooded:
        return "killed for too much output"
    lines = outcome.stderr.decode(errors="replace").strip().splitlines()
    how = f"ended by signal {-outcome.exit_status}" if outcome.exit_status < 0 else f"exit status {outcome.exit_status}"
    return f"{how}: {lines[-1]}" if lines else how
