"""Writing a checkpoint folder whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch

from halo_forge.core.folders import sync_folder
from halo_forge.core.types import Checkpoint
from halo_forge.models.load import Policy


def save_checkpoint(
    policy: Policy, folder: Path, checkpoint: Checkpoint, weights: Mapping[str, torch.Tensor] | None = None
) -> None:
    """Write weights, tokenizer and, last, `checkpoint.json`; the folder appears under its name only when whole.

    Args:
        weights: the trained ones, where this process's model does not hold them whole.
    """
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    if policy.is_adapter:
        base = str(Path(policy.base).resolve()) if Path(policy.base).is_dir() else policy.base
        policy.model.peft_config["default"].base_model_name_or_path = base
    policy.model.save_pretrained(partial, **({} if weights is None else {"state_dict": dict(weights)}))
    policy.chat.save(partial)
    (partial / "checkpoint.json").write_text(checkpoint.model_dump_json(indent=2) + "\n", encoding="utf-8")
    for file in partial.iterdir():
        descriptor = os.open(file, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    sync_folder(folder.parent)
