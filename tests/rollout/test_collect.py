from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import pytest

from halo_forge.core.errors import Interrupted, TooManyFaults
from halo_forge.core.events import EventLog
from halo_forge.core.protocols import Submission
from halo_forge.core.stop import StopRequest
from halo_forge.core.types import Completion, Prompt, Sampling, Stage, Verdict
from halo_forge.generation.scripted import ScriptedGenerator
from halo_forge.rollout.collect import CollectPlan, chunked, collect


class LengthVerifier:
    """Rewards even lengths; runs a hook at every batch."""

    name, version = "length", "1"

    def __init__(self, hook: Callable[[], None] = lambda: None) -> None:
        self.hook = hook

    def verify(self, submissions: Sequence[Submission]) -> list[Verdict]:
        self.hook()
        return [
            Verdict(reward=float(len(s.text) % 2 == 0), passed=len(s.text) % 2 == 0, stage=Stage.TESTS)
            for s in submissions
        ]

    def close(self) -> None:
        pass


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
    got = collect(prompts, ScriptedGenerator(speak), LengthVerifier(), plan(tmp_path / "r"), EventLog(), StopRequest())
    assert [(r.prompt_id, r.completion.index) for r in got.rollouts] == [(p.id, i) for p in prompts for i in range(4)]
    assert [r.chunk for r in got.rollouts] == [i // 8 for i in range(44)]
    assert all(r.completion.policy == "start" for r in got.rollouts)


def test_stopping_and_going_on_gives_the_same_file(tmp_path: Path, prompts: list[Prompt]) -> None:
    generator = ScriptedGenerator(speak)
    collect(prompts, generator, LengthVerifier(), plan(tmp_path / "whole"), EventLog(), StopRequest())
    for stop_after in range(1, 6):
        stop, path = StopRequest(), tmp_path / f"stopped{stop_after}"
        batches = iter(range(1, 100))

        def hook(batches=batches, stop=stop, stop_after=stop_after) -> None:  # type: ignore[no-untyped-def]
            stop.requested = next(batches) == stop_after or stop.requested

        with pytest.raises(Interrupted):
            collect(prompts, generator, LengthVerifier(hook), plan(path), EventLog(), stop)
        collect(prompts, generator, LengthVerifier(), plan(path), EventLog(), StopRequest())
        assert path.read_bytes() == (tmp_path / "whole").read_bytes()


def test_a_verifier_that_breaks_is_a_fault_and_never_a_reward(tmp_path: Path, prompts: list[Prompt]) -> None:
    def broken() -> None:
        raise OSError("no more processes")

    events = EventLog()
    with pytest.raises(TooManyFaults, match=r"not be verified.*5% allowed.*no more processes"):
        collect(prompts, ScriptedGenerator(speak), LengthVerifier(broken), plan(tmp_path / "r"), events, StopRequest())
    got = collect(
        prompts[:4], ScriptedGenerator(speak), LengthVerifier(broken), plan(tmp_path / "q"), events, StopRequest()
    )
    assert {r.verdict.reward for r in got.rollouts} == {None}


def test_what_is_on_disk_is_not_drawn_again(tmp_path: Path, prompts: list[Prompt]) -> None:
    class Refusing:
        def generate(self, prompts: Sequence[Prompt], sampling: Sampling, seed: int) -> list[Completion]:
            raise AssertionError("drawn again")

    first = collect(
        prompts, ScriptedGenerator(speak), LengthVerifier(), plan(tmp_path / "r"), EventLog(), StopRequest()
    )
    again = collect(prompts, Refusing(), LengthVerifier(), plan(tmp_path / "r"), EventLog(), StopRequest())
    assert again.rollouts == first.rollouts
    assert again.timing.tokens == 0
