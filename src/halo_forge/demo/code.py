"""The demo of code: small C++ functions, compiled and tested."""

from __future__ import annotations

from pathlib import Path

from halo_forge.demo.corpus import make_corpus, write_corpus
from halo_forge.demo.recipe import RAFT, SFT, Commands, Recipe, Settings
from halo_forge.models.nano import build_nano_code_model

SAMPLING: Settings = {"max_new_tokens": 96, "generation_batch": 256}


def prepare(data: Path, base: Path, seed: int) -> None:
    """Write the corpus and the model."""
    corpus = make_corpus(seed)
    write_corpus(corpus, data)
    texts = [text for row in corpus.sft_rows for text in (row.prompt, row.answer)]
    build_nano_code_model(base, texts, seed)


CODE = Recipe(
    domain="code",
    commands=Commands("sft train", "raft train", "benchmark run"),
    prepare=prepare,
    sft={
        **SFT,
        "learning_rate": 6e-3,
        "max_steps": 900,
    },
    raft={
        **SAMPLING,
        **RAFT,
        "verifier": "gcc",
        "reward_threshold": 1.0,
        "keep_fraction": 1.0,
        "epochs": 8,  # distinct programs are few: as many steps as plain selection takes in three
    },
    benchmark={
        **SAMPLING,
        "verifier": "gcc",
        "temperature": 0.7,
        "samples": 4,
        "k": [1, 4],
        "greedy": True,
    },
    passes="pass their tests",
    metrics={"compile_rate": "compiles"},
    unseen="of operations never seen together",
    story="The SFT corpus is made imperfect on purpose: most of its rows carry one of two fixed mistakes, as scraped "
    "code carries common bugs. SFT learns the mistakes with the rest; the compiler and the tests unlearn them.",
)
