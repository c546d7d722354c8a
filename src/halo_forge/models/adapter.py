"""The adapter of a model: one that was saved, or a new one."""

from __future__ import annotations

from typing import Any

import torch
from safetensors import SafetensorError

from halo_forge.config.tuning import TuningOptions
from halo_forge.core.errors import ConfigError, ModelError
from halo_forge.core.words import one_line
from halo_forge.models.families import media_kind
from halo_forge.models.resolve import ModelRef


def with_adapter(model: Any, ref: ModelRef, tuning: TuningOptions | None, seed: int) -> tuple[Any, tuple[str, ...]]:
    """Give a model the adapter that it was saved with, or with `tuning` one to train.

    Args:
        tuning: None for sampling alone; for full training a saved adapter is merged into the weights.
        seed: of a new adapter's weights.

    Returns:
        The model, and what was done otherwise than asked.

    Raises:
        ModelError: the saved adapter cannot be loaded.
        ConfigError: `--lora-targets` names nothing in this model.
    """
    if ref.adapter is None and (tuning is None or tuning.tuning == "full"):
        return model, ()
    if tuning is not None and tuning.tuning == "qlora":
        from peft import prepare_model_for_kbit_training

        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=tuning.gradient_checkpointing)
    if ref.adapter is not None:
        return _saved(model, ref.adapter, tuning)
    assert tuning is not None
    return _new(model, tuning, seed), ()


def _saved(model: Any, folder: str, tuning: TuningOptions | None) -> tuple[Any, tuple[str, ...]]:
    from peft import PeftModel

    trainable = tuning is not None and tuning.tuning != "full"
    try:
        model = PeftModel.from_pretrained(model, folder, is_trainable=trainable)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise ModelError(f"adapter '{folder}' cannot be loaded: {one_line(error)}") from error
    if tuning is not None and tuning.tuning == "full":
        merged = model.merge_and_unload().requires_grad_(True)
        return merged, (f"the adapter '{folder}' was merged into its base for full training",)
    rank = model.peft_config["default"].r
    if tuning is not None and tuning.lora_rank != rank:
        return model, (f"the adapter '{folder}' is continued with its own rank {rank}, not {tuning.lora_rank}",)
    return model, ()


def _new(model: Any, tuning: TuningOptions, seed: int) -> Any:
    from peft import LoraConfig, get_peft_model

    targets = list(tuning.lora_targets)
    torch.manual_seed(seed)
    config = LoraConfig(
        r=tuning.lora_rank,
        lora_alpha=tuning.lora_alpha,
        lora_dropout=tuning.lora_dropout,
        target_modules=_adapted(model, targets),
        task_type=None if model.config.is_encoder_decoder else "CAUSAL_LM",
    )
    try:
        return get_peft_model(model, config)
    except ValueError as error:
        raise ConfigError(
            f"--lora-targets {','.join(targets)}: {one_line(error)} Give names of linear layers such as q_proj,v_proj, "
            "or all-linear"
        ) from error


def _adapted(model: Any, targets: list[str]) -> str | list[str]:
    """The modules that get an adapter, as PEFT takes them; all-linear leaves the eyes of a model that sees as they are.

    A model that sees has as much to learn about a new kind of answer as any, and rarely about seeing.
    """
    if targets != ["all-linear"]:
        return targets
    if media_kind(model.config) != "vision":
        return targets[0]
    language = model.get_decoder()
    names = {name.rpartition(".")[2] for name, part in language.named_modules() if isinstance(part, torch.nn.Linear)}
    return rf".*\blanguage_model\..*\.({'|'.join(sorted(names))})"
