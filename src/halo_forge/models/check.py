"""Looking at a model before its weights are read; without torch until it is called."""

from __future__ import annotations

from halo_forge.config.shared import LoadingOptions
from halo_forge.models.resolve import ModelRef


def check_model(ref: ModelRef, loading: LoadingOptions) -> None:
    """Look at everything that can be wrong with a model before its weights are read.

    Raises:
        ModelError: no usable tokenizer, or no chat template.
    """
    from halo_forge.models.load import load_chat

    load_chat(ref, loading)
