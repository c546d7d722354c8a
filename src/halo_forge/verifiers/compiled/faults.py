"""Telling a compilation that the machine spoilt from one that its program spoilt.

A program can make a compiler print nearly any line, as the name of a file or of a symbol, but not without an error of
its own, which is printed as well.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Callable

from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.protocols import Job, Outcome
from halo_forge.verifiers.batch import Meter

OUTSIDE_SIGNALS = (signal.SIGKILL, signal.SIGTERM)
# A shell ends with 128 and the number of the signal that ended its child.
KILLED_STATUSES = {sign * number + base for number in OUTSIDE_SIGNALS for sign, base in ((-1, 0), (1, 128))}
DRIVER = r"(?:\S*[/-])?(?:cc|gcc|g\+\+|clang(?:\+\+)?)(?:-[\d.]+)?"
SAYS_KILLED = re.compile(
    rf"""
      {DRIVER}:\ fatal\ error:\ (?:Killed|Terminated)\ signal\ terminated\ program\ [\w+-]+
    | {DRIVER}:\ error:\ unable\ to\ execute\ command:\ (?:Killed|Terminated)
    | {DRIVER}:\ error:\ linker\ command\ failed\ due\ to\ signal\ \(use\ -v\ to\ see\ invocation\)
    | collect2:\ (?:fatal\ )?error:\ ld\ terminated\ with\ signal\ (?:9\ \[Killed\]|15\ \[Terminated\])
    """,
    re.VERBOSE,
)
SAYS_ERROR = re.compile(r"\b(?:error|undefined reference|undefined symbol)\b")


def ended_by_a_kill(outcome: Outcome) -> bool:
    """Tell whether the compiler itself was killed, other than at its limits."""
    return outcome.exit_status in KILLED_STATUSES and not outcome.timed_out and not outcome.flooded


def compiled(meter: Meter, job: Job, was_killed: Callable[[Outcome], bool] = ended_by_a_kill) -> Outcome:
    """Run a compiler, and once more if somebody outside killed it.

    Args:
        meter: counts what it uses.
        job: the compiler with its source.
        was_killed: tells whether it or a part of it was killed.

    Raises:
        EnvironmentFault: it was killed both times, or the sandbox failed, or the machine is too busy.
    """
    outcome = meter.run(job)
    if was_killed(outcome):
        outcome = meter.run(job)
        if was_killed(outcome):
            raise EnvironmentFault("the compiler was killed twice: find out who kills it, or use fewer workers")
    if outcome.timed_out and outcome.cpu_s < job.limits.cpu_s / 2:
        raise EnvironmentFault(f"the machine is too busy: a compilation got {outcome.cpu_s:.1f} s of processor time")
    return outcome


def require_sound(meter: Meter, compiler: str, reason: str) -> None:
    """Refuse to blame a program that a compiler gave up on, where the compiler was at fault or may have been.

    A launcher sees the system as it was when it began. One that began while a part of the compiler was gone goes on
    without that part when it is back, so launchers are replaced once the compiler has failed.

    Args:
        meter: that of the submission.
        compiler: its name.
        reason: why a trivial program did not compile just now, `""` if it did.

    Raises:
        EnvironmentFault: it did not, or another one did not since this submission was taken up.
    """
    if reason:
        meter.renew()
        raise EnvironmentFault(f"{compiler} does not work: {reason}")
    if meter.is_dated:
        raise EnvironmentFault(f"{compiler} did not work a moment ago, and works again")


def part_was_killed(outcome: Outcome) -> bool:
    """Tell whether a C or C++ compiler, or one of the programs it runs, was killed, other than at its limits."""
    if outcome.exit_status == 0 or outcome.timed_out or outcome.flooded:
        return False
    return ended_by_a_kill(outcome) or tells_of_a_kill(outcome.stderr.decode(errors="replace"))


def tells_of_a_kill(said: str) -> bool:
    """Tell whether all errors that the driver of a C compiler shows are those of a part that was killed."""
    errors = [line for line in said.splitlines() if SAYS_ERROR.search(line)]
    return bool(errors) and all(SAYS_KILLED.fullmatch(line) for line in errors)
