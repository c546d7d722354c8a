"""Whether the processes of a team hold the same model: on other machines its files may be others."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

import torch

from halo_forge.models.load import Policy
from halo_forge.training.orders import Likeness
from halo_forge.training.reference import Reference
from halo_forge.training.state import sample_weights


def likeness(policy: Policy, reference: Reference | None = None) -> Likeness:
    """What must be alike of a model that lies whole in this process, besides the weights that are sent."""
    trained = policy.trained_weights
    fixed = {name: weight for name, weight in policy.model.named_parameters() if name not in trained}
    shapes = {name: tuple(weight.shape) for name, weight in trained.items()}
    return Likeness(shapes, _digest(fixed), _digest(reference.weights) if reference else "")


def _digest(weights: Mapping[str, torch.Tensor]) -> str:
    return sha256(sample_weights(weights).numpy().tobytes()).hexdigest() if weights else ""
