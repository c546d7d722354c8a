"""The renderer that a model needs."""

from __future__ import annotations

from typing import Any

from transformers import AutoFeatureExtractor, AutoTokenizer

from halo_forge.config.shared import LoadingOptions
from halo_forge.core.errors import ModelError
from halo_forge.models.families import MediaKind
from halo_forge.models.renderers.base import MediaFormat

SEVERAL_LANGUAGES = 51_865  # size of Whisper's vocabulary from which on it knows more than English


def open_renderer(kind: MediaKind, source: str, config: Any, loading: LoadingOptions, generation: Any) -> MediaFormat:
    """Load the renderer of a model that hears or sees.

    Args:
        source: folder or Hub id of its tokenizer and processor.
        config: the model's config.
        loading: how the model is loaded.
        generation: its generation config, of which the tokens that end an answer are read, and for Whisper whether it
            knows several languages and which one to write.

    Raises:
        ModelError: the model lacks what its family has.
    """
    if kind == "speech":
        return _speech(source, config, generation)
    raise ModelError(f"'{source}' is a model that sees ({config.model_type}), and those are not supported yet")


def _speech(source: str, config: Any, generation: Any) -> MediaFormat:
    from halo_forge.models.renderers.sound import require_sound
    from halo_forge.models.renderers.speech import SpeechFormat

    require_sound()
    tokenizer, extractor = AutoTokenizer.from_pretrained(source), AutoFeatureExtractor.from_pretrained(source)
    several = getattr(generation, "is_multilingual", config.vocab_size >= SEVERAL_LANGUAGES)
    language = getattr(generation, "language", None) or "en"
    return SpeechFormat(tokenizer, extractor, language if several else None, stop_ids(generation))


def stop_ids(generation: Any) -> list[int]:
    """The tokens that a generation config says end a turn."""
    stops = generation.eos_token_id
    return [stop for stop in (stops if isinstance(stops, list) else [stops]) if stop is not None]
