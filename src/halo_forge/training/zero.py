"""A model in parts by DeepSpeed's ZeRO.

The optimiser's state lies in parts, at stage 2 the gradients as well, and at stage 3 the weights, which are put
together layer by layer as they compute. AdamW, schedule, clipping and the division of the loss are halo-forge's own.
DeepSpeed takes the mean of the processes' gradients, where their sum is wanted: losses are multiplied by their number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.distributed as dist

from halo_forge.core.errors import ConfigError, EnvironmentFault
from halo_forge.models.load import Policy
from halo_forge.training.links import give_up_silence
from halo_forge.training.optimiser import MOMENTS, Optimiser, Weights, new_adamw
from halo_forge.training.sharding import Tensors
from halo_forge.training.zero_config import read_zero


class Zero:
    """See `sharding.Sharding`; one policy is cut in a process.

    Raises:
        ConfigError: accelerate's config asks for what is not done here.
    """

    name = "DeepSpeed"

    def __init__(self) -> None:
        self._zero = read_zero()
        self._stage: int = self._zero["stage"]
        self.option = f"zero{self._stage}"
        self._policy: Policy | None = None
        self._engine: Any = None
        self._together: Any = None

    def check(self, policy: Policy) -> None:
        """See the protocol."""
        if policy.device.type not in ("cpu", "cuda"):
            raise ConfigError(f"DeepSpeed does not go with --device {policy.device.type} here: leave it out")
        if policy.autocast == torch.float16:
            raise ConfigError("float16 does not go with DeepSpeed here: give --dtype bfloat16 or float32")
        if policy.media is not None:
            raise ConfigError("DeepSpeed does not go with a model that hears or sees here; leave it out")
        if not all(weight.is_floating_point() for weight in policy.model.parameters()):
            raise ConfigError("DeepSpeed does not go with --tuning qlora here: take --tuning lora, or leave it out")

    def is_cut(self, policy: Policy) -> bool:
        """See the protocol."""
        return self._policy is policy

    def cut(self, policy: Policy, processes: int) -> None:
        """See the protocol."""
        import deepspeed
        from deepspeed import ops

        if policy.device.type == "cpu":  # of use in inference alone, and compiled when first asked for
            ops.__compatible_ops__["deepspeed_shm_comm"] = False
        config: dict[str, Any] = {
            "train_micro_batch_size_per_gpu": 1,  # a figure that DeepSpeed only counts samples by
            "managed_gradient_accumulation": False,
            "zero_optimization": self._zero,
        }
        if policy.autocast is not None:  # without safe modules gradients are sent in their own type
            kind = str(policy.autocast).removeprefix("torch.")
            config["torch_autocast"] = {"enabled": True, "dtype": kind, "lower_precision_safe_modules": []}
        adamw = new_adamw(policy.trained_weights, 0.0, 0.0)
        self._engine, *_ = deepspeed.initialize(model=policy.inner, optimizer=adamw, config=config)
        give_up_silence()  # DeepSpeed makes connections of its own
        if self._stage < 3:  # they only measure time, and drawing by a written out step wants a model without hooks
            self._engine.module_forward_pre_hook.remove()
            self._engine.module_forward_post_hook.remove()
        self._policy = policy

    def whole(self, policy: Policy) -> Callable[..., Any]:
        """See the protocol."""
        engine: Callable[..., Any] = self._engine
        return engine

    def gather(self, policy: Policy) -> dict[str, torch.Tensor]:
        """See the protocol."""
        from deepspeed.utils import safe_get_full_fp32_param

        return _kept({name: (safe_get_full_fp32_param, weight) for name, weight in policy.trained_weights.items()})

    def put(self, policy: Policy, values: Tensors | None) -> None:
        """See the protocol."""
        from deepspeed.runtime.zero import GatheredParameters

        for name, weight in policy.trained_weights.items():
            value = _sent(None if values is None else values[name], weight)
            with torch.no_grad(), GatheredParameters([weight], modifier_rank=0):
                weight.copy_(value)
        self._engine.optimizer.refresh_fp32_params()

    def put_together(self, policy: Policy) -> None:
        """See the protocol."""
        if self._stage < 3:  # where every process holds all weights anyway
            return
        from deepspeed.runtime.zero import GatheredParameters

        layers = self._engine.optimizer.parameter_offload
        layers.destroy()  # the hooks, by which processes gather layers with one another
        layers.forward_hooks.clear()
        layers.backward_hooks.clear()
        self._together = GatheredParameters([*policy.model.parameters()])
        self._together.__enter__()

    def take_apart(self, policy: Policy) -> None:
        """See the protocol."""
        if self._stage < 3:
            return
        self._together.__exit__(None, None, None)
        self._together = None
        self._engine.optimizer.parameter_offload.setup_zero_stage3_hooks()

    def optimiser(self, policy: Policy, learning_rate: float, weight_decay: float) -> Optimiser:
        """See the protocol."""
        return _ZeroOptimiser(self._engine, policy.trained_weights, learning_rate, weight_decay)


class _ZeroOptimiser:
    """AdamW in DeepSpeed's hands; what an engine's AdamW has kept before is cleared."""

    def __init__(self, engine: Any, weights: Weights, learning_rate: float, weight_decay: float) -> None:
        self._engine = engine
        self._weights = weights
        alike = {name: torch.nn.Parameter(torch.empty(0)) for name in weights}
        self._groups = new_adamw(alike, learning_rate, weight_decay).state_dict()["param_groups"]
        self._flat = _flat_parts(engine.optimizer)
        for group in engine.optimizer.param_groups:
            group["weight_decay"] = weight_decay
        for part in self._flat:
            state = self._adamw.state[part]
            if not state:  # in the form in which AdamW begins, so that it can be set before the first step
                state["step"] = torch.zeros((), device=part.device)
                state.update({name: torch.zeros_like(part, requires_grad=False) for name in MOMENTS})
            for value in state.values():
                value.zero_()
        if not _is_apart(weights):  # which DeepSpeed does after a first step
            engine.optimizer._lazy_init_hp_params_optimizer_state()

    @property
    def _adamw(self) -> Any:
        return self._engine.optimizer.optimizer

    def backward(self, loss: torch.Tensor) -> None:
        """See the protocol."""
        self._engine.backward(loss * dist.get_world_size())

    def move(self, rate: float, max_grad_norm: float) -> None:
        """See the protocol.

        Raises:
            EnvironmentFault: at the leader, the gradient is no number.
        """
        for group in (*self._engine.optimizer.param_groups, *self._groups):
            group["lr"] = rate
        self._engine.optimizer.clip_grad = max_grad_norm
        self._engine.step()
        if not self._engine.was_step_applied() and dist.get_rank() == 0:
            raise EnvironmentFault(
                "a gradient is infinite or no number, and DeepSpeed leaves such a step out: lower --learning-rate"
            )

    def hold(self) -> dict[str, Any]:
        """See the protocol."""
        from deepspeed.utils import safe_get_full_optimizer_state as full

        step = self._adamw.state[self._flat[0]]["step"]
        state = {}
        for index, weight in enumerate(self._weights.values()):
            moments = _kept({name: (full, weight, name) for name in MOMENTS})
            state[index] = {"step": step.to("cpu", copy=True), **moments}
        return {"state": state, "param_groups": self._groups}

    def restore(self, saved: Mapping[str, Any] | None) -> None:
        """See the protocol."""
        from deepspeed.utils import safe_set_full_optimizer_state, safe_set_local_optimizer_state

        steps: list[Any] = [None]
        if saved is not None:
            steps = [{index: float(each["step"]) for index, each in saved["state"].items()}]
        dist.broadcast_object_list(steps, src=0)
        for part in self._flat:
            self._adamw.state[part]["step"].fill_(max(steps[0].values(), default=0))
        for index, weight in enumerate(self._weights.values()):
            for name in MOMENTS if index in steps[0] else ():
                value = _sent(None if saved is None else saved["state"][index][name], weight)
                if _is_apart(self._weights):
                    safe_set_local_optimizer_state(weight, _own_part(value, weight), name)
                else:
                    safe_set_full_optimizer_state(weight, value, name)


def _flat_parts(optimiser: Any) -> list[torch.Tensor]:
    """This process's parts of the weights, as the engine's AdamW sees them: one behind the other in long rows."""
    from deepspeed.runtime.zero.stage3 import DeepSpeedZeroOptimizer_Stage3

    if isinstance(optimiser, DeepSpeedZeroOptimizer_Stage3):
        return list(optimiser.fp32_partitioned_groups_flat)
    return list(optimiser.single_partition_of_fp32_groups)


def _is_apart(weights: Mapping[str, Any]) -> bool:
    """Whether weights themselves lie in parts."""
    return all(hasattr(weight, "ds_tensor") for weight in weights.values())


def _own_part(value: torch.Tensor, weight: Any) -> torch.Tensor:
    """This process's part of a value, cut as a weight is: into equal parts of which the last ends with zeros."""
    size = weight.ds_tensor.numel()
    start = dist.get_rank() * size
    part = value.flatten()[start : start + size]
    return torch.nn.functional.pad(part, (0, size - part.numel()))


def _kept(asked: Mapping[str, tuple[Any, ...]]) -> dict[str, torch.Tensor]:
    """What calls give in all processes, as the first one keeps it: on the CPU, in memory of its own."""
    kept = {}
    for name, (get, *arguments) in asked.items():
        value = get(*arguments)
        if dist.get_rank() == 0:
            kept[name] = value.to("cpu", copy=True)
    return kept


def _sent(value: torch.Tensor | None, like: Any) -> torch.Tensor:
    """A tensor that the first process has, of the whole shape of a weight."""
    shape = getattr(like, "ds_shape", like.shape)
    whole = torch.empty(shape, dtype=like.dtype, device=like.device)
    if value is not None:
        whole.copy_(value)
    dist.broadcast(whole, src=0)
    return whole
