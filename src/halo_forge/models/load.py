"""Putting a model into memory: weights, adapter, tokenizer, on the device and in the type that suit the machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from safetensors import SafetensorError

from halo_forge.config.shared import LoadingOptions
from halo_forge.config.tuning import TuningOptions
from halo_forge.core.errors import ModelError
from halo_forge.core.types import MediaPart
from halo_forge.core.words import one_line
from halo_forge.models.adapter import with_adapter
from halo_forge.models.chat import ChatFormat
from halo_forge.models.families import auto_class
from halo_forge.models.hardware import four_bit, name_accelerator, pick_device, pick_dtype, set_threads, use_liger
from halo_forge.models.preview import context_length, load_renderer, read_config
from halo_forge.models.renderers.base import MediaFormat
from halo_forge.models.resolve import ModelRef


@dataclass
class Policy:
    """A model in memory, ready to sample from and, if it was loaded with tuning options, to train.

    Args:
        model: a `transformers` model, wrapped by PEFT when there is an adapter.
        chat: what turns messages into its inputs: a chat template, or the renderer of a model that hears or sees.
        base: Hub id or folder of the weights below the adapter; for a full model, where it was loaded from.
        autocast: type that training computes in where it differs from the weights' own, else None.
        adjustments: what was done otherwise than asked, for the run's notices.
    """

    model: Any
    chat: ChatFormat | MediaFormat
    device: torch.device
    base: str
    is_adapter: bool
    autocast: torch.dtype | None
    adjustments: tuple[str, ...] = ()

    @property
    def context_length(self) -> int | None:
        """Tokens the model can attend to, if its config says so."""
        return context_length(self.model.config)

    @property
    def media(self) -> MediaFormat | None:
        """The renderer, if the model hears or sees."""
        return self.chat if isinstance(self.chat, MediaFormat) else None

    @property
    def trained_weights(self) -> dict[str, torch.nn.Parameter]:
        """The weights that training moves, by their names."""
        return {name: weight for name, weight in self.model.named_parameters() if weight.requires_grad}

    def media_tensors(self, media: Sequence[Sequence[MediaPart]], ids: torch.Tensor) -> dict[str, torch.Tensor]:
        """What the renderer makes of media, on the CPU, numbers in the type of the weights; see `MediaFormat`."""
        assert self.media is not None
        made = self.media.tensors(media, ids)
        return {name: t.to(self.model.dtype) if t.is_floating_point() else t for name, t in made.items()}

    @property
    def inner(self) -> Any:
        """The model of `transformers`, below what wraps it."""
        return self.model.get_base_model() if self.is_adapter else self.model


def load_policy(ref: ModelRef, loading: LoadingOptions, tuning: TuningOptions | None = None, seed: int = 0) -> Policy:
    """Load a model for sampling, or with `tuning` for training as well.

    Args:
        seed: of a new adapter's weights.

    Raises:
        ModelError: the weights, the tokenizer or the chat template cannot be loaded.
        EnvironmentFault: the device or an optional library is missing.
    """
    device = pick_device(loading.device)
    name_accelerator(device)
    dtype, autocast = pick_dtype(loading.dtype, device, tuning)
    quantization = (
        four_bit(device, autocast or torch.float32) if tuning is not None and tuning.tuning == "qlora" else None
    )
    config = read_config(ref)
    try:
        model = auto_class(config).from_pretrained(
            ref.base, dtype=dtype, device_map={"": device}, quantization_config=quantization
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise ModelError(f"model '{ref.name}' cannot be loaded: {one_line(error)}") from error
    if tuning is not None and tuning.use_liger:
        use_liger(model, device)
    set_threads(loading.threads, sum(p.numel() for p in model.parameters()))
    model, adjustments = with_adapter(model, ref, tuning, seed)
    model.eval()
    chat = load_renderer(ref, loading, config, model.generation_config)
    is_adapter = ref.adapter is not None if tuning is None else tuning.tuning != "full"
    return Policy(model, chat, device, ref.base, is_adapter, autocast, adjustments)
