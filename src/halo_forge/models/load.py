"""Putting a model into memory: weights, adapter, tokenizer, on the device and in the type that suit the machine."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoTokenizer, GenerationConfig

from halo_forge.config.shared import LoadingOptions
from halo_forge.config.tuning import TuningOptions
from halo_forge.core.errors import ConfigError, EnvironmentFault, ModelError
from halo_forge.core.types import MediaPart
from halo_forge.models.chat import ChatFormat
from halo_forge.models.families import auto_class, media_kind
from halo_forge.models.renderers.base import MediaFormat
from halo_forge.models.renderers.choice import open_renderer, stop_ids
from halo_forge.models.resolve import ModelRef

TINY_PARAMETERS = 20_000_000


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
    dtype, autocast = pick_dtype(loading.dtype, device, tuning)
    quantization = (
        _four_bit(device, autocast or torch.float32) if tuning is not None and tuning.tuning == "qlora" else None
    )
    config = read_config(ref)
    try:
        model = auto_class(config).from_pretrained(
            ref.base, dtype=dtype, device_map={"": device}, quantization_config=quantization
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise ModelError(f"model '{ref.name}' cannot be loaded: {_one_line(error)}") from error
    if tuning is not None and tuning.use_liger:
        _use_liger(model, device)
    set_threads(loading.threads, sum(p.numel() for p in model.parameters()))
    model, adjustments = _with_adapter(model, ref, tuning, seed)
    model.eval()
    chat = load_renderer(ref, loading, config, model.generation_config)
    is_adapter = ref.adapter is not None if tuning is None else tuning.tuning != "full"
    return Policy(model, chat, device, ref.base, is_adapter, autocast, adjustments)


def load_renderer(
    ref: ModelRef, loading: LoadingOptions, config: Any, generation: GenerationConfig | None = None
) -> ChatFormat | MediaFormat:
    """Load what turns messages into a model's inputs, which is quick and finds most mistakes before the weights are.

    Args:
        config: the model's.
        generation: its generation config, for the tokens that end a turn.

    Raises:
        ModelError: there is no usable tokenizer, chat template or processor.
    """
    kind = media_kind(config)
    if kind is None:
        return load_chat(ref, loading, stop_ids(generation) if generation else ())
    if loading.chat_template is not None and kind == "speech":
        raise ConfigError("--chat-template does not go with a model of speech, which has none: leave it out")
    try:
        return open_renderer(kind, tokenizer_source(ref), config, loading, generation or _read_generation(ref, config))
    except (OSError, ValueError, KeyError, ImportError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"the processor of '{ref.name}' cannot be loaded: {_one_line(error)}") from error


def load_chat(ref: ModelRef, loading: LoadingOptions, extra_stop_ids: Sequence[int] = ()) -> ChatFormat:
    """Load the tokenizer of a model of text with its chat template.

    Raises:
        ModelError: there is no usable tokenizer or no chat template.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(tokenizer_source(ref))
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"the tokenizer of '{ref.name}' cannot be loaded: {_one_line(error)}") from error
    return ChatFormat(tokenizer, loading.chat_template, extra_stop_ids)


def load_format(ref: ModelRef, loading: LoadingOptions) -> ChatFormat:
    """Load the tokenizer as `load_policy` would, with every token that ends a turn, but no weights.

    Raises:
        ModelError: as for `load_chat`; or the model's config cannot be read.
    """
    return load_chat(ref, loading, stop_ids(_read_generation(ref)))


def _read_generation(ref: ModelRef, config: Any = None) -> GenerationConfig:
    try:
        return GenerationConfig.from_pretrained(ref.base)
    except OSError:
        return GenerationConfig.from_model_config(config or read_config(ref))


def read_config(ref: ModelRef) -> Any:
    """Read a model's config.

    Raises:
        ModelError: it cannot be read.
    """
    try:
        return AutoConfig.from_pretrained(ref.base)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"the config of '{ref.base}' cannot be read: {_one_line(error)}") from error


def read_context_length(ref: ModelRef) -> int | None:
    """Tokens a model can attend to, if its config says so, without reading the weights."""
    return context_length(read_config(ref))


def read_head_size(ref: ModelRef) -> int | None:
    """Size of a model's attention heads, if its config says so, without reading the weights."""
    config = read_config(ref).get_text_config()
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


def tokenizer_source(ref: ModelRef) -> str:
    """Where a model's tokenizer and processor are: with the adapter, if it brings them."""
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
        target_modules=_adapted(model, targets),
        task_type=None if model.config.is_encoder_decoder else "CAUSAL_LM",
    )
    try:
        return get_peft_model(model, config), ()
    except ValueError as error:
        raise ConfigError(f"--lora-targets {','.join(targets)}: {_one_line(error)}") from error


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


def context_length(config: Any) -> int | None:
    """Tokens a model can attend to, if its config says so; of one that hears, tokens of the answer with its prompt."""
    name = "max_target_positions" if config.is_encoder_decoder else "max_position_embeddings"
    length: int | None = getattr(config.get_text_config(decoder=True), name, None)
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
