"""The prompts that a run's settings ask for: of a file, or of a dataset of the catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from halo_forge.config.shared import PromptOptions
from halo_forge.core.errors import DataError
from halo_forge.core.types import Prompt
from halo_forge.data.catalog import find_dataset
from halo_forge.data.hub import fetch
from halo_forge.data.prompts import load_prompts


def load_asked(
    options: PromptOptions, use: Literal["rlvr", "benchmark"], seed: int, system_prompt: str | None = None
) -> list[Prompt]:
    """Load prompts; of a dataset of the catalogue, the split for that use.

    Args:
        seed: by which `max_prompts` are drawn.
        system_prompt: put before every prompt that has no system turn.

    Raises:
        ConfigError: no dataset of that name is known.
        DataError: the prompts cannot be had or used.
    """
    if options.prompts_file is not None:
        return load_prompts(
            options.prompts_file, max_prompts=options.max_prompts, seed=seed, system_prompt=system_prompt
        )
    assert options.dataset is not None
    path = _prepared(options.dataset, use)
    return load_prompts(path, max_prompts=options.max_prompts, seed=seed, system_prompt=system_prompt)


def _prepared(name: str, use: Literal["rlvr", "benchmark"]) -> Path:
    """Make a file of the dataset's prompts in the cache, or find the one made before, of the same commit.

    Raises:
        DataError: the dataset is not for that use; or see `fetch`.
    """
    dataset = find_dataset(name)
    if use == "rlvr" and dataset.use == "benchmark":
        raise DataError(f"dataset '{name}' is for benchmarks: to train on it would make its scores worthless")
    # A set to train on is measured on by its split for benchmarks; its rows are made in the same way.
    made_as, _ = dataset.conversion("rlvr" if dataset.use != "benchmark" else "benchmark")
    split = dataset.split if use == "rlvr" else dataset.benchmark_split
    return fetch(dataset, split=split, use=made_as).path
