"""Conversations as rows of tokens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from halo_forge.core.errors import DataError
from halo_forge.core.protocols import TrainingRow
from halo_forge.core.types import Conversation

if TYPE_CHECKING:
    from halo_forge.models.chat import ChatFormat
    from halo_forge.models.renderers.base import MediaFormat


def render(
    conversations: Sequence[Conversation], chat: ChatFormat | MediaFormat, limit: int
) -> tuple[list[TrainingRow], dict[str, int]]:
    """Turn conversations into rows of tokens.

    Args:
        limit: tokens a row at most.

    Returns:
        The rows that fit, and how many were dropped by reason.

    Raises:
        DataError: a loss mask is empty or full, or no row is left.
    """
    from halo_forge.models.renderers.base import Misfit

    rows: list[TrainingRow] = []
    dropped: Counter[str] = Counter()
    for conversation in conversations:
        try:
            row = chat.conversation_row(conversation.messages, conversation.tools)
        except Misfit as error:
            dropped[str(error)] += 1
            continue
        except DataError as error:
            raise DataError(f"row {conversation.id}: {error}") from error
        if len(row.ids) > limit:
            dropped[f"longer than {limit} tokens"] += 1
        else:
            rows.append(row)
    if not rows:
        raise DataError(f"no row is left to train on{describe_dropped(dropped)}")
    return rows, dict(dropped)


def describe_dropped(dropped: dict[str, int]) -> str:
    """Name what was left out and how often, for the end of a sentence; nothing if nothing was."""
    return "; dropped: " + ", ".join(f"{count} {reason}" for reason, count in dropped.items()) if dropped else ""
