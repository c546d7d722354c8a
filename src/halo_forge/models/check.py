"""Looking at a model before its weights are read; without torch until it is called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from halo_forge.config.shared import LoadingOptions
from halo_forge.core.types import Prompt, media_of
from halo_forge.models.resolve import ModelRef


@dataclass(frozen=True)
class Checked:
    """How prompts suit a model.

    Args:
        overlong: ids of those that leave no room for an answer in its context.
        bad: id -> reason, of those whose images or audio cannot be used.
        cut: id -> reason, of those whose images or audio the model takes in only in part.
    """

    overlong: frozenset[str] = frozenset()
    bad: Mapping[str, str] = field(default_factory=dict)
    cut: Mapping[str, str] = field(default_factory=dict)

    def learnable(self, prompts: Sequence[Prompt]) -> list[Prompt]:
        """Those that can be trained on."""
        return [p for p in prompts if p.id not in self.overlong and p.id not in self.bad and p.id not in self.cut]

    def usable(self, prompts: Sequence[Prompt]) -> list[Prompt]:
        """Those that can be answered at all, well or badly."""
        return [prompt for prompt in prompts if prompt.id not in self.bad]


def check_model(ref: ModelRef, loading: LoadingOptions, prompts: Sequence[Prompt] = ()) -> Checked:
    """Look at everything that can be wrong with a model, short of its weights, and at prompts that do not suit it.

    Raises:
        ModelError: no usable tokenizer or processor, or no chat template.
        DataError: the messages of a prompt have not the form that the model takes.
    """
    from halo_forge.models.preview import context_length, load_renderer, read_config
    from halo_forge.models.renderers.base import MediaFormat

    config = read_config(ref)
    chat, context = load_renderer(ref, loading, config), context_length(config)
    bad: dict[str, str] = {}
    cut: dict[str, str] = {}
    if isinstance(chat, MediaFormat):
        for prompt in prompts:
            fit = chat.fit(media_of(prompt.messages))
            if fit.reason:
                (cut if fit.usable else bad)[prompt.id] = fit.reason
    if context is None:
        return Checked(frozenset(), bad, cut)
    left = [prompt for prompt in prompts if prompt.id not in bad]
    overlong = frozenset(p.id for p in left if len(chat.prompt_ids(p.messages, p.tools)) >= context)
    return Checked(overlong, bad, cut)


def count_reasons(reasons: Mapping[str, str]) -> str:
    """Say how many prompts have which reason, for a sentence."""
    return ", ".join(f"{count} {reason}" for reason, count in Counter(reasons.values()).most_common())
