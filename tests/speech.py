"""Sounds and a tiny model that hears them, for tests."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import numpy as np
import soundfile

from halo_forge.core.types import MediaPart, Message, Prompt, Reference
from halo_forge.models.nano_speech import SpeechShape, build_nano_speech_model

WORDS = ("low", "mid", "high")
PITCHES = {"low": 220.0, "mid": 660.0, "high": 1980.0}
SHAPE = SpeechShape(vocabulary=280, hidden=64, layers=1, window_s=1, transcript=16)


def write_tones(path: Path, words: str, *, rate: int = 16_000, channels: int = 1, format: str | None = None) -> Path:
    """A tone of a third of a second for each word."""
    places = np.arange(rate // 3) / rate
    tones = [0.4 * np.sin(2 * np.pi * PITCHES[word] * places) for word in words.split()]
    samples = np.concatenate(tones)[:, None].repeat(channels, axis=1)
    soundfile.write(path, samples, rate, format=format)
    return path


def audio_part(path: Path) -> MediaPart:
    return MediaPart(kind="audio", path=str(path), sha256=sha256(path.read_bytes()).hexdigest())


def heard(path: Path) -> Message:
    return Message(role="user", content=(audio_part(path),))


def tone_prompt(folder: Path, words: str) -> Prompt:
    path = folder / f"{words.replace(' ', '_')}.wav"
    if not path.exists():
        write_tones(path, words)
    return Prompt(id=words, messages=(heard(path),), reference=Reference(transcript=words))


def build_speech_model(folder: Path) -> Path:
    build_nano_speech_model(folder, ["low mid high", "high low", "mid"] * 20, seed=0, shape=SHAPE)
    return folder
