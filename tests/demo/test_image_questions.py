"""The pictures of the demo: held-out ones share nothing with training, answers are right, habits have their shares."""

from __future__ import annotations

import io
import json
import random
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from halo_forge.core.protocols import Submission
from halo_forge.data import load_conversations, load_prompts
from halo_forge.demo import image_questions, pictures
from halo_forge.demo.pictures import COLOURS, HEIGHT, WIDTH, Scene, Thing
from halo_forge.verifiers.vision.config import VqaConfig
from halo_forge.verifiers.vision.verifier import VqaVerifier

FILES = ("sft", "raft_prompts", "test_prompts")


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(image_questions, "SFT_ROWS", 500)
        image_questions.write_questions(folder, 3)
    return folder


def test_no_picture_is_in_two_sets(corpus: Path) -> None:
    shown: dict[str, set[str]] = {}
    for name in FILES:
        found = [row["messages"][0]["content"][0]["sha256"] for row in rows(corpus / f"{name}.jsonl")]
        shown[name] = set(found)
        assert len(shown[name]) == len(found)
    assert not shown["test_prompts"] & (shown["sft"] | shown["raft_prompts"])
    assert not shown["raft_prompts"] & shown["sft"]


def test_a_held_out_scene_is_never_drawn_for_training() -> None:
    seen: dict[bool, set[str]] = {True: set(), False: set()}
    rng = random.Random(1)
    for _ in range(3_000):
        scene = pictures.draw_scene(rng)
        seen[image_questions.is_held_out(7, scene)].add(scene.key)
    assert not seen[True] & seen[False]
    assert 0.2 < len(seen[True]) / sum(map(len, seen.values())) < 0.3


def test_pictures_show_their_scene() -> None:
    rng = random.Random(2)
    for scene in (pictures.draw_scene(rng) for _ in range(60)):
        image = Image.open(io.BytesIO(pictures.paint(scene, rng)))
        assert (image.size, image.mode) == ((WIDTH, HEIGHT), "RGB")
        found: Counter[str] = Counter()
        for pixel in image.get_flattened_data():
            for name, colour in COLOURS.items():
                found[name] += sum(abs(one - other) for one, other in zip(pixel, colour, strict=True)) < 40
        assert {name for name, count in found.items() if count > 4} == {thing.colour for thing in scene.things}


def test_answers_follow_from_the_scene() -> None:
    bars = Scene("bars", (Thing("3", "red"), Thing("9", "blue"), Thing("2", "purple")))
    assert [(text, answer) for text, answer, _ in bars.questions()] == [
        ("which bar is the tallest?", "blue"),
        ("which bar is the shortest?", "purple"),
    ]
    shapes = Scene("shapes", (Thing("circle", "red"), Thing("cross", "blue")))
    assert ("what colour is the cross?", "blue") in [(text, answer) for text, answer, _ in shapes.questions()]
    assert ("which shape is red?", "circle") in [(text, answer) for text, answer, _ in shapes.questions()]
    digits = Scene("digits", (Thing("4", "red"), Thing("7", "blue")))
    assert [answer for _, answer, _ in digits.questions()] == ["4", "7"]


def test_prompts_and_rows_load_and_a_quarter_of_the_answers_is_right(corpus: Path) -> None:
    assert len(load_conversations(corpus / "sft.jsonl").conversations) == 500
    for name, count in (("raft_prompts", image_questions.RAFT_PROMPTS), ("test_prompts", image_questions.TEST_PROMPTS)):
        prompts = load_prompts(corpus / f"{name}.jsonl")
        assert len(prompts) == count
        assert all(Path(prompt.messages[0].media[0].path).is_file() for prompt in prompts)
    verifier, rng, passed = VqaVerifier(VqaConfig()), random.Random(5), 0
    questions = list(islice(image_questions.draw_questions(rng, 3, held_out=False), 400))
    prompt = load_prompts(corpus / "raft_prompts.jsonl")[0]
    for question in questions:
        reference = prompt.reference.model_copy(update={"answer": question.answer})
        said = image_questions._said(question, rng)
        asked = prompt.model_copy(update={"reference": reference})
        passed += verifier.verify([Submission(asked, said)])[0].passed
        assert question.answer in said
    assert 0.19 < passed / len(questions) < 0.31
