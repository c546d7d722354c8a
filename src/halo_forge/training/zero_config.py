"""What accelerate's config says of DeepSpeed, and what of it is used here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from halo_forge.core.errors import ConfigError

# Settings of DeepSpeed that are halo-forge's own flags, and what they may say beside "auto".
OURS: Mapping[str, tuple[str, tuple[object, ...]]] = {
    "train_batch_size": ("--batch-size", ()),
    "train_micro_batch_size_per_gpu": ("--micro-batch", ()),
    "gradient_accumulation_steps": ("--batch-size and --micro-batch", (1,)),
    "gradient_clipping": ("--max-grad-norm", ()),
}
PRECISION = ("fp16", "bf16", "amp", "torch_autocast")
WITHOUT_EFFECT = ("steps_per_print", "wall_clock_breakdown", "zero_allow_untested_optimizer")
# What changes how a model is cut and sent, and not what it learns.
USED = (
    "stage",
    "contiguous_gradients",
    "reduce_scatter",
    "reduce_bucket_size",
    "allgather_partitions",
    "allgather_bucket_size",
    "overlap_comm",
    "sub_group_size",
    "ignore_unused_parameters",
    "stage3_prefetch_bucket_size",
    "stage3_param_persistence_threshold",
    "stage3_model_persistence_threshold",
    "stage3_max_live_parameters",
    "stage3_max_reuse_distance",
)
OFFLOADS = ("offload_optimizer", "offload_param")
OF_SAVING = "stage3_gather_16bit_weights_on_model_save"  # by DeepSpeed, which does not save here
STAGES = (1, 2, 3)


def read_zero() -> dict[str, Any]:
    """DeepSpeed's `zero_optimization` section as accelerate's config gives it; what says auto is left to DeepSpeed.

    Raises:
        ConfigError: it asks for what is not done here.
    """
    from accelerate import DeepSpeedPlugin

    if "ACCELERATE_DEEPSPEED_MOE_LAYER_CLS_NAMES" in os.environ:
        raise ConfigError("accelerate's config names mixture-of-experts layers for DeepSpeed, which is not done here")
    try:
        asked: dict[str, Any] = dict(DeepSpeedPlugin().deepspeed_config)
    except (OSError, ValueError) as error:
        raise ConfigError(f"accelerate's DeepSpeed config cannot be read: {' '.join(str(error).split())}") from error
    zero: dict[str, Any] = asked.pop("zero_optimization")
    for key, value in asked.items():
        _check_setting(key, value)
    return _used(zero)


def _check_setting(key: str, value: Any) -> None:
    where = "accelerate's DeepSpeed config"
    if key in OURS:
        flag, others = OURS[key]
        if value != "auto" and value not in others:
            raise ConfigError(f"{where} sets {key} to {value}, which {flag} is for: leave it out there, or give auto")
    elif key in PRECISION:
        if value.get("enabled", False) not in (False, "auto"):
            raise ConfigError(f"{where} turns {key} on, which --dtype is for: leave it out there")
    elif key in ("optimizer", "scheduler"):
        raise ConfigError(f"{where} has a section '{key}', and halo-forge brings its own: leave it out there")
    elif key not in WITHOUT_EFFECT:
        raise ConfigError(f"{where} sets {key}, which is not done here: leave it out there")


def _used(zero: Mapping[str, Any]) -> dict[str, Any]:
    for key, value in zero.items():
        if key in OFFLOADS:
            if (value or {}).get("device", "none") not in ("none", None):
                raise ConfigError(f"accelerate's config asks for DeepSpeed's {key}, which is not done here: give none")
        elif key not in (*USED, OF_SAVING):
            raise ConfigError(f"accelerate's config sets DeepSpeed's zero_optimization.{key}, which is not done here")
    used = {key: zero[key] for key in USED if zero.get(key, "auto") != "auto"}
    if used.get("stage") not in STAGES:
        raise ConfigError(
            f"accelerate's config asks for ZeRO stage {zero.get('stage')}: give 1, 2 or 3, or --multi_gpu in place of "
            "DeepSpeed to have each process hold the whole model"
        )
    return used
