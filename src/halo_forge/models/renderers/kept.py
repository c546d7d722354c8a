"""What was made of media lately, so that a file which comes again is not decoded again; bounded in bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import torch

from halo_forge.core.types import MediaPart

MOST_BYTES = 256 << 20


class KeptTensors:
    """Tensors by what they were made of; the one not asked for longest goes first.

    Args:
        most_bytes: of all tensors together.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._held = 0
        self._kept: OrderedDict[str, torch.Tensor] = OrderedDict()

    def get(self, part: MediaPart, make: Callable[[MediaPart], torch.Tensor]) -> torch.Tensor:
        """Return what `make` makes of an image or a piece of audio; it must not be changed."""
        if not part.sha256:  # the file may be another the next time
            return make(part)
        found = self._kept.get(part.sha256)
        if found is not None:
            self._kept.move_to_end(part.sha256)
            return found
        made = self._kept[part.sha256] = make(part)
        self._held += made.nbytes
        while self._held > self._most:
            self._held -= self._kept.popitem(last=False)[1].nbytes
        return made
