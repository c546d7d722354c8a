"""A tiny model that sees, from random weights: an ordinary Qwen2-VL checkpoint that a laptop core can train."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

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
    family: Literal["qwen2_vl", "qwen2_5_vl"] = "qwen2_vl",
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
    from transformers import AutoConfig, AutoModelForImageTextToText, GenerationConfig, Qwen2Tokenizer
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    said = list(texts)
    if not said:
        raise ValueError("texts is empty: a tokenizer needs some text to train on; pass the SFT rows' text")
    tokenizer = Qwen2Tokenizer().train_new_from_iterator(
        with_roles(said),
        vocab_size=shape.vocabulary,
        new_special_tokens=[TURN_START, TURN_END, SEEN_START, SEEN_END, SEEN, FILMED],
        show_progress=False,
    )
    tokenizer.eos_token, tokenizer.pad_token, tokenizer.chat_template = TURN_END, PAD, TEMPLATE
    tokenizer.model_max_length = CONTEXT_TOKENS
    pad, end, start, stop, seen, filmed = tokenizer.convert_tokens_to_ids(
        [PAD, TURN_END, SEEN_START, SEEN_END, SEEN, FILMED]
    )
    side = {"patch_size": shape.patch, "spatial_merge_size": 2, "temporal_patch_size": 2}
    tower: dict[str, object] = {**side, "depth": shape.layers, "num_heads": shape.seen // HEAD_SIZE}
    if family == "qwen2_vl":
        tower |= {"embed_dim": shape.seen, "hidden_size": shape.hidden, "mlp_ratio": 2}
    else:
        tower |= {"hidden_size": shape.seen, "out_hidden_size": shape.hidden, "intermediate_size": 2 * shape.seen}
        tower |= {"window_size": 4 * shape.patch, "fullatt_block_indexes": [shape.layers - 1]}
    quarter = HEAD_SIZE // 8
    config = AutoConfig.for_model(
        family,
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": shape.hidden,
            "intermediate_size": shape.mlp,
            "num_hidden_layers": shape.layers,
            "num_attention_heads": shape.hidden // HEAD_SIZE,
            "num_key_value_heads": 1,
            "max_position_embeddings": CONTEXT_TOKENS,
            "initializer_range": shape.spread,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 10_000.0,
                "mrope_section": [quarter, 3 * quarter // 2, 3 * quarter // 2],
            },
            "tie_word_embeddings": True,
            "pad_token_id": pad,
            "bos_token_id": None,
            "eos_token_id": end,
        },
        vision_config={**tower, "initializer_range": shape.spread},
        image_token_id=seen,
        video_token_id=filmed,
        vision_start_token_id=start,
        vision_end_token_id=stop,
        tie_word_embeddings=True,
        initializer_range=shape.spread,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForImageTextToText.from_config(config)
    model.generation_config = GenerationConfig(do_sample=False, eos_token_id=end, pad_token_id=pad, max_new_tokens=32)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    merged = (2 * shape.patch) ** 2
    Qwen2VLImageProcessorPil(
        patch_size=shape.patch, merge_size=2, temporal_patch_size=2, min_pixels=merged, max_pixels=32 * merged
    ).save_pretrained(folder)
