from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from halo_forge.core.types import Completion, Rollout, Stage, Verdict
from halo_forge.rollout.sketch import GRAM_SIZES, sketch
from halo_forge.verifiers.program_digest import program_digest, text_digest


def test_a_sketch_says_what_the_rollout_says(make_rollout: Callable[..., Rollout]) -> None:
    rollouts = [
        make_rollout("a", 0, text="x  y\n", stage=Stage.TESTS),
        make_rollout("a", 1, reward=None, finish="length", stage=Stage.COMPILE, cycle=3, chunk=2),
    ]
    first, second = sketch(rollouts, [100, 40], offset=7)
    assert (first.prompt_id, first.number, first.reward, first.passed, first.fault) == ("a", 0, 1.0, True, None)
    assert (second.number, second.reward, second.fault, second.cycle, second.chunk) == (1, None, "sandbox down", 3, 2)
    assert (first.truncated, second.truncated) == (False, True)
    assert (first.compiled, second.compiled) == (True, False)
    assert (first.tokens, first.logprob_sum) == (3, -1.5)
    assert [(s.offset, s.length) for s in (first, second)] == [(7, 100), (107, 40)]
    assert first.text == text_digest("x y") != text_digest("xy")


def test_only_what_earned_something_is_read_as_a_program(make_rollout: Callable[..., Rollout]) -> None:
    code = "int f() { return 1; } // one"
    right, wrong = sketch([make_rollout("a", 0, text=code), make_rollout("a", 1, reward=0.0, text=code)])
    assert right.program == program_digest("int f() {\n return 1; }")
    assert wrong.program == text_digest(code)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.lists(st.integers(0, 3), max_size=6)), max_size=8))
def test_new_grams_add_up_to_the_different_windows_of_a_prompt(drawn: list[tuple[str, list[int]]]) -> None:
    verdict = Verdict(reward=1.0, passed=True, stage=Stage.TESTS)
    rollouts = [
        Rollout(
            cycle=1,
            chunk=0,
            completion=Completion(prompt_id=name, index=i, text="", token_ids=tuple(ids)),
            verdict=verdict,
        )
        for i, (name, ids) in enumerate(drawn)
    ]
    sketches = sketch(rollouts)
    for name in "ab":
        for place, size in enumerate(GRAM_SIZES):
            windows = [tuple(ids[i : i + size]) for n, ids in drawn if n == name for i in range(len(ids) - size + 1)]
            assert sum(s.new_grams[place] for s in sketches if s.prompt_id == name) == len(set(windows))


def test_completions_without_log_probabilities_have_no_sum() -> None:
    completion = Completion(prompt_id="p", index=0, text="x", token_ids=(1, 2))
    verdict = Verdict(reward=0.0, passed=False, stage=Stage.PARSE)
    (only,) = sketch([Rollout(cycle=1, chunk=0, completion=completion, verdict=verdict)])
    assert only.logprob_sum is None
