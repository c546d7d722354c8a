"""Looking at a model before its weights are read; without torch until it is called."""

from __future__ import annotations

from collections.abc import Sequence

from halo_forge.config.shared import LoadingOptions
from halo_forge.core.types import Prompt
from halo_forge.models.resolve import ModelRef


def check_model(ref: ModelRef, loading: LoadingOptions, prompts: Sequence[Prompt] = ()) -> frozenset[str]:
    """Look at everything that can be wrong with a model, short of its weights.

    Returns:
        Ids of the prompts that leave no room for an answer in the model's context.

    Raises:
        ModelError: no usable tokenizer, or no chat template.
    """
    from halo_forge.models.load import load_chat, read_context_length

    chat = load_chat(ref, loading)
    context = read_context_length(ref)
    if context is None:
        return frozenset()
    return frozenset(prompt.id for prompt in prompts if len(chat.prompt_ids(prompt.messages, prompt.tools)) >= context)
