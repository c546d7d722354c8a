"""A killed run on images or on speech ends with the same rollouts, kept sets and weights, as one of text does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice, product
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest
from killing import (
    RAFT_MOMENTS,
    RAFT_SETTINGS,
    assert_same,
    content,
    kill_after,
    killed_through,
    tear,
    undisturbed,
)
from seen import COLOURS, build_vision_model, picture_prompt, picture_row
from speech import WORDS, build_speech_model, write_tones
from warm import Moment, Warm, warm_process

from halo_forge.config.load import load
from halo_forge.config.sft import SftTrainConfig
from halo_forge.sft.loop import train_sft

# One of each phase: drawing, choosing, training, publishing, measuring, ending.
FEW_MOMENTS = (
    Moment("open", "rollouts/cycle_1.jsonl", 3),
    Moment("os.rename", "kept/cycle_1.jsonl"),
    Moment("os.rename", "training_state/state.pt", 2),
    Moment("os.rename", "cycle_1_final"),
    Moment("open", "rollouts/holdout_1.jsonl"),
    Moment("os.rename", "final_model"),
)
PROMPTS = 14
RANDOM_KILLS = 5
MODULES = (
    "halo_forge.generation.seen_prompts",
    "halo_forge.generation.heard_prompts",
    "halo_forge.models.renderers.vision",
    "halo_forge.models.renderers.speech",
    "transformers.models.qwen2_vl.modeling_qwen2_vl",
    "transformers.models.whisper.modeling_whisper",
)


class Course(NamedTuple):
    """A RAFT run on media, and the folder of the same run that nobody disturbed."""

    domain: str
    model: Path
    prompts: Path
    settings: Path
    whole: Path

    def command(self, output: Path) -> list[str]:
        flags = ["--config", str(self.settings), "--model", str(self.model), "--prompts", str(self.prompts)]
        return [self.domain, "train", *flags, "--output", str(output)]


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    with warm_process(tmp_path_factory.mktemp("warm"), *MODULES) as process:
        yield process


@pytest.fixture(scope="module", params=["vlm", "audio"])
def course(request: pytest.FixtureRequest, warm: Warm, tmp_path_factory: pytest.TempPathFactory) -> Course:
    """Models that end their answers, so that there is something to train on."""
    domain, folder = request.param, tmp_path_factory.mktemp(request.param)
    base = (build_vision_model if domain == "vlm" else build_speech_model)(folder / "base")
    rows, prompts = (write_pictures if domain == "vlm" else write_sounds)(folder)
    learning = {"tuning": "full", "learning_rate": 3e-3, "batch_size": 6, "max_steps": 60, "threads": 1}
    train_sft(load(SftTrainConfig, {"model": str(base), "data": rows, "output": folder / "sft", **learning}))
    settings = folder / "settings.yaml"
    settings.write_text(RAFT_SETTINGS)
    made = Course(domain, folder / "sft", prompts, settings, folder / "whole")
    undisturbed(made.command, made.whole, warm)
    return made


def write_pictures(folder: Path) -> tuple[Path, Path]:
    rows = [picture_row(folder, colour, noise).model_dump_json() for noise in range(8) for colour in COLOURS]
    (folder / "rows.jsonl").write_text("\n".join(rows))
    asked = [
        picture_prompt(folder, colour, id=f"{colour}-{width}", size=(width, 16)).model_dump_json()
        for colour, width in islice(product(COLOURS, (8, 16, 24, 32, 48)), PROMPTS)
    ]
    (folder / "prompts.jsonl").write_text("\n".join(asked))
    return folder / "rows.jsonl", folder / "prompts.jsonl"


def write_sounds(folder: Path) -> tuple[Path, Path]:
    """One file, which serves both."""
    said = [words for turns in (1, 2, 3) for words in product(WORDS, repeat=turns)][:PROMPTS]
    rows = [{"id": "-".join(words), "transcript": " ".join(words), "audio": f"{n}.wav"} for n, words in enumerate(said)]
    for row in rows:
        write_tones(folder / row["audio"], row["transcript"])
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "rows.jsonl", folder / "rows.jsonl"


def test_killed_in_each_phase_and_continued_is_the_same_run(warm: Warm, course: Course, tmp_path: Path) -> None:
    output = tmp_path / "run"
    killed_through(warm, course.command(output), output, FEW_MOMENTS)
    assert_same(output, course.whole)
    adapters = [name for name in content(output) if name.endswith("adapter_model.safetensors")]
    assert len(adapters) == 3 and content(output)[adapters[0]] != content(output)[adapters[1]]


@pytest.mark.slow
def test_killed_at_every_turn_and_continued_is_the_same_run(warm: Warm, course: Course, tmp_path: Path) -> None:
    output = tmp_path / "run"
    killed_through(warm, course.command(output), output, RAFT_MOMENTS)
    assert_same(output, course.whole)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_random_instants_and_continued_is_the_same_run(
    warm: Warm, course: Course, tmp_path: Path, seed: int
) -> None:
    output, random = tmp_path / "run", Random(seed)
    for _ in range(RANDOM_KILLS):
        kill_after(warm, course.command(output), output, events=random.randint(3, 9), pause_s=random.uniform(0, 0.05))
        tear(output, random)
    warm.ends_well(course.command(output))
    assert_same(output, course.whole)
