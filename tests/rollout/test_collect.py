from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from random import Random

import pytest
from background import Inline

from halo_forge.core.errors import EnvironmentFault, Interrupted, TooManyFaults
from halo_forge.core.events import Event, EventLog, EventType
from halo_forge.core.protocols import Submission
from halo_forge.core.stop import StopRequest
from halo_forge.core.types import Completion, Prompt, Sampling, Stage, Verdict
from halo_forge.generation.scripted import ScriptedGenerator
from halo_forge.rollout.checking import Checker
from halo_forge.rollout.collect import CollectPlan, chunked, collect
from halo_forge.rollout.records import read_rollouts


class Length(Inline):
    """Rewards even lengths; runs a hook at every batch."""

    def __init__(self, hook: Callable[[], None] = lambda: None) -> None:
        super().__init__(even)
        self.hook = hook

    def submit(self, submissions: Sequence[Submission]) -> list[Future[Verdict]]:
        self.hook()
        return super().submit(submissions)


def even(submission: Submission) -> Verdict:
    right = len(submission.text) % 2 == 0
    return Verdict(reward=float(right), passed=right, stage=Stage.TESTS)


def checker(hook: Callable[[], None] = lambda: None) -> Checker:
    return Checker(Length(hook))


def down(submission: Submission) -> Verdict:
    return Verdict(reward=None, passed=False, stage=Stage.PARSE, fault="no more processes")


def speak(prompt: Prompt, index: int, random: Random) -> str:
    return prompt.id + "x" * random.randrange(20)


def plan(path: Path, max_fault_rate: float = 0.05) -> CollectPlan:
    return CollectPlan(path, Sampling(n=4), 8, 5, "start", 1, "generate", max_fault_rate)


@pytest.fixture
def prompts(make_prompt: Callable[..., Prompt]) -> list[Prompt]:
    return [make_prompt(f"p{i}") for i in range(11)]


def test_chunks_hold_whole_prompts() -> None:
    assert [len(chunk) for chunk in chunked(list(range(7)), 4, 9)] == [2, 2, 2, 1]  # type: ignore[arg-type]
    assert [len(chunk) for chunk in chunked(list(range(3)), 16, 9)] == [1, 1, 1]  # type: ignore[arg-type]


def test_rollouts_are_stored_in_order_with_their_chunk(tmp_path: Path, prompts: list[Prompt]) -> None:
    got = collect(prompts, ScriptedGenerator(speak), checker(), plan(tmp_path / "r"), EventLog(), StopRequest())
    assert [(r.prompt_id, r.number) for r in got.rollouts] == [(p.id, i) for p in prompts for i in range(4)]
    assert [r.chunk for r in got.rollouts] == [i // 8 for i in range(44)]
    assert all(r.completion.policy == "start" for r in got.file.read(got.rollouts))
    assert list(got.file.read(got.rollouts)) == read_rollouts(tmp_path / "r")


def test_stopping_and_going_on_gives_the_same_file(tmp_path: Path, prompts: list[Prompt]) -> None:
    generator = ScriptedGenerator(speak)
    collect(prompts, generator, checker(), plan(tmp_path / "whole"), EventLog(), StopRequest())
    for stop_after in range(1, 6):
        stop, path = StopRequest(), tmp_path / f"stopped{stop_after}"
        batches = iter(range(1, 100))

        def hook(batches=batches, stop=stop, stop_after=stop_after) -> None:  # type: ignore[no-untyped-def]
            stop.requested = next(batches) == stop_after or stop.requested

        with pytest.raises(Interrupted):
            collect(prompts, generator, checker(hook), plan(path), EventLog(), stop)
        collect(prompts, generator, checker(), plan(path), EventLog(), StopRequest())
        assert path.read_bytes() == (tmp_path / "whole").read_bytes()


def test_faults_are_no_rewards_and_too_many_stop_the_run(tmp_path: Path, prompts: list[Prompt]) -> None:
    events, path = EventLog(), tmp_path / "r"
    generator = ScriptedGenerator(speak)
    with pytest.raises(TooManyFaults, match=r"not be verified.*5% allowed.*no more processes"):
        collect(prompts, generator, Checker(Inline(down)), plan(path), events, StopRequest())
    assert read_rollouts(path) == []
    # The same command goes on once mended.
    got = collect(prompts, generator, checker(), plan(path), events, StopRequest())
    assert len(got.rollouts) == 44
    assert all(r.reward is not None for r in got.rollouts)


@pytest.mark.parametrize("number", [1, 4])
def test_a_short_run_of_which_nothing_could_be_verified_fails_and_goes_on_once_mended(
    tmp_path: Path, prompts: list[Prompt], number: int
) -> None:
    events, path, generator = EventLog(), tmp_path / "r", ScriptedGenerator(speak)
    few, answers = plan(path, max_fault_rate=0.96), 4 * number
    with pytest.raises(TooManyFaults, match=rf"{answers} of {answers} .*no more processes"):
        collect(prompts[:number], generator, Checker(Inline(down)), few, events, StopRequest())
    assert len(read_rollouts(path)) < answers
    got = collect(prompts[:number], generator, checker(), few, events, StopRequest())
    assert len(got.rollouts) == answers
    assert any(r.reward is not None for r in got.rollouts)


def test_a_verifier_that_cannot_be_kept_running_ends_the_run_and_stores_nothing(
    tmp_path: Path, prompts: list[Prompt]
) -> None:
    def gone() -> None:
        raise EnvironmentFault("it died 5 times")

    with pytest.raises(EnvironmentFault, match="died 5 times"):
        collect(prompts, ScriptedGenerator(speak), checker(gone), plan(tmp_path / "r"), EventLog(), StopRequest())
    assert read_rollouts(tmp_path / "r") == []


def test_where_verdicts_came_from_is_reported(tmp_path: Path, prompts: list[Prompt]) -> None:
    heard: list[Event] = []
    events = EventLog()
    events.listen(heard.append)
    judging = Length()
    judging.notices.append("started anew")
    shared = Checker(judging)
    for name in ("first", "second"):
        got = collect(prompts, ScriptedGenerator(speak), shared, plan(tmp_path / name), events, StopRequest())
        reuse = got.timing.reuse
        assert reuse.judged + reuse.duplicates == 44
        ended = [event.m for event in heard if event.type is EventType.PHASE_FINISHED][-1]
        assert (ended["cached"], ended["duplicates"]) == (0, reuse.duplicates)
    assert reuse.duplicates > 0
    assert [event.m["message"] for event in heard if event.type is EventType.NOTICE] == ["started anew"]


def test_what_is_on_disk_is_not_drawn_again(tmp_path: Path, prompts: list[Prompt]) -> None:
    class Refusing:
        def generate(self, prompts: Sequence[Prompt], sampling: Sampling, seed: int) -> list[Completion]:
            raise AssertionError("drawn again")

    first = collect(prompts, ScriptedGenerator(speak), checker(), plan(tmp_path / "r"), EventLog(), StopRequest())
    again = collect(prompts, Refusing(), checker(), plan(tmp_path / "r"), EventLog(), StopRequest())
    assert again.rollouts == first.rollouts
    assert again.timing.tokens == 0
