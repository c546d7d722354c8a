"""A low-rank adapter folded into the weights for as long as a chunk is drawn.

Nothing of the policy is changed: each adapted layer is replaced by a new one that holds base weight plus adapter, and
put back afterwards, so training goes on from the very same numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from halo_forge.models.load import Policy


@contextmanager
def merged(policy: Policy) -> Iterator[Any]:
    """Yield the model to sample from: with its adapter folded in where that is exact enough, else as it is.

    Folding is left out where the weights are not float32: in 16 bits the sum rounds away part of the adapter, and the
    draws would come from another model than the one that is trained. It costs a copy of the adapted weights.
    """
    model = policy.model
    if not policy.is_adapter:
        yield model
        return
    from peft.tuners.lora import Linear
    from peft.tuners.tuners_utils import BaseTunerLayer

    places = [(name, layer) for name, layer in model.named_modules() if isinstance(layer, BaseTunerLayer)]
    if not places or not all(type(layer) is Linear and _foldable(layer) for _, layer in places):
        yield model
        return
    parents = [(model.get_submodule(name.rpartition(".")[0]), name.rpartition(".")[2]) for name, _ in places]
    try:
        for (parent, name), (_, layer) in zip(parents, places, strict=True):
            parent.add_module(name, _fold(layer))
        yield model.get_base_model()
    finally:
        for (parent, name), (_, layer) in zip(parents, places, strict=True):
            parent.add_module(name, layer)


def _foldable(layer: Any) -> bool:
    plain = not layer.lora_variant and not any(layer.lora_bias.values()) and not layer.disable_adapters
    base = layer.base_layer
    return (
        plain
        and not layer.merged
        and type(base) is torch.nn.Linear
        and not layer.fan_in_fan_out
        and base.weight.dtype == torch.float32
    )


def _fold(layer: Any) -> torch.nn.Linear:
    base = layer.base_layer
    weight = base.weight
    for adapter in layer.active_adapters:
        if adapter in layer.lora_A:
            weight = weight + layer.get_delta_weight(adapter)
    folded = torch.nn.Linear(base.in_features, base.out_features, bias=False, device="meta")
    folded.weight = torch.nn.Parameter(weight, requires_grad=False)
    folded.bias = base.bias
    return folded.eval()
