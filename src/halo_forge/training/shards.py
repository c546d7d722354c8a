"""A model in parts, one a process, by torch's FSDP2; layers are put together one after the other as they compute.

Weights, gradients and the optimiser's state lie in parts. Everything here is called by all processes at the same time;
what is gathered lies whole on the first process's CPU, in the form that a process alone would have it in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from halo_forge.core.errors import ConfigError
from halo_forge.models.load import Policy

MOMENTS = ("exp_avg", "exp_avg_sq")  # what AdamW keeps of each weight, in parts like the weight
Tensors = Mapping[str, torch.Tensor]


def read_plugin() -> Any:
    """What accelerate's config says of FSDP; decoder layers are the units where it names no others.

    Raises:
        ConfigError: it asks for what is not done here.
    """
    from accelerate import FullyShardedDataParallelPlugin

    plugin = FullyShardedDataParallelPlugin()
    if plugin.fsdp_version != 2:
        raise ConfigError("accelerate's config asks for FSDP 1, and halo-forge takes FSDP 2: give --fsdp_version 2")
    if plugin.activation_checkpointing:
        raise ConfigError(
            "accelerate's config asks for activation checkpointing: give --gradient-checkpointing here, not there"
        )
    if plugin.auto_wrap_policy is None:
        plugin = FullyShardedDataParallelPlugin(auto_wrap_policy="transformer_based_wrap")
    return plugin


def is_cut(policy: Policy) -> bool:
    """Whether this process holds a part of the model only."""
    return isinstance(policy.inner, FSDPModule)


def check(policy: Policy) -> None:
    """See whether a model can be trained in parts here.

    Raises:
        ConfigError: it cannot.
    """
    if policy.autocast == torch.float16:
        raise ConfigError("float16 does not go with FSDP here: give --dtype bfloat16 or float32")
    if policy.media is not None:
        raise ConfigError("FSDP does not go with a model that hears or sees here; leave it out")
    if not all(weight.is_floating_point() for weight in policy.model.parameters()):
        raise ConfigError("FSDP does not go with --tuning qlora here: take --tuning lora, or leave FSDP out")


def cut(policy: Policy, processes: int) -> None:
    """Keep this process's part of a model whose weights are the same in every process."""
    from accelerate.utils.fsdp_utils import fsdp2_prepare_auto_wrap_policy

    plugin, model = read_plugin(), policy.inner
    if policy.device.type == "cuda":
        torch.cuda.set_device(policy.device)
    mesh = init_device_mesh(policy.device.type, (processes,))
    is_unit = fsdp2_prepare_auto_wrap_policy(plugin, model)
    how = {"mesh": mesh, "reshard_after_forward": plugin.reshard_after_forward, "offload_policy": plugin.cpu_offload}
    for module in reversed([*model.modules()][1:]):  # children before what holds them
        if is_unit is not None and is_unit(module):
            fully_shard(module, **how)
    fully_shard(model, **how)
    for unit in _units(policy):  # the loss is divided by the tokens of all, so gradients are summed
        unit.set_gradient_divide_factor(1.0)
        unit.set_force_sum_reduction_for_comms(True)
    with torch.no_grad():  # the first pass settles for good that the model is the outermost unit
        model(input_ids=torch.zeros((1, 1), dtype=torch.long, device=policy.device), use_cache=False)
    model.reset_iter_state()


def gather(weights: Tensors) -> dict[str, torch.Tensor]:
    """Weights whole, on the CPU."""
    return {name: _whole(weight) for name, weight in weights.items()}


def gather_optimiser(optimiser: torch.optim.Optimizer) -> dict[str, Any]:
    """State of an optimiser, whole, on the CPU."""
    state = optimiser.state_dict()
    whole = {index: {name: _whole(each[name]) for name in sorted(each)} for index, each in state["state"].items()}
    return {**state, "state": whole}


def put(weights: Tensors, values: Tensors | None) -> None:
    """Set weights to values that the first process has."""
    with torch.no_grad():
        for name, weight in weights.items():
            assert isinstance(weight, DTensor)
            value = _part(None if values is None else values[name], weight)
            weight.to_local().copy_(value.to_local())


def put_optimiser(optimiser: torch.optim.Optimizer, weights: Tensors, saved: Mapping[str, Any] | None) -> None:
    """Set an optimiser's state to one that the first process has."""
    steps: list[Any] = [None]
    if saved is not None:
        steps = [{index: each["step"] for index, each in saved["state"].items()}]
    dist.broadcast_object_list(steps, src=0)
    state = {}
    for index, weight in enumerate(weights.values()):
        if index in steps[0]:
            state[index] = {"step": steps[0][index]}
            for name in MOMENTS:
                state[index][name] = _part(None if saved is None else saved["state"][index][name], weight)
    optimiser.load_state_dict({**optimiser.state_dict(), "state": state})


def put_together(policy: Policy) -> None:
    """Hold every layer whole in every process, so that one of them can compute without the others."""
    for unit in _units(policy):
        unit.unshard()
    policy.inner.set_reshard_after_forward(False)


def take_apart(policy: Policy) -> None:
    """End that, and forget the passes that one process made by itself: by them it would order layers in advance."""
    policy.inner.reset_iter_state()
    policy.inner.set_reshard_after_forward(read_plugin().reshard_after_forward)
    for unit in _units(policy):
        unit.reshard()


def _units(policy: Policy) -> list[Any]:
    return [module for module in policy.inner.modules() if isinstance(module, FSDPModule)]


def _whole(tensor: Any) -> Any:
    return tensor.full_tensor().cpu() if isinstance(tensor, DTensor) else tensor


def _part(value: torch.Tensor | None, like: torch.Tensor) -> DTensor:
    """This process's part of a tensor that the first one has, cut as `like` is."""
    assert isinstance(like, DTensor)
    device = like.to_local().device
    whole = torch.empty(like.shape, dtype=like.dtype, device=device) if value is None else value.to(device, like.dtype)
    return distribute_tensor(whole, like.device_mesh, like.placements)
