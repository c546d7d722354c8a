"""The device and the types that suit the machine, and what only some machines can do."""

from __future__ import annotations

import os
from typing import Any

import torch

from halo_forge.config.tuning import TuningOptions
from halo_forge.core.errors import ConfigError, EnvironmentFault

TINY_PARAMETERS = 20_000_000


def pick_device(name: str) -> torch.device:
    """Turn `auto` into the best device there is, or check the one named.

    Raises:
        ConfigError: no such kind of device.
        EnvironmentFault: this machine does not have it.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", 0)
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f"--device {name} is not a device; give auto, cpu, cuda, cuda:1 or mps") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise EnvironmentFault(f"--device {name}: this machine has {torch.cuda.device_count()} CUDA devices; try auto")
    return device


def name_accelerator(device: torch.device) -> None:
    """Tell DeepSpeed what to work on.

    Other libraries load it where it is installed, such as to save a model. By itself it takes a GPU that `--device cpu`
    leaves alone, and complains on stdout where there is none.
    """
    os.environ["DS_ACCELERATOR"] = device.type


def pick_dtype(name: str, device: torch.device, tuning: TuningOptions | None) -> tuple[torch.dtype, torch.dtype | None]:
    """Choose the type of the weights, and the type training computes in where that differs.

    Full training keeps float32 weights, since small updates vanish in 16 bits, and computes in bfloat16 where the
    hardware does; an adapter's base is held in bfloat16 and the adapter itself in float32. An accelerator without
    bfloat16 takes float16 in its place, and the trainer scales the loss so that small gradients do not vanish. On a CPU
    everything is float32: without special units a 16-bit product is dozens of times slower.
    """
    named = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if name != "auto":
        fast = named[name]
    elif device.type != "cuda":
        fast = torch.float32
    elif torch.cuda.is_bf16_supported(including_emulation=False):
        fast = torch.bfloat16
    else:
        fast = torch.float16
    if fast == torch.float32 or tuning is None:
        return fast, None
    return (torch.float32 if tuning.tuning == "full" else fast), fast


def set_threads(threads: int | None, parameters: int) -> None:
    """Fix the number of CPU threads: as asked, else one for a tiny model (more only spin), else torch's own choice."""
    if threads is not None:
        torch.set_num_threads(threads)
    elif parameters < TINY_PARAMETERS and "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)


def use_liger(model: Any, device: torch.device) -> None:
    """Put Liger's kernels into a model.

    Raises:
        EnvironmentFault: the device is no CUDA device, or the library is missing.
    """
    if device.type != "cuda":
        raise EnvironmentFault("--use-liger needs a CUDA device; leave it out here")
    try:
        from liger_kernel.transformers import _apply_liger_kernel_to_instance
    except ImportError as error:
        raise EnvironmentFault("--use-liger needs liger-kernel: pip install 'halo-forge[liger]'") from error
    # The loss on the vocabulary is the trainer's own: it covers learnt tokens alone.
    _apply_liger_kernel_to_instance(model=model, cross_entropy=False, fused_linear_cross_entropy=False)


def four_bit(device: torch.device, computed: torch.dtype) -> Any:
    """How `transformers` is to load weights in four bits (NF4, QLoRA; Dettmers et al. 2023), computing in a type.

    Raises:
        EnvironmentFault: the device is no CUDA device, or the library is missing.
    """
    if device.type != "cuda":
        raise EnvironmentFault("--tuning qlora needs a CUDA device; use --tuning lora here")
    try:
        import bitsandbytes  # noqa: F401  only to see that it is there
    except ImportError as error:
        raise EnvironmentFault("--tuning qlora needs bitsandbytes: pip install 'halo-forge[qlora]'") from error
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=computed,
    )
