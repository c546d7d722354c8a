from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from halo_forge.core.types import Completion, Rollout, Stage, Verdict
from halo_forge.raft.select import SelectionRules, select
from halo_forge.rollout.decision import Reason
from halo_forge.rollout.sketch import sketch

RULES = SelectionRules(reward_threshold=0.5, keep_fraction=1.0, max_kept_per_prompt=4, max_kept_if_solved=4)


def reasons(rollouts: list[Rollout], rules: SelectionRules = RULES) -> list[Reason]:
    return [decision.reason for decision in select(sketch(rollouts), rules, seed=0).decisions]


def test_only_right_whole_and_distinct_completions_are_kept(make_rollout: Callable[..., Rollout]) -> None:
    rollouts = [
        make_rollout(index=0, text="a  b"),
        make_rollout(index=1, text="a b"),
        make_rollout(index=2, reward=0.3),
        make_rollout(index=3, reward=None),
        make_rollout(index=4, finish="length"),
        make_rollout(index=5, text="c"),
    ]
    assert reasons(rollouts) == [
        Reason.KEPT,
        Reason.DUPLICATE,
        Reason.BELOW_THRESHOLD,
        Reason.UNVERIFIABLE,
        Reason.TRUNCATED,
        Reason.KEPT,
    ]


def test_an_easy_prompt_does_not_crowd_out_a_hard_one(make_rollout: Callable[..., Rollout]) -> None:
    easy = [make_rollout("easy", i) for i in range(8)]
    hard = [make_rollout("hard", i, reward=0.7 if i == 0 else 0.0) for i in range(8)]
    selection = select(sketch(easy + hard), RULES._replace(keep_fraction=0.25), seed=0)
    assert Counter(r.prompt_id for r in selection.kept) == {"easy": 2, "hard": 1}


def test_a_prompt_has_its_cap(make_rollout: Callable[..., Rollout]) -> None:
    selection = select(sketch([make_rollout(index=i) for i in range(8)]), RULES._replace(max_kept_per_prompt=3), seed=0)
    assert len(selection.kept) == 3
    assert Counter(d.reason for d in selection.decisions)[Reason.PROMPT_FULL] == 5


def test_min_samples_lowers_the_threshold_but_never_to_nothing(make_rollout: Callable[..., Rollout]) -> None:
    rewards = (0.7, 0.3, 0.3, 0.1, 0.0, 0.0)
    rollouts = [make_rollout(f"p{i}", i, reward=r) for i, r in enumerate(rewards)]
    lowered = select(sketch(rollouts), RULES._replace(min_samples=2), seed=0)
    assert lowered.threshold == 0.3
    assert [r.reward for r in lowered.kept] == [0.7, 0.3, 0.3]
    assert {d.reason for d in lowered.decisions if d.kept} == {Reason.KEPT, Reason.KEPT_LOWERED}
    assert min(r.reward or 0 for r in select(sketch(rollouts), RULES._replace(min_samples=6), seed=0).kept) == 0.1


def test_nothing_right_means_nothing_kept(make_rollout: Callable[..., Rollout]) -> None:
    selection = select(
        sketch([make_rollout(index=i, reward=0.0) for i in range(4)]), RULES._replace(min_samples=2), seed=0
    )
    assert selection.kept == []


def test_the_random_control_ignores_rewards(make_rollout: Callable[..., Rollout]) -> None:
    rollouts = [make_rollout(f"p{i // 8}", i % 8, reward=float(i % 8 == 0)) for i in range(800)]
    rules = RULES._replace(select="random", max_kept_per_prompt=2)
    kept = select(sketch(rollouts), rules, seed=0).kept
    assert len(kept) == 200
    assert 0.05 < sum(r.passed for r in kept) / 200 < 0.25


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3), st.sampled_from([None, 0.0, 0.3, 0.5, 0.7, 1.0]), st.integers(0, 2), st.booleans()
        ),
        max_size=40,
    ),
    st.sampled_from([0.1, 0.5, 1.0]),
    st.integers(1, 4),
    st.integers(1, 4),
    st.none() | st.integers(1, 30),
)
def test_rules_hold_whatever_is_drawn(
    drawn: list[tuple[int, float | None, int, bool]], fraction: float, cap: int, solved: int, least: int | None
) -> None:
    rollouts = [
        Rollout(
            cycle=1,
            chunk=0,
            completion=Completion(
                prompt_id=f"p{prompt}", index=i, text=f"t{text}", finish_reason="length" if cut else "stop"
            ),
            verdict=Verdict(reward=reward, passed=reward == 1.0, stage=Stage.TESTS),
        )
        for i, (prompt, reward, text, cut) in enumerate(drawn)
    ]
    rules = SelectionRules(0.5, fraction, cap, solved, least)
    selection = select(sketch(rollouts), rules, seed=3)
    assert len(selection.decisions) == len(rollouts)
    assert selection == select(sketch(rollouts), rules, seed=3)
    kept = Counter(r.prompt_id for r in selection.kept)
    assert all(count <= cap for count in kept.values())
    assert len({(r.prompt_id, r.program) for r in selection.kept}) == len(selection.kept)
    for rollout in selection.kept:
        assert not rollout.truncated
        assert rollout.reward is not None and 0 < selection.threshold <= rollout.reward
    if least is None:
        assert selection.threshold == 0.5


def test_programs_that_differ_in_comments_and_layout_are_the_same(make_rollout: Callable[..., Rollout]) -> None:
    texts = [
        "int f(int n) { return n; }",
        "```cpp\n// mine\nint f(int n)\n{\n  return n;\n}\n```",
        "int f() { return 1; }",
    ]
    rollouts = [make_rollout(index=i, text=text) for i, text in enumerate(texts)]
    assert reasons(rollouts) == [Reason.KEPT, Reason.DUPLICATE, Reason.KEPT]


def test_a_prompt_that_never_reached_the_threshold_says_so(make_rollout: Callable[..., Rollout]) -> None:
    hard = [make_rollout("hard", i, reward=r) for i, r in enumerate((0.3, 0.0, None))]
    mixed = [make_rollout("mixed", i, reward=r) for i, r in enumerate((0.7, 0.0))]
    assert reasons(hard + mixed) == [
        Reason.ALL_WRONG,
        Reason.ALL_WRONG,
        Reason.UNVERIFIABLE,
        Reason.KEPT,
        Reason.BELOW_THRESHOLD,
    ]


def test_a_prompt_that_is_always_solved_has_a_lower_cap(make_rollout: Callable[..., Rollout]) -> None:
    rules = RULES._replace(max_kept_if_solved=1)
    solved = [make_rollout("solved", i) for i in range(3)] + [make_rollout("solved", 3, reward=None)]
    nearly = [make_rollout("nearly", i, reward=float(i < 3)) for i in range(4)]
    found = Counter((d.prompt_id, d.reason) for d in select(sketch(solved + nearly), rules, seed=0).decisions)
    assert found == {
        ("solved", Reason.KEPT): 1,
        ("solved", Reason.PROMPT_SOLVED): 2,
        ("solved", Reason.UNVERIFIABLE): 1,
        ("nearly", Reason.KEPT): 3,
        ("nearly", Reason.BELOW_THRESHOLD): 1,
    }


def test_nothing_earned_is_never_kept_even_at_threshold_zero(make_rollout: Callable[..., Rollout]) -> None:
    rollouts = [make_rollout(index=i, reward=r) for i, r in enumerate((0.1, 0.0))]
    assert reasons(rollouts, RULES._replace(reward_threshold=0.0)) == [Reason.KEPT, Reason.BELOW_THRESHOLD]


def test_the_threshold_is_not_lowered_where_that_keeps_no_more(make_rollout: Callable[..., Rollout]) -> None:
    rules = RULES._replace(min_samples=3, max_kept_per_prompt=1)
    rollouts = [
        make_rollout("p", 0),
        make_rollout("p", 1, reward=0.4),
        make_rollout("q", 0, reward=0.2, finish="length"),
    ]
    selection = select(sketch(rollouts), rules, seed=0)
    assert (len(selection.kept), selection.threshold) == (1, 0.5)


def test_the_reasons_of_dropped_rollouts_are_distinct_words() -> None:
    assert len({reason.value for reason in Reason}) == len(Reason)
    assert all(reason.value.startswith(("kept", "dropped: ")) for reason in Reason)


def test_top_ranks_all_prompts_together_and_keeps_copies(make_rollout: Callable[..., Rollout]) -> None:
    easy = [make_rollout("easy", i, text="same") for i in range(6)]
    hard = [
        make_rollout("hard", 0, reward=0.7),
        make_rollout("hard", 1, reward=0.3),
        make_rollout("hard", 2, reward=None),
    ]
    selection = select(sketch([*hard, *easy]), RULES._replace(select="top", keep_fraction=0.5), seed=0)
    assert [(r.prompt_id, r.number) for r in selection.kept] == [("easy", i) for i in range(4)]
    assert [d.reason for d in selection.decisions[:3]] == [
        Reason.KEEP_FRACTION,
        Reason.BELOW_THRESHOLD,
        Reason.UNVERIFIABLE,
    ]


def test_duplicates_are_kept_when_asked_for(make_rollout: Callable[..., Rollout]) -> None:
    rollouts = [make_rollout(index=i, text="same") for i in range(3)]
    assert reasons(rollouts, RULES._replace(keep_duplicates=True)) == [Reason.KEPT] * 3
