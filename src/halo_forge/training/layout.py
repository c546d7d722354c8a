"""Rows of tokens as the tensors of one forward pass, padded or packed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch

from halo_forge.core.protocols import TrainingRow


class Layout(NamedTuple):
    """Some rows, ready for the model.

    Args:
        ids: (R, T) int64, rows padded on the right; packed (1, sum of their lengths), end to end.
        positions: (1, T) int64, 0 where a packed row starts, which tells attention the rows apart; None if padded.
        places: (N,) int64, where in the flattened ids the token before each learnt one stands.
        targets: (N,) int64, the learnt tokens.
        rows: (N,) int64, the row of each.
        tensors: what a model that hears or sees takes beside ids, by the names of its arguments.
    """

    ids: torch.Tensor
    positions: torch.Tensor | None
    places: torch.Tensor
    targets: torch.Tensor
    rows: torch.Tensor
    tensors: Mapping[str, torch.Tensor] = {}

    def to(self, device: torch.device) -> Layout:
        """Move every tensor."""
        return Layout(
            self.ids.to(device),
            None if self.positions is None else self.positions.to(device),
            self.places.to(device),
            self.targets.to(device),
            self.rows.to(device),
            {name: tensor.to(device) for name, tensor in self.tensors.items()},
        )


def lay_out(rows: Sequence[TrainingRow], pad_id: int, *, packed: bool) -> Layout:
    """Lay rows out.

    Padding stands behind every real token, so causal attention never looks at it and no mask is needed.
    """
    lengths = np.array([len(row.ids) for row in rows])
    flat = np.concatenate([np.array(row.ids, dtype=np.int64) for row in rows])
    learn = np.concatenate([np.array(row.learn, dtype=bool) for row in rows])
    starts = np.concatenate([[0], lengths.cumsum()[:-1]])
    learn[starts] = False  # nothing predicts a first token
    row_of = np.repeat(np.arange(len(rows)), lengths)
    within = np.arange(len(flat)) - starts[row_of]
    positions = None
    if packed:
        ids, place = flat[None], np.arange(len(flat))
        positions = torch.from_numpy(within[None])
    else:
        width = int(lengths.max())
        ids = np.full((len(rows), width), pad_id, dtype=np.int64)
        place = row_of * width + within
        ids.reshape(-1)[place] = flat
    return Layout(
        torch.from_numpy(ids),
        positions,
        torch.from_numpy(place[learn] - 1),
        torch.from_numpy(flat[learn]),
        torch.from_numpy(row_of[learn]),
    )
