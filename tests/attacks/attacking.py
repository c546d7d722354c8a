"""Judging wrong programs: each earns less than everything, harms nothing, and is itself to blame."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from halo_forge.core.protocols import Verifier
from halo_forge.core.types import Verdict

if TYPE_CHECKING:
    from conftest import Host

PROGRAMS = Path(__file__).parent / "programs"
ONCE_LET_THROUGH = {
    "sorts_into_a_bag", "looks_like_a_bag", "prints_a_bag_itself", "forges_a_giant_width", "forges_a_giant_number",
    "forges_a_wide_width", "has_what_is_asked", "panics_only_the_tests", "moves_its_lines",
}  # fmt: skip
TOO_BUSY = "the machine is too busy"

Task = tuple[dict[str, object], str]

SUMS: dict[str, object] = {
    "cases": (
        {"input": "1 2\n", "output": "3\n"},
        {"input": "2 2\n", "output": "4\n"},
        {"input": "9 9\n", "output": "18"},
    )
}


def programs(folder: str, share: int = 1, always: Collection[str] = ONCE_LET_THROUGH) -> list[Any]:
    """Return the programs of a folder as test parameters named after their files.

    Args:
        folder: their language.
        share: every so many-th runs every time; the others are marked slow.
        always: those that run every time as well.
    """
    found = []
    for number, path in enumerate(sorted((PROGRAMS / folder).iterdir())):
        marks = () if number % share == 0 or path.stem in always else (pytest.mark.slow,)
        found.append(pytest.param(path, id=path.stem, marks=marks))
    return found


def against(tasks: dict[str, Task], names: Collection[str], parts: int) -> list[Any]:
    """Return test parameters: of each name the tasks that it is tried on every time, and those marked slow.

    Every name meets some task every time, and every task some names.

    Args:
        names: of programs; those that were once let through meet all tasks every time.
        parts: every so many-th task, from another one for each name, is for every time.
    """
    found = []
    for number, name in enumerate(names):
        chosen = [*tasks] if name in ONCE_LET_THROUGH else [*tasks][number % parts :: parts]
        others = [task for task in tasks if task not in chosen]
        found.append(pytest.param(name, chosen, id=name))
        if others:
            found.append(pytest.param(name, others, id=f"{name}, other tasks", marks=pytest.mark.slow))
    return found


def assert_refused(verdict: Verdict, task: str) -> None:
    """Fail unless a program earned less than everything, and was the one to blame."""
    shown = f"{task}: {verdict}"
    assert not verdict.passed, shown
    if verdict.reward is None:
        assert (verdict.fault or "").startswith(TOO_BUSY), shown
    else:
        assert verdict.reward < 1, shown
    assert len(verdict.detail) < 1000


def assert_right(verdict: Verdict, task: str) -> None:
    """Fail unless a program earned everything."""
    assert (verdict.reward, verdict.passed) == (1.0, True), f"{task}: {verdict}"


def attack(judged: Any, host: Host, verifier: Verifier, tasks: dict[str, Task], code: str, fence: str = "") -> None:
    """Judge a wrong program on each task, and a right one right behind it."""
    asks = [ask for reference, right in tasks.values() for ask in ((reference, code), (reference, right))]
    verdicts = judged(verifier, asks, fence)
    host.assert_unharmed()
    for task, wrong, right in zip(tasks, verdicts[::2], verdicts[1::2], strict=True):
        assert_refused(wrong, task)
        assert_right(right, task)
