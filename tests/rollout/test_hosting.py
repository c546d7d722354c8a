"""A verifier in its own process: real processes that crash, hang and are killed."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import psutil
import pytest

from halo_forge.core.errors import ConfigError, EnvironmentFault
from halo_forge.core.protocols import Submission
from halo_forge.core.types import IoCase, Message, Prompt, Reference, Verdict
from halo_forge.rollout.hosting import HostedVerifier
from halo_forge.rollout.wire import Order

pytestmark = pytest.mark.usefixtures("scripted")
PROMPT = Prompt(id="p", messages=(Message(role="user", content="do"),))
PATIENCE_S = 60.0
BYSTANDERS: set[psutil.Process] = set()


def order(workers: int = 2, verifier: str = "scripted", **options: object) -> Order:
    return Order.model_validate({"verifier": verifier, "options": options, "sandbox": "limits", "workers": workers})


def submissions(*texts: str) -> list[Submission]:
    return [Submission(PROMPT, text) for text in texts]


def verdicts(hosted: HostedVerifier, *texts: str) -> list[Verdict]:
    return [future.result(PATIENCE_S) for future in hosted.submit(submissions(*texts))]


@pytest.fixture(autouse=True)
def others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes of earlier tests' sandboxes, which live as long as the session, are none of ours."""
    monkeypatch.setattr(f"{__name__}.BYSTANDERS", set(psutil.Process().children(recursive=True)))


def tree() -> list[psutil.Process]:
    return [process for process in psutil.Process().children(recursive=True) if process not in BYSTANDERS]


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def eventually(holds: Callable[[], bool]) -> bool:
    until = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


@pytest.fixture
def hosted() -> Iterator[HostedVerifier]:
    with closing(HostedVerifier(order(), PATIENCE_S)) as opened:
        yield opened


def test_verdicts_come_in_order_and_nothing_is_left_running(hosted: HostedVerifier) -> None:
    got = verdicts(hosted, *(f"{'right' if i % 3 else 'wrong'} {i}" for i in range(500)))
    assert [(v.passed, v.detail) for v in got] == [(i % 3 > 0, str(i)) for i in range(500)]
    assert (hosted.name, hosted.version, hosted.tier) == ("scripted", "1", "limits")
    below = tree()
    assert below
    hosted.close()
    assert not [process for process in below if process.is_running()]


def test_what_the_verifier_does_wrong_is_a_fault_and_its_process_goes_on(hosted: HostedVerifier) -> None:
    before = {process.pid for process in tree()}
    raised, left, nonsense, half, right = verdicts(hosted, "raise", "leave", "nonsense", "half", "right")
    assert raised.fault == "verifier scripted failed: OSError: no more processes"
    assert left.fault == "verifier scripted failed: SystemExit: 0"
    assert nonsense.fault is not None and "no list of one verdict" in nonsense.fault
    assert half.fault is not None and "cannot be written" in half.fault
    assert {v.reward for v in (raised, left, nonsense, half)} == {None}
    assert right.reward == 1.0
    assert {process.pid for process in tree()} == before
    assert hosted.take_notices() == []


def test_what_is_no_text_is_a_fault_and_harms_no_other(hosted: HostedVerifier) -> None:
    half_prompt = PROMPT.model_copy(update={"messages": (Message(role="user", content="\udfff"),)})
    futures = hosted.submit([*submissions("right", "\ud800"), Submission(half_prompt, "right"), *submissions("right")])
    got = [future.result(PATIENCE_S) for future in futures]
    assert [verdict.reward for verdict in got] == [1.0, None, None, 1.0]
    assert all("surrogate" in verdict.fault for verdict in got if verdict.fault is not None)


@pytest.mark.parametrize(("deed", "how"), [("crash", "signal 11"), ("exit", "exit status 7: the plugin gives up")])
def test_a_process_that_dies_costs_only_what_was_in_work(deed: str, how: str) -> None:
    with closing(HostedVerifier(order(workers=1), PATIENCE_S)) as hosted:
        got = verdicts(hosted, *["right 1"] * 20, deed, *["right 2"] * 20)
        assert [v.reward for v in got] == [1.0] * 20 + [None] + [1.0] * 20
        assert got[20].fault is not None and "died while it judged this" in got[20].fault and how in got[20].fault
        assert len(hosted.take_notices()) == 1
        assert hosted.take_notices() == []


@pytest.mark.parametrize("deed", ["hang", "grip"])
def test_a_hanging_verifier_is_killed_and_counted(deed: str) -> None:
    with closing(HostedVerifier(order(workers=2), stall_timeout_s=2.0)) as hosted:
        got = verdicts(hosted, "right 1", deed, *["right 2"] * 20)
        assert got[1].fault is not None and "hung: it gave no verdict in 2 s" in got[1].fault
        # One that holds the interpreter's lock takes along whatever the other worker was at.
        assert sum(v.reward is None for v in got) <= (1 if deed == "hang" else 2)
        assert {v.reward for v in got} == {None, 1.0}
        assert len(hosted.take_notices()) == 1


def test_tests_with_input_and_output_have_longer(hosted: HostedVerifier) -> None:
    reference = Reference(cases=(IoCase(input="1", output="2"),) * 9)
    assert hosted._patience_s(reference) == PATIENCE_S + 9 * 20.0


def test_a_process_that_always_dies_ends_the_run_and_says_so(
    hosted: HostedVerifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("halo_forge.rollout.hosting.RESTART_PAUSE_S", 0.01)
    futures = hosted.submit(submissions(*["exit"] * 40))
    errors = [future.exception(PATIENCE_S) for future in futures]
    assert any(isinstance(error, EnvironmentFault) for error in errors)
    lost = [future.result() for future, error in zip(futures, errors, strict=True) if error is None]
    assert {v.reward for v in lost} == {None}
    with pytest.raises(EnvironmentFault, match=r"exit status 7.*5 times in a row without any verdict"):
        hosted.submit(submissions("right"))


@pytest.mark.parametrize(
    ("what", "error", "message"),
    [
        ({"mood": "refuse"}, EnvironmentFault, "^no toolchain: install one$"),
        ({"mood": "break"}, EnvironmentFault, r"cannot be built: KeyError: 'odd' \(.*scripted_verifier.py, line"),
        ({"mood": "die"}, EnvironmentFault, "ended before it was ready: exit status 3"),
        ({"colour": 1}, ConfigError, "^verifier 'scripted' has no option 'colour'"),
        ({"verifier": "scriptd"}, ConfigError, "^unknown verifier 'scriptd': did you mean 'scripted'"),
    ],
)
def test_errors_of_building_come_through_as_themselves(what: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        HostedVerifier(order(**what), PATIENCE_S)
    assert not tree()


def test_a_verifier_that_is_never_ready_is_killed() -> None:
    with pytest.raises(EnvironmentFault, match=r"was not ready after 1\.5 s.*--stall-timeout-s"):
        HostedVerifier(order(mood="sleep"), 1.5)
    assert not tree()


def test_a_verifier_that_changes_on_the_way_ends_the_run(tmp_path: Path) -> None:
    with closing(HostedVerifier(order(mood="change", log=str(tmp_path / "log")), PATIENCE_S)) as hosted:
        (future,) = hosted.submit(submissions("exit"))
        assert future.result(PATIENCE_S).reward is None
        (future,) = hosted.submit(submissions("right"))
        with pytest.raises(EnvironmentFault, match="changed while the run went on"):
            future.result(PATIENCE_S)


def test_a_verifier_that_foresees_is_shown_what_comes_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with closing(HostedVerifier(order(mood="foresee", log=str(log)), PATIENCE_S)) as hosted:
        verdicts(hosted, *(f"right {i}" for i in range(600)))
    shown = [int(line.split()[1]) for line in log.read_text().splitlines()]
    assert sum(shown) == 600
    assert len(shown) < 60


def test_one_that_cannot_prepare_judges_all_the_same() -> None:
    with closing(HostedVerifier(order(mood="stumble"), PATIENCE_S)) as hosted:
        assert verdicts(hosted, "right")[0].reward == 1.0


def test_whatever_a_plugin_prints_does_no_harm(hosted: HostedVerifier) -> None:
    assert all(v.fault is None for v in verdicts(hosted, *["mutter 100000"] * 30))


def test_what_a_plugin_started_ends_with_it(hosted: HostedVerifier) -> None:
    (stray,) = verdicts(hosted, "stray 3600")
    assert psutil.pid_exists(int(stray.detail))
    hosted.close()
    assert is_gone(int(stray.detail))


def test_what_a_plugin_started_ends_when_its_process_dies(hosted: HostedVerifier) -> None:
    stray, _ = verdicts(hosted, "stray 3600"), verdicts(hosted, "exit")
    assert is_gone(int(stray[0].detail))


def test_closing_settles_what_waits(hosted: HostedVerifier) -> None:
    futures = hosted.submit(submissions(*["hang"] * 4))
    hosted.close()
    assert all(isinstance(future.exception(0), EnvironmentFault) for future in futures)
    assert not tree()


ENDLESS = "int main() { for (volatile int i = 0;; i = i + 1) {} }"
REAL_HARNESS = f"""
import sys, time
from test_hosting import HostedVerifier, Order, submissions
options = {{"run": True, "timeout_s": 500}}
hosted = HostedVerifier(Order(verifier="gcc", options=options, sandbox="auto", workers=1), 3600)
hosted.submit(submissions({ENDLESS!r}))
print("begun", flush=True)
time.sleep(3600)
"""
HARNESS = """
import sys, time
from test_hosting import HostedVerifier, order, submissions
hosted = HostedVerifier(order(), 600)
(stray,) = [future.result() for future in hosted.submit(submissions("stray 3600"))]
hosted.submit(submissions(sys.argv[1], sys.argv[1]))
print(stray.detail, flush=True)
time.sleep(3600)
"""


@pytest.mark.parametrize("deed", ["hang", "grip"])
def test_nothing_survives_a_killed_harness(deed: str, scripted_package: Path) -> None:
    folders = os.pathsep.join([str(scripted_package), str(Path(__file__).parent)])
    harness = subprocess.Popen(
        [sys.executable, "-c", HARNESS, deed],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": folders},
    )
    assert harness.stdout is not None
    stray = int(harness.stdout.readline())
    below = psutil.Process(harness.pid).children(recursive=True)
    assert len(below) >= 3
    harness.kill()
    harness.wait()
    harness.stdout.close()
    assert eventually(lambda: all(is_gone(pid) for pid in [stray, *(process.pid for process in below)]))


def busy(harness: subprocess.Popen[str]) -> list[psutil.Process]:
    """The processes below the harness, once one of them has computed for a second beyond any compilation's start."""
    below = psutil.Process(harness.pid).children(recursive=True)
    with suppress(psutil.Error):
        if any(process.name() == "program" and process.cpu_times().user > 0.2 for process in below):
            return below
    return []


def test_a_sandboxed_program_ends_with_a_killed_harness() -> None:
    folders = os.pathsep.join([str(Path(__file__).parent), os.environ["PYTHONPATH"]])
    harness = subprocess.Popen(
        [sys.executable, "-c", REAL_HARNESS],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": folders},
    )
    assert harness.stdout is not None
    try:
        assert harness.stdout.readline() == "begun\n"
        found: list[psutil.Process] = []

        def running() -> bool:
            found[:] = busy(harness)
            return bool(found)

        assert eventually(running)
    finally:
        harness.kill()
        harness.wait()
        harness.stdout.close()
    assert eventually(lambda: all(is_gone(process.pid) for process in found))


def test_an_interrupt_from_the_terminal_reaches_the_harness_alone(hosted: HostedVerifier) -> None:
    assert all(os.getsid(process.pid) != os.getsid(0) for process in tree())


def test_the_child_has_no_machine_learning_in_it(tmp_path: Path, hosted: HostedVerifier) -> None:
    verdicts(hosted, "right")
    for process in tree():
        maps = Path(f"/proc/{process.pid}/maps").read_text()
        assert "libtorch" not in maps and "numpy" not in maps


def test_killed_at_random_no_verdict_is_wrong_lost_or_doubled() -> None:
    texts = [f"{'right' if i % 2 else 'wrong'} {i}" for i in range(6000)]
    dice, kills = random.Random(1), 0
    with closing(HostedVerifier(order(workers=4, pause_s=0.001), PATIENCE_S)) as hosted:
        futures = hosted.submit(submissions(*texts))
        # By the number of verdicts, not by the clock: on a busy machine the process could not even start in between.
        for struck_at in range(500, 6000, 500):
            futures[struck_at].result(PATIENCE_S)
            with suppress(psutil.Error, IndexError):
                dice.choice(tree()).kill()
                kills += 1
        got = [future.result(PATIENCE_S) for future in futures]
    assert kills >= 8
    for i, verdict in enumerate(got):
        assert verdict.reward is None or (verdict.passed, verdict.detail) == (i % 2 == 1, str(i))
    # In work at each kill were at most four; a killed launcher of the sandbox costs none here.
    assert sum(v.reward is None for v in got) <= 4 * kills
