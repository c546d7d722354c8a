"""A tiny model of speech from random weights: an ordinary Whisper checkpoint that a laptop core can train."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from halo_forge.models.renderers.speech import NO_TIMES, START

END = "<|endoftext|>"
FRAMES_A_SECOND = 100


@dataclass(frozen=True)
class SpeechShape:
    """Sizes of a tiny model of speech.

    Args:
        vocabulary: tokens at most; the 256 bytes, the special tokens, and the transcripts' own words.
        hidden: width, a multiple of 32.
        layers: of the encoder, and as many of the decoder.
        window_s: seconds it hears.
        transcript: tokens of a transcript at most, with the two before it.
    """

    vocabulary: int = 400
    hidden: int = 128
    layers: int = 2
    window_s: int = 3
    transcript: int = 48


def build_nano_speech_model(folder: Path, texts: Iterable[str], seed: int, shape: SpeechShape = SpeechShape()) -> None:
    """Write a Whisper model of random weights that knows English alone, and a tokenizer trained on transcripts.

    Args:
        folder: where the checkpoint goes; made if missing. `AutoModelForSpeechSeq2Seq` and `AutoProcessor` load it.
        texts: transcripts.
        seed: of the random weights. The same texts and seed give the same files.

    Raises:
        ValueError: `texts` is empty.
    """
    import torch
    from transformers import (
        GenerationConfig,
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
        WhisperTokenizer,
    )

    from halo_forge.models.hardware import name_accelerator, pick_device

    spoken = [f" {text}" for text in texts]
    if not spoken:
        raise ValueError("texts is empty: a tokenizer needs some transcripts to train on")
    tokenizer = WhisperTokenizer().train_new_from_iterator(
        spoken, vocab_size=shape.vocabulary, new_special_tokens=[START, NO_TIMES], show_progress=False
    )
    tokenizer.pad_token = END
    end_id, start_id = tokenizer.convert_tokens_to_ids([END, START])
    config = WhisperConfig(
        vocab_size=len(tokenizer),
        d_model=shape.hidden,
        encoder_layers=shape.layers,
        decoder_layers=shape.layers,
        encoder_attention_heads=shape.hidden // 32,
        decoder_attention_heads=shape.hidden // 32,
        encoder_ffn_dim=2 * shape.hidden,
        decoder_ffn_dim=2 * shape.hidden,
        max_source_positions=shape.window_s * FRAMES_A_SECOND // 2,
        max_target_positions=shape.transcript,
        decoder_start_token_id=start_id,
        pad_token_id=end_id,
        bos_token_id=end_id,
        eos_token_id=end_id,
        begin_suppress_tokens=None,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = WhisperForConditionalGeneration(config)
    model.generation_config = GenerationConfig(
        do_sample=False,
        decoder_start_token_id=start_id,
        eos_token_id=end_id,
        pad_token_id=end_id,
        is_multilingual=False,
    )
    folder.mkdir(parents=True, exist_ok=True)
    name_accelerator(pick_device("auto"))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    WhisperFeatureExtractor(chunk_length=shape.window_s).save_pretrained(folder)
