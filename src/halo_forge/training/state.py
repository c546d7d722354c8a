"""The state of a training in progress: written whole or not at all, and used only by the same training."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from halo_forge.core.protocols import TrainingRow

if TYPE_CHECKING:
    from halo_forge.training.step import Stepper

SAMPLED_WEIGHTS = 512
Weights = Mapping[str, torch.Tensor]


@dataclass
class Progress:
    """How far a training is, and what it has added up."""

    step: int = 0
    tokens: int = 0
    learnt_tokens: int = 0
    loss_sum: float = 0.0
    last_loss: float = 0.0
    wall_s: float = 0.0


class Held(NamedTuple):
    """What a training has come to, whole: trained weights by their names, and the optimiser's own state."""

    weights: Weights
    optimiser: dict[str, Any]


class StateFile:
    """A training's state on disk.

    Args:
        folder: holds nothing else; a state of another training in it is removed.
        fingerprint: of everything the training depends on.

    `unreadable` tells that there was a state which is damaged; the training then starts again, to the same end.
    """

    unreadable = False

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self._folder = folder
        self._file = folder / "state.pt"
        self._fingerprint = fingerprint
        self._saved = self._read()

    def _read(self) -> dict[str, Any] | None:
        if not self._file.is_file():
            return None
        try:
            saved: dict[str, Any] = torch.load(self._file, map_location="cpu", weights_only=True)
        except (OSError, EOFError, RuntimeError, UnpicklingError):
            self.unreadable = True
            return None
        if saved["fingerprint"] != self._fingerprint:
            shutil.rmtree(self._folder)
            return None
        return saved

    @property
    def before(self) -> torch.Tensor | None:
        """A sample of the weights as they were when the training began, if there is a state."""
        return None if self._saved is None else self._saved["before"]

    def load(self, stepper: Stepper) -> Progress:
        """Put the saved state in place, if there is one."""
        if self._saved is None:
            return Progress()
        stepper.restore(Held(self._saved["weights"], self._saved["optimiser"]))
        stepper.scaler.load_state_dict(self._saved["scaler"])
        progress = Progress(**self._saved["progress"])
        self._saved = None
        return progress

    def save(self, stepper: Stepper, progress: Progress, before: torch.Tensor) -> None:
        """Write the state beside the old one, then replace that."""
        held = stepper.hold()
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = self._file.with_suffix(".partial")
        content = {
            "fingerprint": self._fingerprint,
            "weights": {name: weight.detach() for name, weight in held.weights.items()},
            "optimiser": held.optimiser,
            "scaler": stepper.scaler.state_dict(),
            "progress": asdict(progress),
            "before": before,
        }
        with partial.open("wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self._file)


def sample_weights(weights: Weights) -> torch.Tensor:
    """Up to 512 evenly spaced elements of each weight, float32 on the CPU: enough to see whether training moved it."""
    parts = []
    for weight in weights.values():
        flat = weight.detach().flatten()
        parts.append(flat[:: max(1, flat.numel() // SAMPLED_WEIGHTS)].float().cpu())
    return torch.cat(parts)


def fingerprint(rows: Sequence[TrainingRow], *settings: object) -> str:
    """Hash of rows and settings, by which a saved state is known again; media count by their content."""
    digest = sha256(repr((len(rows), *settings)).encode())
    for row in rows:
        media = [part.sha256 or part.path for part in row.media]
        digest.update(repr((row._replace(media=()), media) if media else row).encode())
    return digest.hexdigest()
