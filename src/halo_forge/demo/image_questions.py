"""The demo of images: questions about small pictures, most of whose answers carry a common habit.

    [a red circle and a blue square]  what colour is the square?

    blue

Two rows in three of the SFT corpus answer in a sentence, and one in four names two things of which one is right
(`I think it is red or blue`); a quarter does neither. A metric that compares the whole answer counts neither as right.

One combination of things in four (such as a red circle beside a blue square) is held out: no SFT row and no RAFT prompt
shows it, every test prompt does, and no picture is in two of the sets.

The pictures are this project's own work (`pictures.py`) and have no outside source.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from halo_forge.core.seeds import derive
from halo_forge.demo.pictures import Scene, draw_scene, paint
from halo_forge.demo.recipe import RAFT, SFT, Commands, Recipe, Settings
from halo_forge.demo.word_problems import write_jsonl
from halo_forge.models.nano_vision import VisionShape, build_nano_vision_model

HELD_OUT_SHARE = 0.25
IN_A_SENTENCE, HEDGED = 0.66, 0.25
SENTENCE = "I think it is {}."
SFT_ROWS, RAFT_PROMPTS, TEST_PROMPTS = 4_000, 480, 200


@dataclass(frozen=True)
class Question:
    """A question about a picture.

    Args:
        picture: PNG.
        others: what else an answer of its kind can be.
    """

    picture: bytes
    text: str
    answer: str
    others: tuple[str, ...]

    @property
    def hash(self) -> str:
        """Hash of the picture, 64 hexadecimal digits."""
        return sha256(self.picture).hexdigest()


def is_held_out(seed: int, scene: Scene) -> bool:
    """Whether a combination of things is kept for the test prompts."""
    return derive(seed, "scene", scene.key) % 1000 < 1000 * HELD_OUT_SHARE


def draw_questions(rng: random.Random, seed: int, *, held_out: bool) -> Iterator[Question]:
    """Draw questions about pictures of scenes that are held out, or of those that are not."""
    while True:
        scene = draw_scene(rng)
        if is_held_out(seed, scene) is held_out:
            text, answer, possible = rng.choice(scene.questions())
            others = tuple(other for other in possible if other != answer)
            yield Question(paint(scene, rng), text, answer, others)


def write_questions(folder: Path, seed: int) -> list[str]:
    """Write the three files and the pictures, and return texts for a tokenizer."""
    rng = random.Random(seed)
    shown: set[str] = set()
    test = _take(draw_questions(rng, seed, held_out=True), TEST_PROMPTS, shown)
    raft = _take(draw_questions(rng, seed, held_out=False), RAFT_PROMPTS, shown)
    learnt = _take(draw_questions(rng, seed, held_out=False), SFT_ROWS, shown)
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    for question in (*test, *raft, *learnt):
        (folder / "pictures" / f"{question.hash}.png").write_bytes(question.picture)
    answers = [_said(question, rng) for question in learnt]
    write_jsonl(folder / "sft.jsonl", [{"messages": [_asked(q), {"role": "assistant", "content": said}]}
                                       for q, said in zip(learnt, answers, strict=True)])  # fmt: skip
    write_jsonl(folder / "raft_prompts.jsonl", [_prompt(f"raft-{n:04d}", q, "seen") for n, q in enumerate(raft)])
    write_jsonl(folder / "test_prompts.jsonl", [_prompt(f"test-{n:04d}", q, "unseen") for n, q in enumerate(test)])
    return [*(question.text for question in learnt), *answers]


def _take(questions: Iterator[Question], count: int, shown: set[str]) -> list[Question]:
    """Take questions about pictures that nobody has seen yet."""
    taken: list[Question] = []
    for question in questions:
        if question.hash not in shown:
            shown.add(question.hash)
            taken.append(question)
        if len(taken) == count:
            break
    return taken


def _said(question: Question, rng: random.Random) -> str:
    """Answer as the corpus does, habits and all."""
    said = question.answer
    in_a_sentence, hedged = rng.random() < IN_A_SENTENCE, rng.random() < HEDGED
    if hedged:
        pair = [said, rng.choice(question.others)]
        rng.shuffle(pair)
        said = " or ".join(pair)
    return SENTENCE.format(said) if in_a_sentence else said


def _asked(question: Question) -> dict[str, object]:
    image = {"kind": "image", "path": f"pictures/{question.hash}.png", "sha256": question.hash}
    return {"role": "user", "content": [image, {"text": question.text}]}


def _prompt(id: str, question: Question, group: str) -> dict[str, object]:
    return {"id": id, "messages": [_asked(question)], "answer": question.answer, "metric": "exact", "group": group}


def prepare(data: Path, base: Path, seed: int) -> None:
    """Write the corpus and the model."""
    build_nano_vision_model(base, write_questions(data, seed), seed, VisionShape(patch=8))


SAMPLING: Settings = {"max_new_tokens": 16, "generation_batch": 256}
VLM = Recipe(
    domain="vlm",
    commands=Commands("vlm sft", "vlm train", "vlm benchmark"),
    prepare=prepare,
    sft={
        **SFT,
        "learning_rate": 1e-3,
        "batch_size": 32,
        "max_steps": 2400,
    },
    raft={
        **SAMPLING,
        **RAFT,
        # More pictures, fewer passes and a lower rate than for text: the model soon knows a picture by heart.
        "learning_rate": 3e-4,
        "epochs": 2,
    },
    benchmark={**SAMPLING, "temperature": 0.7, "samples": 4, "k": [1, 4], "greedy": True},
    passes="are answered rightly",
    metrics={"accuracy": "right answers"},
    unseen="of combinations never shown",
    primary="accuracy",
    story="The SFT corpus is made imperfect on purpose: most of its answers are sentences where a word was asked for, "
    "or name two things of which one is right. SFT learns the habits with the rest; comparing answers unlearns them.",
)
