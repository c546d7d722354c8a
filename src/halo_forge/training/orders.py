"""What the first process of a team asks the others for."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from halo_forge.core.protocols import TrainingRow
from halo_forge.training.settings import LossSettings


class Order(StrEnum):
    """What a helper is asked for in a word; all but the first two only where the model lies in parts."""

    ANSWER = "answer"
    LEAVE = "leave"
    PUT_TOGETHER = "hold every layer whole"
    TAKE_APART = "no longer"
    GATHER = "gather the weights"
    PUT = "set the weights"
    HOLD = "gather the optimiser's state"
    RESTORE = "set the optimiser's state"


class Likeness(NamedTuple):
    """By what it is found out that two processes hold different models.

    Args:
        shapes: of the weights that are trained.
        fixed: digest of a sample of the others; empty if there are none.
        start: digest of a sample of the start model's; empty where the loss does not refer to it.
    """

    shapes: dict[str, tuple[int, ...]]
    fixed: str
    start: str


class Cut(NamedTuple):
    """The model is to be cut; its trained weights follow."""

    model: Likeness


class Begin(NamedTuple):
    """A round of training of a model in parts begins."""

    learning_rate: float
    weight_decay: float
    loss: LossSettings


class Move(NamedTuple):
    """The optimiser is to use the gradients."""

    rate: float
    max_grad_norm: float


class Batch(NamedTuple):
    """Rows whose gradient is asked for.

    Args:
        rows: of the whole batch.
        size: rows in memory at once.
        learnt: learnt tokens of the whole batch.
        scale: of the loss.
        model: whose weights follow; None if it was compared when it was cut.
    """

    rows: Sequence[TrainingRow]
    size: int
    seed: int
    learnt: int
    scale: float
    loss: LossSettings
    packed: bool
    model: Likeness | None


Asked = Order | Cut | Begin | Batch | Move


class Failed(NamedTuple):
    """What a helper could not do, in words, and the name of its error."""

    error: str
    text: str
