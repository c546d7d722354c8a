from collections.abc import Callable
from pathlib import Path

from halo_forge.core.types import Rollout
from halo_forge.report.samples import Pick, Picker, read_prompts, show
from halo_forge.rollout.decision import Reason

Make = Callable[[int], list[Rollout]]


def pick(rollouts: list[Rollout], seed: str = "1") -> tuple[Pick, ...]:
    picker = Picker(seed, {"any": 3, "highest": 1})
    for rollout in rollouts:
        picker.offer("any", rollout)
        picker.offer("highest", rollout, rollout.verdict.reward or 0.0)
    return picker.picks({(rollouts[0].prompt_id, rollouts[0].completion.index): Reason.KEPT})


def test_picks_follow_from_the_seed(make_rollouts: Make) -> None:
    rollouts = make_rollouts(20)
    assert pick(rollouts) == pick(rollouts)
    assert pick(rollouts) != pick(rollouts, seed="2")


def test_picks_fill_their_places(make_rollouts: Make) -> None:
    picks = pick(make_rollouts(20))
    assert sum("any" in p.labels for p in picks) == 3
    highest = next(p for p in picks if "highest" in p.labels)
    assert highest.rollout.verdict.reward == 1.0


def test_one_rollout_stands_once_with_all_its_labels(make_rollouts: Make) -> None:
    (only,) = pick(make_rollouts(1)[:1])
    assert only.labels == ("any", "highest")
    assert only.reason is Reason.KEPT


def test_shown_sample_names_reward_stage_and_reason(make_rollouts: Make) -> None:
    rollout = next(r for r in make_rollouts(30) if r.verdict.passed)
    sample = show(Pick(rollout, ("Kept",), Reason.KEPT), {}, "rollouts/cycle_1.jsonl")
    facts = dict(sample.facts)
    assert (facts["Reward"], facts["Stage"], facts["Selection"]) == ("1.00", "passed", "kept")
    assert sample.kind == "good" and sample.prompt == ()


def test_unverifiable_sample_shows_its_fault_and_no_reward(make_rollouts: Make) -> None:
    rollout = next(r for r in make_rollouts(60) if r.verdict.reward is None)
    sample = show(Pick(rollout, ("Could not be verified",)), {}, "")
    assert sample.kind == "fault"
    assert dict(sample.facts)["Fault"].startswith("sandbox")
    assert dict(sample.facts)["Reward"].startswith("none")


def test_only_the_prompts_asked_for_are_held(raft_run: Path) -> None:
    assert set(read_prompts(raft_run, {"sum-003", "absent"})) == {"sum-003"}
