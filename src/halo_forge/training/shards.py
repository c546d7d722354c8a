"""A model in parts by torch's FSDP2: layers are put together one after the other as they compute.

Weights, gradients and the optimiser's state lie in parts.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from halo_forge.core.errors import ConfigError
from halo_forge.models.load import Policy
from halo_forge.training.optimiser import MOMENTS, Optimiser, WholeOptimiser
from halo_forge.training.sharding import Tensors


class FullySharded:
    """See `sharding.Sharding`.

    Raises:
        ConfigError: accelerate's config asks for what is not done here.
    """

    name = "FSDP"
    option = "fsdp"

    def __init__(self) -> None:
        self._plugin = _read_plugin()
        # With this, transformers would leave the weights of all but the first process unread.
        os.environ["FSDP_CPU_RAM_EFFICIENT_LOADING"] = "false"

    def check(self, policy: Policy) -> None:
        """See the protocol."""
        if policy.autocast == torch.float16:
            raise ConfigError("float16 does not go with FSDP here: give --dtype bfloat16 or float32")
        if policy.media is not None:
            raise ConfigError("FSDP does not go with a model that hears or sees here; leave it out")
        if not all(weight.is_floating_point() for weight in policy.model.parameters()):
            raise ConfigError("FSDP does not go with --tuning qlora here: take --tuning lora, or leave FSDP out")

    def is_cut(self, policy: Policy) -> bool:
        """See the protocol."""
        return isinstance(policy.inner, FSDPModule)

    def cut(self, policy: Policy, processes: int) -> None:
        """See the protocol."""
        from accelerate.utils.fsdp_utils import fsdp2_prepare_auto_wrap_policy

        plugin, model = self._plugin, policy.inner
        if policy.device.type == "cuda":
            torch.cuda.set_device(policy.device)
        mesh = init_device_mesh(policy.device.type, (processes,))
        is_unit = fsdp2_prepare_auto_wrap_policy(plugin, model)
        how = {
            "mesh": mesh,
            "reshard_after_forward": plugin.reshard_after_forward,
            "offload_policy": plugin.cpu_offload,
        }
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

    def whole(self, policy: Policy) -> Callable[..., Any]:
        """See the protocol."""
        model: Callable[..., Any] = policy.inner
        return model

    def gather(self, policy: Policy) -> dict[str, torch.Tensor]:
        """See the protocol."""
        return {name: _whole(weight) for name, weight in policy.trained_weights.items()}

    def put(self, policy: Policy, values: Tensors | None) -> None:
        """See the protocol."""
        with torch.no_grad():
            for name, weight in policy.trained_weights.items():
                assert isinstance(weight, DTensor)
                value = _part(None if values is None else values[name], weight)
                weight.to_local().copy_(value.to_local())

    def put_together(self, policy: Policy) -> None:
        """See the protocol."""
        for unit in _units(policy):
            unit.unshard()
        policy.inner.set_reshard_after_forward(False)

    def take_apart(self, policy: Policy) -> None:
        """See the protocol; passes that one process made by itself are forgotten, by which it would order layers."""
        policy.inner.reset_iter_state()
        policy.inner.set_reshard_after_forward(self._plugin.reshard_after_forward)
        for unit in _units(policy):
            unit.reshard()

    def optimiser(self, policy: Policy, learning_rate: float, weight_decay: float) -> Optimiser:
        """See the protocol."""
        unscaled = torch.amp.GradScaler(policy.device.type, enabled=False)
        return _OptimiserOfParts(policy.trained_weights, learning_rate, weight_decay, unscaled)


class _OptimiserOfParts(WholeOptimiser):
    """AdamW on parts of weights, with parts of its state."""

    def hold(self) -> dict[str, Any]:
        """See the protocol."""
        state = self._adamw.state_dict()
        whole = {index: {name: _whole(each[name]) for name in sorted(each)} for index, each in state["state"].items()}
        return {**state, "state": whole}

    def restore(self, saved: Mapping[str, Any] | None) -> None:
        """See the protocol."""
        steps: list[Any] = [None]
        if saved is not None:
            steps = [{index: each["step"] for index, each in saved["state"].items()}]
        dist.broadcast_object_list(steps, src=0)
        state = {}
        for index, weight in enumerate(self._weights.values()):
            if index in steps[0]:
                state[index] = {"step": steps[0][index]}
                for name in MOMENTS:
                    state[index][name] = _part(None if saved is None else saved["state"][index][name], weight)
        self._adamw.load_state_dict({**self._adamw.state_dict(), "state": state})


def _read_plugin() -> Any:
    """What accelerate's config says of FSDP; decoder layers are the units where it names no others."""
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
