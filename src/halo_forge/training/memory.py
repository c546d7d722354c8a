"""How much memory a run will take, from the model's config alone, and what to change if that is too much.

Counted are the tensors that matter; allocators, libraries and fragments come on top, some tens of percent.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch

from halo_forge.config.shared import LoadingOptions, ProcessOptions
from halo_forge.config.tuning import TuningOptions
from halo_forge.core.errors import EnvironmentFault, ModelError
from halo_forge.models.families import auto_class
from halo_forge.models.hardware import pick_device, pick_dtype
from halo_forge.models.preview import read_config
from halo_forge.models.resolve import ModelRef
from halo_forge.training.logprobs import LOGITS_AT_ONCE
from halo_forge.training.team import current_team

GIB = 2**30
FOUR_BIT_BYTES = 0.52  # a parameter in nf4 with its scales quantised again (Dettmers et al. 2023, arXiv 2305.14314)
COPIES_OF_LOGITS = 3  # the logits, their log-softmax and its gradient


class ModelShape(NamedTuple):
    """What of a decoder decides its memory; every linear layer as (name, inputs, outputs)."""

    parameters: int
    linear: tuple[tuple[str, int, int], ...]
    layers: int
    hidden: int
    heads: int
    key_value: int
    mlp: int
    vocabulary: int
    context: int | None


class Demand(NamedTuple):
    """Bytes, by what they are for."""

    weights: int
    gradients: int
    optimiser: int
    activations: int
    logits: int
    cache: int
    reference: int

    @property
    def fixed(self) -> int:
        """What training takes however few rows are in memory."""
        return self.weights + self.gradients + self.optimiser + self.reference

    @property
    def total(self) -> int:
        """The larger of what training takes and what drawing takes; the two never happen together."""
        training = self.fixed + self.activations + self.logits
        return max(training, self.weights + self.reference + self.cache)


class Generation(NamedTuple):
    """Completions drawn at the same time, and whether the start model is kept beside the policy."""

    rows: int
    reference: bool


class Fit(NamedTuple):
    """An estimate beside what there is.

    Args:
        advice: what would fit, in words; empty if this does.
    """

    demand: Demand
    available: int
    place: str
    advice: str

    @property
    def text(self) -> str:
        """The estimate in words."""
        shares = ", ".join(f"{name} {_size(value)}" for name, value in self.demand._asdict().items() if value >= 2**20)
        need = f"about {_size(self.demand.total)} of {_size(self.available)} free on {self.place}"
        return f"{need} ({shares})" if shares else need


def read_shape(ref: ModelRef) -> ModelShape | None:
    """Build the model without memory and measure it; None for an architecture whose config lacks the usual names."""
    config = read_config(ref)
    try:
        with torch.device("meta"):
            model: Any = auto_class(config).from_config(config)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"the config of '{ref.base}' cannot be read: {' '.join(str(error).split())[:300]}") from error
    head = model.get_output_embeddings()
    linear = tuple(
        (name, module.in_features, module.out_features)
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and module is not head
    )
    text = config.get_text_config()
    try:
        size = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
        return ModelShape(
            parameters=sum(p.numel() for p in model.parameters()),
            linear=linear,
            layers=text.num_hidden_layers,
            hidden=text.hidden_size,
            heads=text.num_attention_heads * size,
            key_value=(getattr(text, "num_key_value_heads", None) or text.num_attention_heads) * size,
            mlp=text.intermediate_size,
            vocabulary=text.vocab_size,
            context=getattr(text, "max_position_embeddings", None),
        )
    except AttributeError:
        return None


def estimate(
    shape: ModelShape,
    tuning: TuningOptions,
    dtype: torch.dtype,
    autocast: torch.dtype | None,
    drawing: Generation | None = None,
) -> Demand:
    """Estimate for rows of `--max-length` tokens, or of the model's context where that is less.

    Args:
        dtype: of the weights.
        autocast: type that training computes in where it differs, else None.
        drawing: for RAFT, what generation holds.
    """
    length = min(tuning.max_length, shape.context or tuning.max_length)
    tokens = length * min(tuning.micro_batch or tuning.batch_size, tuning.batch_size)
    in_layers = sum(inputs * outputs for _, inputs, outputs in shape.linear)
    trained = shape.parameters if tuning.tuning == "full" else _adapter_parameters(shape, tuning)
    computed = (autocast or dtype).itemsize
    weights = shape.parameters * dtype.itemsize
    if tuning.tuning == "qlora":
        weights = int(in_layers * FOUR_BIT_BYTES) + (shape.parameters - in_layers) * computed
    if tuning.tuning != "full":
        weights += trained * 4
    elif autocast is not None:
        weights += in_layers * computed  # autocast keeps its copies for the backward pass
    layer = _layer_bytes(shape, tuning, computed)
    kept = layer * shape.layers
    if tuning.gradient_checkpointing:
        kept = shape.hidden * computed * shape.layers + layer
    logits = min(tokens * shape.vocabulary, LOGITS_AT_ONCE) * 4 * COPIES_OF_LOGITS
    cache = 0
    if drawing is not None:
        cache = drawing.rows * (length * shape.layers * 2 * shape.key_value * dtype.itemsize + shape.vocabulary * 8)
    return Demand(
        weights=weights,
        gradients=trained * 4,
        optimiser=trained * 8,
        activations=tokens * kept,
        logits=logits,
        cache=cache,
        reference=trained * 4 if drawing is not None and drawing.reference else 0,
    )


def check_memory(
    ref: ModelRef,
    loading: LoadingOptions,
    tuning: TuningOptions,
    drawing: Generation | None = None,
    processes: ProcessOptions | None = None,
) -> Fit | None:
    """Compare the estimate with the memory there is, before any weight is read.

    Args:
        processes: of a model in parts each holds the optimiser in part, see `_shared`; its weights it reads whole.

    Returns:
        None where the architecture is not known well enough.

    Raises:
        EnvironmentFault: what training takes at the least is more than the device has in all.
    """
    shape = read_shape(ref)
    if shape is None:
        return None
    device = pick_device(loading.device)
    available, total = _memory(device)

    def demand(**changes: Any) -> Demand:
        changed = tuning.model_copy(update=changes)
        whole = estimate(shape, changed, *pick_dtype(loading.dtype, device, changed), drawing)
        # Processes on a CPU share its memory.
        return whole if processes is None or device.type == "cpu" else _shared(whole, processes)

    wanted = demand()
    advice = "" if wanted.total <= available else _advise(demand, tuning, available, device)
    fit = Fit(wanted, available, str(device), advice)
    if wanted.fixed > total:
        raise EnvironmentFault(
            f"--tuning {tuning.tuning} of '{ref.name}' takes {_size(wanted.fixed)} before the first row and "
            f"{device} has {_size(total)}: {advice}"
        )
    return fit


def _shared(whole: Demand, processes: ProcessOptions) -> Demand:
    """What one process holds of a model that is, or will be, in parts."""
    team = current_team()
    if team is not None:
        option, parts = "none" if team.sharding is None else team.sharding.option, team.size
    else:
        option, parts = processes.sharding, processes.num_processes if processes.launcher == "accelerate" else 1
    if option == "none" or parts == 1:
        return whole
    # DeepSpeed's optimiser works on a float32 copy of the weights; what AdamW keeps of a weight is twice that.
    kept = whole.optimiser if option == "fsdp" else whole.optimiser + whole.optimiser // 2
    gradients = whole.gradients if option == "zero1" else whole.gradients // parts
    return whole._replace(gradients=gradients, optimiser=kept // parts)


def describe_fit(fit: Fit | None) -> str:
    """The estimate and its advice, for a plan."""
    if fit is None:
        return "not known for this architecture"
    return f"{fit.text}; too much: {fit.advice}" if fit.advice else fit.text


def _advise(demand: Any, tuning: TuningOptions, available: int, device: torch.device) -> str:
    """Name the gentlest change that fits: first what costs only time, then what trains less."""
    rows = tuning.micro_batch or tuning.batch_size
    fewer: list[dict[str, object]] = [{"micro_batch": max(1, rows >> shift)} for shift in range(1, rows.bit_length())]
    gentle: list[dict[str, object]] = [*fewer, {"gradient_checkpointing": True}]
    gentle += [{**change, "gradient_checkpointing": True} for change in fewer]
    lighter = {"full": ["lora", "qlora"], "lora": ["qlora"], "qlora": []}[tuning.tuning]
    if device.type != "cuda":
        lighter = [name for name in lighter if name != "qlora"]
    tried = gentle + [{"tuning": name, **change} for name in lighter for change in ({}, *gentle)]
    for change in tried:
        need = demand(**change).total
        if need <= available:
            return f"{_flags(change)} would take about {_size(need)}"
    least = min(demand(**change).total for change in tried)
    return f"the least it can take is {_size(least)}; give a smaller model or a lower --max-length"


def _size(count: int) -> str:
    return f"{count / GIB:.1f} GiB" if count >= GIB else f"{count / 2**20:.0f} MiB"


def _flags(change: dict[str, object]) -> str:
    return " ".join(
        "--" + name.replace("_", "-") + ("" if value is True else f" {value}") for name, value in change.items()
    )


def _layer_bytes(shape: ModelShape, tuning: TuningOptions, computed: int) -> int:
    """Bytes a token that one decoder layer keeps for its backward pass (norms in float32, the rest as computed).

    Two norms keep their input and its scaled form and give what the linear layers read; attention keeps queries, its
    output, keys and values; a gated MLP keeps four rows of its width. An adapter reads copies in float32 of what each
    linear layer reads.
    """
    norms = 4 * shape.hidden * 4 + 2 * shape.hidden * computed
    attention = (2 * shape.heads + 2 * shape.key_value) * computed
    mlp = 4 * shape.mlp * computed
    copies = 0
    if tuning.tuning != "full" and computed != 4:
        targets = _adapted(shape, tuning)
        copies = 4 * sum(inputs for _, inputs, _ in targets) // max(1, shape.layers)
    return norms + attention + mlp + copies


def _adapted(shape: ModelShape, tuning: TuningOptions) -> list[tuple[str, int, int]]:
    if tuning.lora_targets == ("all-linear",):
        return list(shape.linear)
    return [layer for layer in shape.linear if layer[0].rpartition(".")[2] in tuning.lora_targets]


def _adapter_parameters(shape: ModelShape, tuning: TuningOptions) -> int:
    return sum(tuning.lora_rank * (inputs + outputs) for _, inputs, outputs in _adapted(shape, tuning))


def _memory(device: torch.device) -> tuple[int, int]:
    """Bytes free and in all."""
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        return free, total
    import psutil

    memory = psutil.virtual_memory()
    return memory.available, memory.total
