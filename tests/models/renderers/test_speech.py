from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from speech import audio_part, heard, tone_prompt, write_tones
from transformers import AutoFeatureExtractor, AutoProcessor, AutoTokenizer, WhisperProcessor

from halo_forge.config.shared import LoadingOptions
from halo_forge.core.errors import ConfigError, DataError, ModelError
from halo_forge.core.types import MediaPart, Message, TextPart
from halo_forge.models.check import check_model
from halo_forge.models.load import Policy, load_policy
from halo_forge.models.preview import load_renderer, read_config
from halo_forge.models.renderers.base import Misfit
from halo_forge.models.renderers.choice import language_code
from halo_forge.models.renderers.sound import read_sound
from halo_forge.models.renderers.speech import NO_TIMES, START, TRANSCRIBE, SpeechFormat
from halo_forge.models.resolve import ModelRef


@pytest.fixture
def policy(nano_speech_model: Path) -> Policy:
    return load_policy(ModelRef(str(nano_speech_model)), LoadingOptions(device="cpu", threads=1))


@pytest.fixture
def renderer(nano_speech_model: Path) -> SpeechFormat:
    ref = ModelRef(str(nano_speech_model))
    found = load_renderer(ref, LoadingOptions(), read_config(ref))
    assert isinstance(found, SpeechFormat)
    return found


def answered(path: Path, text: str) -> list[Message]:
    return [heard(path), Message(role="assistant", content=text)]


def test_what_is_saved_is_what_transformers_reads(nano_speech_model: Path) -> None:
    processor = AutoProcessor.from_pretrained(nano_speech_model)
    assert isinstance(processor, WhisperProcessor)
    assert processor.tokenizer.decode(processor.tokenizer.encode(" low mid", add_special_tokens=False)) == " low mid"


def test_the_row_learns_the_transcript_and_its_end_alone(renderer: SpeechFormat, tmp_path: Path) -> None:
    row = renderer.conversation_row(answered(write_tones(tmp_path / "a.wav", "low mid"), "low mid"))
    prompt = renderer.prompt_ids([heard(tmp_path / "a.wav")])
    assert list(row.ids[: len(prompt)]) == prompt
    assert row.learn == (False,) * len(prompt) + (True,) * (len(row.ids) - len(prompt))
    assert row.ids[-1] in renderer.stop_ids
    assert renderer.decode(row.ids[len(prompt) :]) == "low mid"
    assert row.media == (audio_part(tmp_path / "a.wav"),)


def test_the_spectrogram_is_that_of_the_family_and_of_the_clip_alone(renderer: SpeechFormat, tmp_path: Path) -> None:
    parts = [audio_part(write_tones(tmp_path / f"{word}.wav", word)) for word in ("low", "high")]
    ids = torch.zeros(2, 1, dtype=torch.int64)
    both = renderer.tensors([[part] for part in parts], ids)["input_features"]
    alone = renderer.tensors([[parts[1]]], ids[:1])["input_features"]
    assert torch.equal(both[1], alone[0])
    samples, rate = soundfile.read(tmp_path / "high.wav", dtype="float32")
    processor = AutoProcessor.from_pretrained(renderer.tokenizer.name_or_path)
    theirs = processor.feature_extractor(samples, sampling_rate=rate, return_tensors="pt").input_features
    assert torch.equal(theirs[0], alone[0])


@pytest.mark.parametrize(
    ("name", "rate", "channels"), [("a.wav", 8_000, 1), ("a.flac", 44_100, 2), ("a.mp3", 48_000, 2)]
)
def test_any_rate_format_and_number_of_channels_sound_alike(
    tmp_path: Path, name: str, rate: int, channels: int
) -> None:
    plain = read_sound(audio_part(write_tones(tmp_path / "plain.wav", "low mid")), 16_000, 1.0)
    other = read_sound(audio_part(write_tones(tmp_path / name, "low mid", rate=rate, channels=channels)), 16_000, 1.0)
    assert abs(len(other) - len(plain)) < 16_000 * 0.08  # MP3 pads to whole frames

    def loudest(samples: Any) -> int:
        start = 2_000  # away from where MP3 begins
        return int(np.abs(np.fft.rfft(samples[start : start + 3_200])).argmax())

    assert abs(loudest(other) - loudest(plain)) <= 1
    assert abs(float(np.abs(other).mean()) - float(np.abs(plain).mean())) < 0.05


def test_audio_is_read_up_to_the_window(renderer: SpeechFormat, tmp_path: Path) -> None:
    long = audio_part(write_tones(tmp_path / "long.wav", "low mid high low mid high"))
    assert len(read_sound(long, 16_000, 1.0)) == 16_000
    fit = renderer.fit([long])
    assert fit.usable
    assert fit.reason == "with audio longer than the model's window of 1 s"


def test_a_file_that_changed_is_not_used(renderer: SpeechFormat, tmp_path: Path) -> None:
    part = audio_part(write_tones(tmp_path / "a.wav", "low"))
    write_tones(tmp_path / "a.wav", "high")
    with pytest.raises(DataError, match="has changed since its hash was taken"):
        renderer.tensors([[part]], torch.zeros(1, 1, dtype=torch.int64))


def test_what_does_not_suit_is_named(renderer: SpeechFormat, tmp_path: Path) -> None:
    good = write_tones(tmp_path / "good.wav", "low")
    with pytest.raises(Misfit, match="longer than the model's window"):
        renderer.conversation_row(answered(write_tones(tmp_path / "long.wav", "low mid high low"), "low"))
    with pytest.raises(Misfit, match="control tokens"):
        renderer.conversation_row(answered(good, "low <|endoftext|> high"))
    with pytest.raises(DataError, match="one piece of audio"):
        renderer.prompt_ids([Message(role="user", content="hello")])
    with pytest.raises(DataError, match="leave that out"):
        renderer.prompt_ids([Message(role="user", content=(audio_part(good), TextPart(text="what is said?")))])


def test_bad_audio_is_told_from_what_is_merely_long(nano_speech_model: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "broken.wav").write_bytes(b"RIFF" + b"x" * 400)
    whole = write_tones(tmp_path / "good.wav", "low").read_bytes()
    (tmp_path / "torn.wav").write_bytes(whole[:30])
    soundfile.write(tmp_path / "none.wav", np.zeros(0), 16_000)
    soundfile.write(tmp_path / "slow.wav", np.zeros(400), 200)
    soundfile.write(tmp_path / "hours.wav", np.zeros(10 * 3600 * 1000, dtype=np.int16), 1000)
    names = ["good", "empty", "broken", "torn", "none", "slow", "hours", "missing"]
    template = tone_prompt(tmp_path, "low")
    prompts = [
        template.model_copy(
            update={
                "id": name,
                "messages": (
                    Message(role="user", content=(MediaPart(kind="audio", path=str(tmp_path / f"{name}.wav")),)),
                ),
            }
        )
        for name in names
    ]
    prompts.append(tone_prompt(tmp_path, "low mid high low"))
    checked = check_model(ModelRef(str(nano_speech_model)), LoadingOptions(), prompts)
    assert set(checked.bad) == set(names) - {"good"}
    assert set(checked.cut) == {"low mid high low"}
    assert [prompt.id for prompt in checked.learnable(prompts)] == ["good"]
    assert [prompt.id for prompt in checked.usable(prompts)] == ["good", "low mid high low"]


def test_a_model_of_several_languages_is_told_which_and_what_to_do(nano_speech_model: Path, tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(nano_speech_model)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|en|>", "<|de|>", TRANSCRIBE]})
    extractor = AutoFeatureExtractor.from_pretrained(nano_speech_model)
    prompt = [heard(write_tones(tmp_path / "a.wav", "low"))]
    for stated in ("de", "German", "<|de|>"):
        ids = SpeechFormat(tokenizer, extractor, language_code(stated)).prompt_ids(prompt)
        assert tokenizer.convert_ids_to_tokens(ids) == [START, "<|de|>", TRANSCRIBE, NO_TIMES]
    with pytest.raises(ModelError, match=r"lacks <\|fr\|>"):
        SpeechFormat(tokenizer, extractor, "fr")


def test_a_model_of_speech_has_no_chat_template(nano_speech_model: Path) -> None:
    with pytest.raises(ConfigError, match="--chat-template"):
        load_policy(ModelRef(str(nano_speech_model)), LoadingOptions(chat_template="chatml"))


def test_the_context_is_the_decoders(policy: Policy) -> None:
    assert policy.context_length == 16
    assert policy.media is policy.chat
