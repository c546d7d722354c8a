"""What judging needs is taken away while it judges: every verdict is right or None, none is lost or doubled."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

from halo_forge.core.plugins import verifier_config
from halo_forge.core.protocols import Submission
from halo_forge.core.types import Message, Prompt, Reference, Verdict
from halo_forge.sandbox import open_sandbox

WORKERS = 2
BATCH = 250
KILLS = 1
RUGS = Path(__file__).with_name("rugs.py")
IN_A_NAMESPACE = ("unshare", "--mount", "--propagation", "private")

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can take parts of the system away")


class Kind(NamedTuple):
    """Cheap programs of one language.

    Args:
        asserts: their tests.
        text: the completion, with places for an operator and a number.
        timeouts: options that keep a stuck program short.
    """

    asserts: tuple[str, ...]
    text: str
    timeouts: dict[str, object]


KINDS = {
    "python": Kind(("assert add(1, 2) == 3",), "```python\ndef add(a, b): return a {} b  # {}\n```", {"timeout_s": 5}),
    "gcc": Kind(("assert(add(1, 2) == 3);",), "```cpp\nint add(int a, int b) {{ return a {} b; }}  // {}\n```", {}),
}


def submissions(name: str, numbers: range) -> list[Submission]:
    """Return a distinct program for each number, right where the number is even."""
    reference = Reference(asserts=KINDS[name].asserts, entry_point="add")
    prompt = Prompt(id="add", messages=(Message(role="user", content="add"),), reference=reference)
    return [Submission(prompt, KINDS[name].text.format("-+"[number % 2 == 0], number)) for number in numbers]


def mistakes(numbers: range, verdicts: list[Verdict]) -> list[str]:
    """Return the verdicts that are neither right nor a fault with a cause."""
    assert len(verdicts) == len(numbers)
    found = []
    for number, verdict in zip(numbers, verdicts, strict=True):
        right = number % 2 == 0
        is_fault = verdict.reward is None and bool(verdict.fault) and not verdict.passed
        if not is_fault and (verdict.reward is None or (verdict.reward == 1.0, verdict.passed) != (right, right)):
            found.append(f"{number}: {verdict}")
    return found


def launchers() -> list[psutil.Process]:
    """Return the processes that keep the sandboxes: those of our own namespace, and the first of each sandbox's."""
    return [process for process in psutil.Process().children(recursive=True) if inner_number(process) == 1]


def jobs() -> list[psutil.Process]:
    """Return the programs that run in sandboxes."""
    return [process for process in psutil.Process().children(recursive=True) if (inner_number(process) or 1) > 1]


def inner_number(process: psutil.Process) -> int | None:
    """Return a process's number in the innermost namespace, its own outside of any, None if it is gone."""
    with suppress(OSError):
        numbers = re.search(r"^NSpid:\s*(.*)$", Path(f"/proc/{process.pid}/status").read_text(), re.MULTILINE)
        words = numbers[1].split() if numbers else []
        return int(words[-1]) if len(words) > 1 else 1
    return None


@contextmanager
def killing(victims: Callable[[], list[psutil.Process]], pause_s: float, bystanders: set[int]) -> Iterator[list[int]]:
    """Kill one of them at random every now and then; yields the list of those that were."""
    killed: list[int] = []
    over = threading.Event()
    draw = random.Random(0)

    def kill() -> None:
        while not over.wait(draw.uniform(0, 2 * pause_s)):
            found: list[psutil.Process] = []
            while not found and not over.is_set():  # a job lives for milliseconds: look until one is there
                found = [process for process in victims() if process.pid not in bystanders]
            if found:
                victim = draw.choice(found)
                with suppress(psutil.NoSuchProcess):
                    victim.kill()
                    killed.append(victim.pid)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield killed
    finally:
        over.set()
        thread.join()


def survive(name: str, least: int, victims: Callable[[], list[psutil.Process]], pause_s: float) -> None:
    """Judge so many programs while processes are killed; then judge again without that."""
    bystanders = {process.pid for process in psutil.Process().children(recursive=True)}
    with open_sandbox() as sandbox:
        verifier = verifier_config(name, KINDS[name].timeouts).build(sandbox, WORKERS)
        with closing(verifier):
            wrong: list[str] = []
            count = right = 0
            with killing(victims, pause_s, bystanders) as killed:
                # A fast machine is through before anything is killed: go on until something was.
                while count < least or (len(killed) < KILLS and count < 40 * least):
                    numbers = range(count, count + min(BATCH, least))
                    verdicts = verifier.verify(submissions(name, numbers))
                    wrong += mistakes(numbers, verdicts)
                    right += sum(verdict.passed for verdict in verdicts)
                    count = numbers.stop
            assert not wrong, f"{len(wrong)} of {count} verdicts are wrong, {len(killed)} processes killed: {wrong[:3]}"
            assert len(killed) >= KILLS
            assert right > count // 8, "hardly anything was judged at all"
            verifier.verify(submissions(name, range(count, count + 20)))  # meets the launchers killed last
            numbers = range(count + 20, count + 40)
            verdicts = verifier.verify(submissions(name, numbers))
            assert not [verdict for verdict in verdicts if verdict.fault]
            assert not mistakes(numbers, verdicts)


@pytest.mark.parametrize("victims", [launchers, jobs])
def test_processes_killed_at_random_make_no_wrong_verdict(victims: Any) -> None:
    survive("python", 300, victims, 0.05)


@pytest.mark.parametrize("victims", [launchers, jobs])
def test_compilations_killed_at_random_make_no_wrong_verdict(victims: Any) -> None:
    survive("gcc", 40, victims, 0.15)


@pytest.mark.slow
@pytest.mark.parametrize("victims", [launchers, jobs])
def test_processes_killed_at_random_during_ten_thousand_verdicts(victims: Any) -> None:
    survive("python", 10_000, victims, 0.1)


def pulled(rug: str, folder: Path) -> dict[str, list[tuple[bool, float | None, str | None]]]:
    """Judge while something is taken away, in a process and a mount namespace of its own."""
    if shutil.which("unshare") is None:
        pytest.fail("this test needs `unshare`: apt-get install util-linux")
    script = 'mount --make-rshared / && exec "$@"'
    command = [*IN_A_NAMESPACE, "sh", "-c", script, "sh", sys.executable, str(RUGS), rug, str(folder)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    found = json.loads(ran.stdout.splitlines()[-1])
    assert {when: len(rows) for when, rows in found.items()} == {
        "before": 2, "meanwhile": 12, "without": 4, "mended": 8, "after": 2,
    }  # fmt: skip
    for when, rows in found.items():
        for right, reward, fault in rows:
            assert (reward is None and fault) or (reward is not None and (reward == 1.0) == right), (
                when,
                reward,
                fault,
            )
    for when in ("before", "after"):
        assert all(reward is not None for _, reward, _ in found[when]), found[when]
    return dict(found)


@needs_root
@pytest.mark.parametrize(
    "rug",
    [
        "the compiler", "the compiler proper", "the assembler", "the linkers", "the linker's driver", "the library",
        "the compiler's folder", "the system's headers", "the system's headers, as launchers began",
        "bubblewrap, from gcc", "bubblewrap, from python", "processes, from gcc", "processes, from python",
    ],
)  # fmt: skip
def test_what_judging_needs_becomes_a_fault_when_it_is_gone(rug: str, tmp_path: Path) -> None:
    found = pulled(rug, tmp_path)
    assert all(reward is None for _, reward, _ in found["without"]), found["without"]


@needs_root
@pytest.mark.parametrize(
    "rug",
    ["the library's headers", "the disk, from gcc", "the disk, from python"]
    + [f"all descriptors but {spare}, from {name}" for name in KINDS for spare in (0, 3, 9, 14)],
)
def test_what_judging_may_do_without_makes_no_wrong_verdict(rug: str, tmp_path: Path) -> None:
    pulled(rug, tmp_path)
