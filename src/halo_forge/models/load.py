"""Putting a model into memory: weights, adapter, tokenizer, on the device and in the type that suit the machine."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from halo_forge.config.shared import LoadingOptions
from halo_forge.config.tuning import TuningOptions
from halo_forge.core.errors import ConfigError, EnvironmentFault, ModelError
from halo_forge.models.chat import ChatFormat
from halo_forge.models.resolve import ModelRef

TINY_PARAMETERS = 20_000_000


@dataclass
class Policy:
    """A model in memory, ready to sample from and, if it was loaded with tuning options, to train.

    Args:
        model: a `transformers` model, wrapped by PEFT when there is an adapter.
        base: Hub id or folder of the weights below the adapter; for a full model, where it was loaded from.
        autocast: type that training computes in where it differs from the weights' own, else None.
        adjustments: what was done otherwise than asked, for the run's notices.
    """

    model: Any
    chat: ChatFormat
    device: torch.device
    base: str
    is_adapter: bool
    autocast: torch.dtype | None
    adjustments: tuple[str, ...] = ()

    @property
    def context_length(self) -> int | None:
        """Tokens the model can attend to, if its config says so."""
        return _context_length(self.model.config)


def load_policy(ref: ModelRef, loading: LoadingOptions, tuning: TuningOptions | None = None, seed: int = 0) -> Policy:
    """Load a model for sampling, or with `tuning` for training as well.

    Args:
        seed: of a new adapter's weights.

    Raises:
        ModelError: the weights, the tokenizer or the chat template cannot be loaded.
        EnvironmentFault: the device or an optional library is missing.
    """
    device = pick_device(loading.device)
    dtype, autocast = pick_dtype(loading.dtype, device, tuning)
    quantization = (
        _four_bit(device, autocast or torch.float32) if tuning is not None and tuning.tuning == "qlora" else None
    )
    try:
        model = AutoModelForCausalLM.from_pretrained(
            ref.base, dtype=dtype, device_map={"": device}, quantization_config=quantization
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise ModelError(f"model '{ref.name}' cannot be loaded: {_one_line(error)}") from error
    if tuning is not None and tuning.use_liger:
        _use_liger(model, device)
    set_threads(loading.threads, sum(p.numel() for p in model.parameters()))
    model, adjustments = _with_adapter(model, ref, tuning, seed)
    model.eval()
    chat = load_chat(ref, loading, _stops(model.generation_config))
    is_adapter = ref.adapter is not None if tuning is None else tuning.tuning != "full"
    return Policy(model, chat, device, ref.base, is_adapter, autocast, adjustments)


def load_chat(ref: ModelRef, loading: LoadingOptions, extra_stop_ids: Sequence[int] = ()) -> ChatFormat:
    """Load the tokenizer with its chat template, which is quick and finds most mistakes before the weights are read.

    Raises:
        ModelError: there is no usable tokenizer or no chat template.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(_tokenizer_source(ref))
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"the tokenizer of '{ref.name}' cannot be loaded: {_one_line(error)}") from error
    return ChatFormat(tokenizer, loading.chat_template, extra_stop_ids)


def load_format(ref: ModelRef, loading: LoadingOptions) -> ChatFormat:
    """Load the tokenizer as `load_policy` would, with every token that ends a turn, but no weights.

    Raises:
        ModelError: as for `load_chat`; or the model's config cannot be read.
    """
    try:
        generation = GenerationConfig.from_pretrained(ref.base)
    except OSError:
        try:
            generation = GenerationConfig.from_model_config(AutoConfig.from_pretrained(ref.base))
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(f"the config of '{ref.base}' cannot be read: {_one_line(error)}") from error
    return load_chat(ref, loading, _stops(generation))


def read_context_length(ref: ModelRef) -> int | None:
    """Tokens a model can attend to, if its config says so, without reading the weights."""
    try:
        return _context_length(AutoConfig.from_pretrained(ref.base))
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"the config of '{ref.base}' cannot be read: {_one_line(error)}") from error


def read_head_size(ref: ModelRef) -> int | None:
    """Size of a model's attention heads, if its config says so, without reading the weights."""
    try:
        config = AutoConfig.from_pretrained(ref.base).get_text_config()
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"the config of '{ref.base}' cannot be read: {_one_line(error)}") from error
    stated: int | None = getattr(config, "head_dim", None)
    hidden, heads = getattr(config, "hidden_size", None), getattr(config, "num_attention_heads", None)
    return stated or (hidden // heads if hidden and heads else None)


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


def _stops(generation: GenerationConfig) -> list[int]:
    stops = generation.eos_token_id
    return stops if isinstance(stops, list) else [stops]


def _tokenizer_source(ref: ModelRef) -> str:
    if ref.adapter is not None and (Path(ref.adapter) / "tokenizer_config.json").is_file():
        return ref.adapter
    return ref.base


def _with_adapter(model: Any, ref: ModelRef, tuning: TuningOptions | None, seed: int) -> tuple[Any, tuple[str, ...]]:
    if ref.adapter is None and (tuning is None or tuning.tuning == "full"):
        return model, ()
    from peft import LoraConfig, PeftModel, get_peft_model, prepare_model_for_kbit_training

    if tuning is not None and tuning.tuning == "qlora":
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=tuning.gradient_checkpointing)
    if ref.adapter is not None:
        trainable = tuning is not None and tuning.tuning != "full"
        try:
            model = PeftModel.from_pretrained(model, ref.adapter, is_trainable=trainable)
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            raise ModelError(f"adapter '{ref.adapter}' cannot be loaded: {_one_line(error)}") from error
        if tuning is not None and tuning.tuning == "full":
            merged = model.merge_and_unload().requires_grad_(True)
            return merged, (f"the adapter '{ref.adapter}' was merged into its base for full training",)
        rank = model.peft_config["default"].r
        if tuning is not None and tuning.lora_rank != rank:
            return model, (
                f"the adapter '{ref.adapter}' is continued with its own rank {rank}, not {tuning.lora_rank}",
            )
        return model, ()
    assert tuning is not None
    targets = list(tuning.lora_targets)
    torch.manual_seed(seed)
    config = LoraConfig(
        r=tuning.lora_rank,
        lora_alpha=tuning.lora_alpha,
        lora_dropout=tuning.lora_dropout,
        target_modules=targets[0] if targets == ["all-linear"] else targets,
        task_type="CAUSAL_LM",
    )
    try:
        return get_peft_model(model, config), ()
    except ValueError as error:
        raise ConfigError(f"--lora-targets {','.join(targets)}: {_one_line(error)}") from error


def _context_length(config: Any) -> int | None:
    length: int | None = getattr(config.get_text_config(), "max_position_embeddings", None)
    return length


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def _use_liger(model: Any, device: torch.device) -> None:
    if device.type != "cuda":
        raise EnvironmentFault("--use-liger needs a CUDA device; leave it out here")
    try:
        from liger_kernel.transformers import _apply_liger_kernel_to_instance
    except ImportError as error:
        raise EnvironmentFault("--use-liger needs liger-kernel: pip install 'halo-forge[liger]'") from error
    # The loss on the vocabulary is the trainer's own: it covers learnt tokens alone.
    _apply_liger_kernel_to_instance(model=model, cross_entropy=False, fused_linear_cross_entropy=False)


def _four_bit(device: torch.device, computed: torch.dtype) -> Any:
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
