import base64
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from halo_forge.core.types import MediaPart, Message, Prompt, Rollout, TextPart
from halo_forge.report.samples import Pick, Picker, read_prompts, show
from halo_forge.rollout.decision import Reason
from halo_forge.rollout.rollout_file import RolloutFile

Make = Callable[[int], list[Rollout]]
PickFrom = Callable[..., tuple[Pick, ...]]


@pytest.fixture
def pick(tmp_path: Path) -> Callable[..., tuple[Pick, ...]]:
    def make(rollouts: list[Rollout], seed: str = "1") -> tuple[Pick, ...]:
        picker, file = Picker(seed, {"any": 3, "highest": 1}), RolloutFile(tmp_path / "r.jsonl")
        file.path.unlink(missing_ok=True)
        file.resume(())
        for rollout in file.append(rollouts):
            picker.offer("any", rollout)
            picker.offer("highest", rollout, rollout.reward or 0.0)
        return picker.picks(file, {(rollouts[0].prompt_id, rollouts[0].completion.index): Reason.KEPT})

    return make


def test_picks_follow_from_the_seed(pick: PickFrom, make_rollouts: Make) -> None:
    rollouts = make_rollouts(20)
    assert pick(rollouts) == pick(rollouts)
    assert pick(rollouts) != pick(rollouts, seed="2")


def test_picks_fill_their_places(pick: PickFrom, make_rollouts: Make) -> None:
    picks = pick(make_rollouts(20))
    assert sum("any" in p.labels for p in picks) == 3
    highest = next(p for p in picks if "highest" in p.labels)
    assert highest.rollout.verdict.reward == 1.0


def test_one_rollout_stands_once_with_all_its_labels(pick: PickFrom, make_rollouts: Make) -> None:
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


def test_a_sample_shows_the_images_of_its_prompt(make_rollouts: Make, tmp_path: Path) -> None:
    rollout = make_rollouts(1)[0]
    Image.new("RGB", (2_000, 1_000), "red").save(tmp_path / "large.png")
    Image.new("RGB", (8, 4), "blue").save(tmp_path / "small.png")
    parts = [MediaPart(kind="image", path=str(tmp_path / name)) for name in ("large.png", "gone.png", "small.png")]
    prompt = Prompt(id=rollout.prompt_id, messages=(Message(role="user", content=(*parts, TextPart(text="?"))),))
    sample = show(Pick(rollout, ("Kept",)), {prompt.id: prompt}, "")
    assert sample.prompt == (("user", "?"),)
    sizes = []
    for address in sample.images:
        head, _, content = address.partition(",")
        assert head == "data:image/jpeg;base64"
        sizes.append(Image.open(io.BytesIO(base64.b64decode(content))).size)
    assert sizes == [(480, 240), (160, 80)]


def test_what_was_heard_is_inside_the_page_where_it_is_small(make_rollouts: Make, tmp_path: Path) -> None:
    rollout = make_rollouts(1)[0]
    (tmp_path / "small.flac").write_bytes(b"fLaC")
    (tmp_path / "large.wav").write_bytes(b"x" * 400_000)
    (tmp_path / "page.png").write_bytes(b"<script>")
    names = ("small.flac", "large.wav", "gone.mp3", "page.png")
    content = tuple(MediaPart(kind="audio", path=str(tmp_path / name)) for name in names)
    prompt = Prompt(id=rollout.prompt_id, messages=(Message(role="user", content=content),))
    sample = show(Pick(rollout, ("any",)), {prompt.id: prompt}, "")
    small, large, gone, image = sample.sounds
    assert small.data == "data:audio/flac;base64,ZkxhQw==" and small.name == "small.flac"
    assert (large.data, gone.data, image.data) == ("", "", "")
    assert "too large" in large.name and "not there" in gone.name and "do not play" in image.name
    assert sample.prompt == ()
