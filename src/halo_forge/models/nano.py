"""Tiny models from random weights: small enough to train on a laptop core, real enough for every tool.

The folder that `build_nano_model` writes is an ordinary Hugging Face checkpoint of Qwen2
architecture, so whatever loads a Qwen2 model (transformers, a server, a CPU engine) loads this one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from halo_forge.models.tool_format import CALL_CLOSE, CALL_OPEN

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

# Tools are shown in a line each, `get_weather(city: string, days: integer)`, and calls written as Hermes does.
TOOLS_TEMPLATE = (
    "{% if tools %}{{ '<|im_start|>system\n' }}{% for tool in tools %}{% set function = tool['function'] %}"
    "{{ function['name'] + '(' }}{% for name, schema in function['parameters']['properties'].items() %}"
    "{{ name + ': ' + schema['type'] + ('' if loop.last else ', ') }}{% endfor %}{{ ')\n' }}{% endfor %}"
    "{{ '<|im_end|>\n' }}{% endif %}"
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] }}"
    "{% for call in message['tool_calls'] or [] %}"
    "{{ '<tool_call>\n{\"name\": ' + (call['function']['name'] | tojson) + ', \"arguments\": ' }}"
    "{{ (call['function']['arguments'] | tojson) + '}\n</tool_call>' + ('' if loop.last else '\n') }}{% endfor %}"
    "{{ '<|im_end|>\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

CONTEXT_TOKENS = 512
HEAD_SIZE = 32  # CPU engines take heads of 32, 64 or 128 only


@dataclass(frozen=True)
class NanoShape:
    """Sizes of a tiny model.

    Args:
        vocabulary: tokens at most; the 256 bytes, the special tokens, and the corpus's own words.
        hidden: width, a multiple of 32.
        mlp: width inside of the feed-forward layers.
        layers: how many.
        spread: standard deviation of the random weights; more than large models take, so narrow ones learn to copy and
            to compute in a third of the steps.
    """

    vocabulary: int = 512
    hidden: int = 96
    mlp: int = 192
    layers: int = 4
    spread: float = 0.02


def build_nano_code_model(folder: Path, texts: Iterable[str], seed: int) -> None:
    """Write a model of about 0.37 million random weights; see `build_nano_model`."""
    build_nano_model(folder, texts, seed, NanoShape())


def build_nano_model(
    folder: Path, texts: Iterable[str], seed: int, shape: NanoShape, *, with_tools: bool = False
) -> None:
    """Write a Qwen2 model of random weights and a tokenizer trained on `texts`.

    Args:
        folder: where the checkpoint goes; made if missing. `AutoModelForCausalLM` and `AutoTokenizer` load it.
        texts: prompts and completions as the model will see them, without chat markup.
        seed: of the random weights. The same texts and seed give the same files.
        with_tools: give it a chat template that shows tools, and tokens for the marks of calls.

    Raises:
        ValueError: `texts` is empty.
    """
    import torch
    from tokenizers import AddedToken
    from transformers import GenerationConfig, Qwen2Config, Qwen2ForCausalLM, Qwen2Tokenizer

    from halo_forge.models.hardware import name_accelerator, pick_device

    texts = list(texts)
    if not texts:
        raise ValueError("texts is empty: a tokenizer needs some text to train on; pass the SFT rows' text")

    # AutoTokenizer reads any tokenizer beside a Qwen2 config as a Qwen2Tokenizer, with Qwen's own
    # pre-tokenizer: train with that one, or text would be split otherwise after loading than before.
    trained = Qwen2Tokenizer().train_new_from_iterator(
        with_roles(texts),
        vocab_size=shape.vocabulary,
        new_special_tokens=[TURN_START, TURN_END],
        show_progress=False,
    )
    trained.eos_token = TURN_END
    trained.pad_token = PAD
    trained.chat_template = TOOLS_TEMPLATE if with_tools else CHAT_TEMPLATE
    if with_tools:
        # Added and yet not special, or decoding would drop them.
        trained.add_tokens([AddedToken(mark, special=False, normalized=False) for mark in (CALL_OPEN, CALL_CLOSE)])
    trained.model_max_length = CONTEXT_TOKENS
    pad_id, end_id = trained.convert_tokens_to_ids([PAD, TURN_END])

    config = Qwen2Config(
        vocab_size=len(trained),
        hidden_size=shape.hidden,
        intermediate_size=shape.mlp,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.hidden // HEAD_SIZE,
        num_key_value_heads=1,
        max_position_embeddings=CONTEXT_TOKENS,
        tie_word_embeddings=True,
        initializer_range=shape.spread,
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
    name_accelerator(pick_device("auto"))
    model.save_pretrained(folder)
    trained.save_pretrained(folder)


def with_roles(texts: list[str]) -> Iterator[str]:
    """Yield the texts, and the role names often enough that each becomes one token."""
    yield from texts
    for role in ROLES:
        yield from [role] * len(texts)
