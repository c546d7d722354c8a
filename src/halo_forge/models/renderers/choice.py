"""The renderer that a model needs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from transformers import AutoFeatureExtractor, AutoImageProcessor, AutoTokenizer
from transformers.utils import cached_file

from halo_forge.config.shared import LoadingOptions
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
    return _vision(source, config, loading, generation)


def _speech(source: str, config: Any, generation: Any) -> MediaFormat:
    from halo_forge.models.renderers.sound import require_sound
    from halo_forge.models.renderers.speech import SpeechFormat

    require_sound()
    tokenizer, extractor = AutoTokenizer.from_pretrained(source), AutoFeatureExtractor.from_pretrained(source)
    several = getattr(generation, "is_multilingual", config.vocab_size >= SEVERAL_LANGUAGES)
    stated = getattr(generation, "language", None)
    language = language_code(stated if isinstance(stated, str) else "en") if several else None
    return SpeechFormat(tokenizer, extractor, language, stop_ids(generation))


def language_code(name: str) -> str:
    """The code of a language as generation configs name it: `en`, `english` or `<|en|>`."""
    from transformers.models.whisper.tokenization_whisper import TO_LANGUAGE_CODE

    plain = name.lower().strip("<|>")
    code: str = TO_LANGUAGE_CODE.get(plain, plain)
    return code


def _vision(source: str, config: Any, loading: LoadingOptions, generation: Any) -> MediaFormat:
    from halo_forge.models.renderers.vision import VisionFormat

    # The processor as a whole wants torchvision for its films; of the two parts that are needed neither does.
    tokenizer = AutoTokenizer.from_pretrained(source)
    images = AutoImageProcessor.from_pretrained(source, backend="pil")
    if not tokenizer.chat_template:
        tokenizer.chat_template = _template_beside(source)
    return VisionFormat(
        tokenizer,
        images,
        config.image_token_id,
        loading.chat_template,
        stop_ids(generation),
        max_pixels=loading.max_pixels,
    )


def _template_beside(source: str) -> str | None:
    """The chat template where processors kept it before transformers 5: in a file of its own."""
    path = cached_file(source, "chat_template.json", _raise_exceptions_for_missing_entries=False)
    if path is None:
        return None
    template: str = json.loads(Path(path).read_text(encoding="utf-8"))["chat_template"]
    return template


def stop_ids(generation: Any) -> list[int]:
    """The tokens that a generation config says end a turn."""
    stops = generation.eos_token_id
    return [stop for stop in (stops if isinstance(stops, list) else [stops]) if stop is not None]
