"""What kind of model a config describes, and the class of `transformers` that loads it."""

from __future__ import annotations

from typing import Any, Literal

from transformers import AutoModelForCausalLM, AutoModelForImageTextToText, AutoModelForSpeechSeq2Seq

MediaKind = Literal["speech", "vision"]
SPEECH = frozenset({"whisper"})
VISION = frozenset({"qwen2_vl", "qwen2_5_vl"})


def media_kind(config: Any) -> MediaKind | None:
    """Whether a model hears or sees; None for a model of text."""
    if config.model_type in SPEECH:
        return "speech"
    return "vision" if config.model_type in VISION else None


def auto_class(config: Any) -> Any:
    """Return the class that loads a model, by its config."""
    kinds = {None: AutoModelForCausalLM, "speech": AutoModelForSpeechSeq2Seq, "vision": AutoModelForImageTextToText}
    return kinds[media_kind(config)]
