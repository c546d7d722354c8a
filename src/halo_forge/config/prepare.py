"""Settings of making a file of rows from a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import JsonValue, model_validator

from halo_forge.config.options import CommandConfig, option
from halo_forge.config.shared import DATA, RUN


class PrepareConfig(CommandConfig):
    """Make a file of rows from a dataset of the catalogue, or from your own that a YAML file describes.

    Rows are streamed: memory stays small, and only the files of the split are read. The same command goes on after an
    interruption. FILE.meta.json says where the rows came from and what was left out; images and audio go to FILE.media.
    """

    dataset: str = option(
        ..., "A dataset of the catalogue (--list shows them), or your own: a table, or a YAML file.", section=DATA
    )
    output: Path = option(..., "JSONL file to write.", section=RUN)
    split: str | None = option(None, "Split to take; by default the dataset's own.", section=DATA)
    use: Literal["sft", "rlvr", "benchmark"] | None = option(
        None, "What the rows are for, where a dataset is for several uses.", section=DATA
    )
    max_samples: int | None = option(
        None, "Rows at most: the first ones, or with --seed a draw from the whole split.", section=DATA, ge=1
    )
    seed: int | None = option(
        None, "Draws --max-samples rows from the whole split, which is then read.", section=DATA, ge=0
    )
    template: Literal["messages", "chatml", "qwen"] = option(
        "messages",
        "How conversations are written: as messages, or as one text in ChatML (qwen means the same).",
        section=DATA,
    )
    system_prompt: str | None = option(None, "System turn put before every row that has none.", section=DATA)
    filters: dict[str, JsonValue] = option(
        {},
        "Keep rows whose column has this value, as column=value; a list means any of them, and <, <=, >, >= or != may "
        "stand before the value. May be repeated.",
        section=DATA,
    )
    revision: str | None = option(None, "Commit, branch or tag of the repository; by default the newest.", section=DATA)
    media_root: Path | None = option(
        None, "Folder with the images or audio that rows name, where the dataset does not hold them.", section=DATA
    )

    media_urls: bool = option(
        False,
        "Fetch images or audio that rows name by http addresses; without it such rows are left out.",
        section=DATA,
    )

    @model_validator(mode="after")
    def _draw_of_something(self) -> PrepareConfig:
        if self.seed is not None and self.max_samples is None:
            raise ValueError("--seed draws --max-samples rows: give that as well")
        return self
