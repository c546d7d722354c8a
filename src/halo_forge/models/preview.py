"""What can be read of a model without its weights: its config, and what turns messages into its inputs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoTokenizer, GenerationConfig

from halo_forge.config.shared import LoadingOptions
from halo_forge.core.errors import ConfigError, ModelError
from halo_forge.core.words import one_line
from halo_forge.models.chat import ChatFormat
from halo_forge.models.families import media_kind
from halo_forge.models.renderers.base import MediaFormat
from halo_forge.models.renderers.choice import open_renderer, stop_ids
from halo_forge.models.resolve import ModelRef


def load_renderer(
    ref: ModelRef, loading: LoadingOptions, config: Any, generation: GenerationConfig | None = None
) -> ChatFormat | MediaFormat:
    """Load what turns messages into a model's inputs, which is quick and finds most mistakes before the weights are.

    Args:
        config: the model's.
        generation: its generation config, for the tokens that end a turn.

    Raises:
        ModelError: there is no usable tokenizer, chat template or processor.
    """
    kind = media_kind(config)
    if kind is None:
        return load_chat(ref, loading, stop_ids(generation) if generation else ())
    if loading.chat_template is not None and kind == "speech":
        raise ConfigError("--chat-template does not go with a model of speech, which has none: leave it out")
    try:
        return open_renderer(kind, tokenizer_source(ref), config, loading, generation or _read_generation(ref, config))
    except (OSError, ValueError, KeyError, ImportError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"the processor of '{ref.name}' cannot be loaded: {one_line(error)}") from error


def load_chat(ref: ModelRef, loading: LoadingOptions, extra_stop_ids: Sequence[int] = ()) -> ChatFormat:
    """Load the tokenizer of a model of text with its chat template.

    Raises:
        ModelError: there is no usable tokenizer or no chat template.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(tokenizer_source(ref))
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"the tokenizer of '{ref.name}' cannot be loaded: {one_line(error)}") from error
    return ChatFormat(tokenizer, loading.chat_template, extra_stop_ids)


def load_format(ref: ModelRef, loading: LoadingOptions) -> ChatFormat:
    """Load the tokenizer as `load_policy` would, with every token that ends a turn, but no weights.

    Raises:
        ModelError: as for `load_chat`; or the model's config cannot be read.
    """
    return load_chat(ref, loading, stop_ids(_read_generation(ref)))


def _read_generation(ref: ModelRef, config: Any = None) -> GenerationConfig:
    try:
        return GenerationConfig.from_pretrained(ref.base)
    except OSError:
        return GenerationConfig.from_model_config(config or read_config(ref))


def read_config(ref: ModelRef) -> Any:
    """Read a model's config.

    Raises:
        ModelError: it cannot be read.
    """
    try:
        return AutoConfig.from_pretrained(ref.base)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"the config of '{ref.base}' cannot be read: {one_line(error)}") from error


def read_context_length(ref: ModelRef) -> int | None:
    """Tokens a model can attend to, if its config says so, without reading the weights."""
    return context_length(read_config(ref))


def read_head_size(ref: ModelRef) -> int | None:
    """Size of a model's attention heads, if its config says so, without reading the weights."""
    config = read_config(ref).get_text_config()
    stated: int | None = getattr(config, "head_dim", None)
    hidden, heads = getattr(config, "hidden_size", None), getattr(config, "num_attention_heads", None)
    return stated or (hidden // heads if hidden and heads else None)


def tokenizer_source(ref: ModelRef) -> str:
    """Where a model's tokenizer and processor are: with the adapter, if it brings them."""
    if ref.adapter is not None and (Path(ref.adapter) / "tokenizer_config.json").is_file():
        return ref.adapter
    return ref.base


def context_length(config: Any) -> int | None:
    """Tokens a model can attend to, if its config says so; of one that hears, tokens of the answer with its prompt."""
    name = "max_target_positions" if config.is_encoder_decoder else "max_position_embeddings"
    length: int | None = getattr(config.get_text_config(decoder=True), name, None)
    return length
