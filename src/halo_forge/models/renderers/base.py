"""What a model that hears or sees needs beside tokens: the protocol of its renderer.

A renderer stands where `ChatFormat` stands for a model of text, and the loops tell the two apart nowhere but here:
`prompt_ids`, `completion_row`, `conversation_row` and `decode` mean the same. Rows carry their media as `MediaPart`s,
which is a path and a hash; `tensors` reads them when a batch is built, so rows, rollouts and memory stay small however
large the media are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from halo_forge.core.errors import DataError
from halo_forge.core.protocols import TrainingRow
from halo_forge.core.types import MediaPart, Message, media_of
from halo_forge.models.tool_format import Tools

if TYPE_CHECKING:
    import torch


class Misfit(DataError):
    """A row that this model cannot learn from; the text is the reason, in words that fit behind a count."""


class Fit(NamedTuple):
    """How some media suit a model.

    Args:
        reason: why not, in words that fit behind a count; "" if they do.
        usable: whether they can be used at all: what is cut to the model's window can be measured, but not learnt from.
    """

    reason: str = ""
    usable: bool = True


class MediaFormat(ABC):
    """The renderer of a model that hears or sees.

    Args:
        stop_ids: tokens that end an answer.
        pad_id: the token that fills up rows.
    """

    def __init__(self, stop_ids: frozenset[int], pad_id: int) -> None:
        self.stop_ids = stop_ids
        self.pad_id = pad_id

    @abstractmethod
    def fit(self, media: Sequence[MediaPart]) -> Fit:
        """See whether the media of a prompt can be used; must not decode more than it needs to."""

    @abstractmethod
    def prompt_ids(self, messages: Sequence[Message], tools: Tools = ()) -> list[int]:
        """Ids of a conversation up to where the assistant answers, with a token in each place that an image takes.

        Raises:
            DataError: the messages have not the form that the model takes.
        """

    @abstractmethod
    def conversation_row(self, messages: Sequence[Message], tools: Tools = ()) -> TrainingRow:
        """A row that learns what the assistant says, with the token that ends it, and nothing else.

        Raises:
            Misfit: the model cannot learn from it.
            DataError: as for `prompt_ids`.
        """

    @abstractmethod
    def decode(self, token_ids: Sequence[int]) -> str:
        """Text of an answer, without the token that ended it."""

    @abstractmethod
    def tensors(self, media: Sequence[Sequence[MediaPart]], ids: torch.Tensor) -> dict[str, torch.Tensor]:
        """What the model takes beside ids, by the names of its arguments.

        It must depend on the media and the ids alone, and for each row on that row's alone.

        Args:
            media: of each row.
            ids: (R, T) int64, the rows with their padding.

        Raises:
            DataError: an image or piece of audio cannot be read.
        """

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write what `AutoProcessor` and this project need to render for the model in `folder`."""

    def completion_row(self, messages: Sequence[Message], token_ids: Sequence[int], tools: Tools = ()) -> TrainingRow:
        """A row that learns exactly the sampled tokens after a prompt.

        Raises:
            Misfit: the model cannot learn from them.
        """
        prompt = self.prompt_ids(messages, tools)
        learn = (False,) * len(prompt) + (True,) * len(token_ids)
        return TrainingRow((*prompt, *token_ids), learn, media=media_of(messages))
