"""A tiny model that sees, from random weights: an ordinary Qwen2-VL checkpoint that a laptop core can train."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from halo_forge.models.nano import HEAD_SIZE, PAD, TURN_END, TURN_START, with_roles

SEEN_START, SEEN_END, SEEN, FILMED = "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}{{ '<|vision_start|><|image_pad|><|vision_end|>' }}"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
CONTEXT_TOKENS = 256
Family = Literal["qwen2_vl", "qwen2_5_vl"]


@dataclass(frozen=True)
class VisionShape:
    """Sizes of a tiny model that sees.

    Args:
        vocabulary: tokens at most; the 256 bytes, the special tokens, and the corpus's own words.
        hidden: width of the language model, a multiple of 32.
        mlp: width inside of its feed-forward layers.
        layers: of the language model, and as many of the vision tower.
        seen: width of the vision tower, a multiple of 32.
        patch: pixels of a side of a patch; four patches are one token.
        spread: standard deviation of the random weights.
    """

    vocabulary: int = 400
    hidden: int = 128
    mlp: int = 256
    layers: int = 2
    seen: int = 64
    patch: int = 14
    spread: float = 0.06


def build_nano_vision_model(
    folder: Path,
    texts: Iterable[str],
    seed: int,
    shape: VisionShape = VisionShape(),
    family: Family = "qwen2_vl",
) -> None:
    """Write a model of random weights, its image processor, and a tokenizer trained on texts.

    Args:
        folder: where the checkpoint goes; made if missing. `AutoModelForImageTextToText`, `AutoTokenizer` and
            `AutoImageProcessor` load it.
        texts: questions and answers, without chat markup.
        seed: of the random weights. The same texts and seed give the same files.

    Raises:
        ValueError: `texts` is empty.
    """
    import torch
    from transformers import AutoModelForImageTextToText, GenerationConfig
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    from halo_forge.models.hardware import name_accelerator, pick_device

    said = list(texts)
    if not said:
        raise ValueError("texts is empty: a tokenizer needs some text to train on; pass the SFT rows' text")
    tokenizer = _tokenizer(said, shape)
    config = _config(tokenizer, shape, family)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForImageTextToText.from_config(config)
    end, pad = tokenizer.convert_tokens_to_ids([TURN_END, PAD])
    model.generation_config = GenerationConfig(do_sample=False, eos_token_id=end, pad_token_id=pad, max_new_tokens=32)
    folder.mkdir(parents=True, exist_ok=True)
    name_accelerator(pick_device("auto"))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    merged = (2 * shape.patch) ** 2
    Qwen2VLImageProcessorPil(
        patch_size=shape.patch, merge_size=2, temporal_patch_size=2, min_pixels=merged, max_pixels=32 * merged
    ).save_pretrained(folder)


def _tokenizer(texts: list[str], shape: VisionShape) -> Any:
    from transformers import Qwen2Tokenizer

    tokenizer = Qwen2Tokenizer().train_new_from_iterator(
        with_roles(texts),
        vocab_size=shape.vocabulary,
        new_special_tokens=[TURN_START, TURN_END, SEEN_START, SEEN_END, SEEN, FILMED],
        show_progress=False,
    )
    tokenizer.eos_token, tokenizer.pad_token, tokenizer.chat_template = TURN_END, PAD, TEMPLATE
    tokenizer.model_max_length = CONTEXT_TOKENS
    return tokenizer


def _config(tokenizer: Any, shape: VisionShape, family: Family) -> Any:
    from transformers import AutoConfig

    seen, filmed, start, stop = tokenizer.convert_tokens_to_ids([SEEN, FILMED, SEEN_START, SEEN_END])
    return AutoConfig.for_model(
        family,
        text_config=_language(tokenizer, shape),
        vision_config=_tower(shape, family),
        image_token_id=seen,
        video_token_id=filmed,
        vision_start_token_id=start,
        vision_end_token_id=stop,
        tie_word_embeddings=True,
        initializer_range=shape.spread,
    )


def _language(tokenizer: Any, shape: VisionShape) -> dict[str, object]:
    """What the config says of the language model."""
    quarter = HEAD_SIZE // 8
    rope = {
        "rope_type": "default",
        "rope_theta": 10_000.0,
        "mrope_section": [quarter, 3 * quarter // 2, 3 * quarter // 2],
    }
    pad, end = tokenizer.convert_tokens_to_ids([PAD, TURN_END])
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": shape.hidden,
        "intermediate_size": shape.mlp,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.hidden // HEAD_SIZE,
        "num_key_value_heads": 1,
        "max_position_embeddings": CONTEXT_TOKENS,
        "initializer_range": shape.spread,
        "rope_parameters": rope,
        "tie_word_embeddings": True,
        "pad_token_id": pad,
        "bos_token_id": None,
        "eos_token_id": end,
    }


def _tower(shape: VisionShape, family: Family) -> dict[str, object]:
    """What the config says of the eyes."""
    tower: dict[str, object] = {
        "patch_size": shape.patch,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "depth": shape.layers,
        "num_heads": shape.seen // HEAD_SIZE,
        "initializer_range": shape.spread,
    }
    if family == "qwen2_vl":
        return {**tower, "embed_dim": shape.seen, "hidden_size": shape.hidden, "mlp_ratio": 2}
    tower |= {"hidden_size": shape.seen, "out_hidden_size": shape.hidden, "intermediate_size": 2 * shape.seen}
    return {**tower, "window_size": 4 * shape.patch, "fullatt_block_indexes": [shape.layers - 1]}
