"""Tiny code models from random weights: small enough to train on a laptop core, real enough for every tool.

The folder that `build_nano_code_model` writes is an ordinary Hugging Face checkpoint of Qwen2
architecture, so whatever loads a Qwen2 model (transformers, a server, a CPU engine) loads this one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

PAD, TURN_START, TURN_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
ROLES = ("system", "user", "assistant")

# Prompt tokens carry no loss: `{% generation %}` marks the assistant's turn for trainers that read the mask.
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if message['role'] == 'assistant' %}"
    "{% generation %}{{ message['content'] + '<|im_end|>' }}{% endgeneration %}"
    "{% else %}{{ message['content'] + '<|im_end|>' }}{% endif %}"
    "{{ '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

VOCAB_SIZE = 512  # at most; the 256 bytes, three special tokens, and the corpus's own words
CONTEXT_TOKENS = 512
HIDDEN_SIZE = 96
MLP_SIZE = 192
LAYERS = 4
HEADS = 3  # heads of 32: CPU engines take heads of 32, 64 or 128 only
KEY_VALUE_HEADS = 1


def build_nano_code_model(folder: Path, texts: Iterable[str], seed: int) -> None:
    """Write a Qwen2 model of about 0.37 million random weights and a tokenizer trained on `texts`.

    Args:
        folder: where the checkpoint goes; made if missing. `AutoModelForCausalLM` and `AutoTokenizer` load it.
        texts: prompts and completions as the model will see them, without chat markup.
        seed: of the random weights. The same texts and seed give the same files.

    Raises:
        ValueError: `texts` is empty.
    """
    import torch
    from transformers import GenerationConfig, Qwen2Config, Qwen2ForCausalLM, Qwen2Tokenizer

    texts = list(texts)
    if not texts:
        raise ValueError("texts is empty: a tokenizer needs some text to train on; pass the SFT rows' text")

    # AutoTokenizer reads any tokenizer beside a Qwen2 config as a Qwen2Tokenizer, with Qwen's own
    # pre-tokenizer: train with that one, or text would be split otherwise after loading than before.
    trained = Qwen2Tokenizer().train_new_from_iterator(
        _with_roles(texts),
        vocab_size=VOCAB_SIZE,
        new_special_tokens=[TURN_START, TURN_END],
        show_progress=False,
    )
    trained.eos_token = TURN_END
    trained.pad_token = PAD
    trained.chat_template = CHAT_TEMPLATE
    trained.model_max_length = CONTEXT_TOKENS
    pad_id, end_id = trained.convert_tokens_to_ids([PAD, TURN_END])

    config = Qwen2Config(
        vocab_size=len(trained),
        hidden_size=HIDDEN_SIZE,
        intermediate_size=MLP_SIZE,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=KEY_VALUE_HEADS,
        max_position_embeddings=CONTEXT_TOKENS,
        tie_word_embeddings=True,
        pad_token_id=pad_id,
        eos_token_id=end_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Qwen2ForCausalLM(config)
    model.generation_config = GenerationConfig(
        do_sample=False, eos_token_id=end_id, pad_token_id=pad_id, max_new_tokens=96
    )
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    trained.save_pretrained(folder)


def _with_roles(texts: list[str]) -> Iterator[str]:
    """Yield the texts, and the role names often enough that each becomes one token."""
    yield from texts
    for role in ROLES:
        yield from [role] * len(texts)
