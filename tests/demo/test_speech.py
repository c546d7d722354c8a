from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
import soundfile

from halo_forge.core.errors import EnvironmentFault
from halo_forge.data import load_conversations, load_prompts
from halo_forge.demo import speech
from halo_forge.demo.speech import SHAPE, caption, draw_utterances, speak, write_speech

needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")


def test_no_speaker_is_heard_on_two_sides() -> None:
    sides = [set(speech.SFT_SPEAKERS), set(speech.RAFT_SPEAKERS), set(speech.TEST_SPEAKERS)]
    assert sum(len(side) for side in sides) == len(set().union(*sides))
    drawn = draw_utterances(random.Random(1), 50, speech.TEST_SPEAKERS)
    assert {utterance.speaker for utterance in drawn} == set(speech.TEST_SPEAKERS)
    assert len({utterance.file for utterance in drawn}) == 50


def test_the_habits_of_captions_have_their_shares() -> None:
    rng = random.Random(0)
    captions = [caption(rng, "take the lamp") for _ in range(4000)]
    assert sum(said.endswith("thank you") for said in captions) / 4000 == pytest.approx(speech.THANKS, abs=0.03)
    assert sum(not said.startswith("take") for said in captions) / 4000 == pytest.approx(speech.LOSES_FIRST, abs=0.03)
    assert caption(random.Random(0), "lamp").split()[0] == "lamp"


@needs_espeak
def test_the_corpus_is_heard_within_the_window_and_is_the_same_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, count in (("SFT_ROWS", 12), ("RAFT_PROMPTS", 5), ("TEST_PROMPTS", 5)):
        monkeypatch.setattr(speech, name, count)
    captions = write_speech(tmp_path / "one", seed=3)
    assert captions == write_speech(tmp_path / "two", seed=3)
    learnt = load_conversations(tmp_path / "one" / "sft.jsonl").conversations
    assert [row.messages[-1].text for row in learnt] == captions
    asked = load_prompts(tmp_path / "one" / "raft_prompts.jsonl")
    assert len(asked) == 5 and all(prompt.reference.transcript for prompt in asked)
    for clip in sorted((tmp_path / "one" / "clips").iterdir()):
        assert clip.read_bytes() == (tmp_path / "two" / "clips" / clip.name).read_bytes()
        assert 0.2 < soundfile.info(clip).duration < SHAPE.window_s


def test_without_espeak_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvironmentFault, match="apt-get install espeak-ng"):
        speak([], tmp_path)
