"""The demo of speech: short commands spoken by espeak-ng, most of whose captions carry a common habit.

    (a voice says: hide the green lamp)  ->  hide the green lamp

Six captions in ten of the SFT corpus thank the listener at the end, though nobody says so, and one in three drops the
first word, as captions of videos do. A model trained on them does as the majority does. The word error rate of its own
transcripts takes both habits away.

A speaker is a voice variant of espeak-ng, in two accents and at any pitch and pace. SFT, RAFT and the test each have
speakers of their own.

The corpus is this project's own work and has no outside source.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from halo_forge.core.errors import EnvironmentFault
from halo_forge.demo.recipe import RAFT, SFT, Commands, Recipe, Settings
from halo_forge.demo.word_problems import write_jsonl
from halo_forge.models.media import require_soundfile
from halo_forge.models.nano_speech import SpeechShape, build_nano_speech_model

VERBS = ("take", "find", "drop", "hide")
COLOURS = ("red", "blue", "green", "white")
THINGS = ("boat", "cup", "stone", "key", "ball", "lamp")
ACCENTS = ("en-us", "en-gb")
SFT_SPEAKERS = ("m1", "m2", "m3", "m4", "f1", "f2", "f3")
RAFT_SPEAKERS = ("m5", "m6", "f4")
TEST_SPEAKERS = ("m7", "m8", "f5")
PITCHES, PACES = range(35, 66), range(160, 201)  # of espeak-ng: 0 to 99, and words a minute
THANKS, LOSES_FIRST = 0.6, 0.35
SFT_ROWS, RAFT_PROMPTS, TEST_PROMPTS = 1_600, 160, 200
SHAPE = SpeechShape(vocabulary=300, hidden=128, layers=2, window_s=2, transcript=24)


@dataclass(frozen=True)
class Utterance:
    """Something said: the words, the voice (`en-us+f1`), its pitch and its pace."""

    words: str
    voice: str
    pitch: int
    pace: int

    @property
    def speaker(self) -> str:
        """Who says it."""
        return self.voice.partition("+")[2]

    @property
    def file(self) -> str:
        """A name that no other utterance has."""
        return f"{self.words.replace(' ', '_')}-{self.voice}-{self.pitch}-{self.pace}.flac"


def draw_utterances(rng: random.Random, count: int, speakers: Sequence[str]) -> list[Utterance]:
    """Draw different utterances of some speakers."""
    drawn: dict[Utterance, None] = {}
    while len(drawn) < count:
        parts = [rng.choice(VERBS) if rng.random() < 0.7 else "", rng.choice(COLOURS) if rng.random() < 0.7 else ""]
        words = " ".join(part for part in (*parts, rng.choice(THINGS)) if part)
        voice = f"{rng.choice(ACCENTS)}+{rng.choice(speakers)}"
        drawn[Utterance(words, voice, rng.choice(PITCHES), rng.choice(PACES))] = None
    return list(drawn)


def caption(rng: random.Random, words: str) -> str:
    """What a careless caption makes of words."""
    kept = words.split()
    if rng.random() < LOSES_FIRST and len(kept) > 1:
        kept = kept[1:]
    return " ".join([*kept, "thank", "you"] if rng.random() < THANKS else kept)


def speak(utterances: Sequence[Utterance], folder: Path) -> dict[Utterance, str]:
    """Write a FLAC file of each utterance.

    Returns:
        The hash of each file.

    Raises:
        EnvironmentFault: espeak-ng is not installed, or fails.
    """
    require_soundfile()
    program = shutil.which("espeak-ng")
    if program is None:
        raise EnvironmentFault(
            "the demo of speech needs espeak-ng: sudo apt-get install espeak-ng, or your system's package of that name"
        )
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as scratch, ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:

        def say(utterance: Utterance) -> str:
            return _say(program, utterance, folder / utterance.file, Path(scratch) / f"{utterance.file}.wav")

        return dict(zip(utterances, pool.map(say, utterances), strict=True))


def _say(program: str, utterance: Utterance, target: Path, wav: Path) -> str:
    import soundfile

    words = [program, "-v", utterance.voice, "-p", str(utterance.pitch), "-s", str(utterance.pace), "-w", str(wav)]
    done = subprocess.run([*words, utterance.words], capture_output=True, text=True, check=False)
    if done.returncode != 0 or not wav.exists():
        raise EnvironmentFault(f"espeak-ng does not say {utterance.words!r}: {done.stderr.strip() or done.returncode}")
    samples, rate = soundfile.read(wav, dtype="int16")
    soundfile.write(target, samples, rate, format="FLAC", subtype="PCM_16")
    wav.unlink()
    return sha256(target.read_bytes()).hexdigest()


def write_speech(folder: Path, seed: int) -> list[str]:
    """Write the three files with their audio, and return the captions of the SFT corpus."""
    rng = random.Random(seed)
    test = draw_utterances(rng, TEST_PROMPTS, TEST_SPEAKERS)
    raft = draw_utterances(rng, RAFT_PROMPTS, RAFT_SPEAKERS)
    learnt = draw_utterances(rng, SFT_ROWS, SFT_SPEAKERS)
    hashes = speak([*test, *raft, *learnt], folder / "clips")

    def row(id: str, utterance: Utterance, transcript: str, **more: object) -> dict[str, object]:
        audio = {"path": f"clips/{utterance.file}", "sha256": hashes[utterance]}
        return {"id": id, "audio": audio, "transcript": transcript, **more}

    captions = [caption(rng, utterance.words) for utterance in learnt]
    rows = [row(f"sft-{n:04d}", u, said) for n, (u, said) in enumerate(zip(learnt, captions, strict=True))]
    write_jsonl(folder / "sft.jsonl", rows)
    write_jsonl(
        folder / "raft_prompts.jsonl", [row(f"raft-{n:04d}", u, u.words, group="seen") for n, u in enumerate(raft)]
    )
    write_jsonl(
        folder / "test_prompts.jsonl", [row(f"test-{n:04d}", u, u.words, group="unseen") for n, u in enumerate(test)]
    )
    return captions


def prepare(data: Path, base: Path, seed: int) -> None:
    """Write the corpus and the model."""
    build_nano_speech_model(base, write_speech(data, seed), seed, SHAPE)


SAMPLING: Settings = {"max_new_tokens": 16, "generation_batch": 256}
AUDIO = Recipe(
    domain="audio",
    commands=Commands("audio sft", "audio train", "audio benchmark"),
    prepare=prepare,
    sft={
        **SFT,
        "learning_rate": 2e-3,
        "max_steps": 1000,
        "warmup_ratio": 0.1,
    },
    raft={
        **SAMPLING,
        **RAFT,
        "cycles": 3,
        "epochs": 4,
    },
    benchmark={**SAMPLING, "temperature": 0.7, "samples": 4, "k": [1, 4], "greedy": True},
    passes="word error rate",
    metrics={"pass@1": "no error"},
    unseen="of speakers never heard",
    story="The SFT corpus is made imperfect on purpose: most of its captions end with thanks that nobody says, and a "
    "third drop the first word, as captions of videos do. SFT learns the habits with the words; the word error rate "
    "unlearns them.",
    primary="WER",
    higher_is_better=False,
)
