"""The catalogue: what a dataset of the Hub is, and how one of its rows becomes ours.

A dataset is one `Dataset` object that an entry point of the group `halo_forge.datasets` names. This package loads
nothing; `halo_forge.data.hub` does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from halo_forge.core.errors import ConfigError
from halo_forge.core.plugins import DATASETS, find
from halo_forge.core.types import Conversation, Prompt
from halo_forge.data.jsonl import JsonObject

Domain = Literal["code", "reasoning", "audio", "vlm", "agentic"]
Use = Literal["sft", "rlvr", "benchmark"]


@dataclass(frozen=True)
class Dataset:
    """A dataset of the Hub.

    Args:
        name: what the user calls it; the entry point's name.
        domain: where it belongs.
        use: `sft` rows become conversations; `rlvr` and `benchmark` rows become prompts with their ground truth.
        hub_id: the repository, `owner/name`.
        config: its configuration; None for the only one.
        split: its split.
        licence: SPDX-like, as the repository states it.
        rows: their number when the entry was written, for estimates.
        gated: whether the Hub asks for an account that has accepted its terms.
        columns: what `convert` reads; checked before the first row.
        convert: (row, id) -> the row as ours, or None where it is of no use. It is pure.
    """

    name: str
    domain: Domain
    use: Use
    hub_id: str
    config: str | None
    split: str
    licence: str
    rows: int
    gated: bool
    columns: tuple[str, ...]
    convert: Callable[[JsonObject, str], Conversation | Prompt | None]


def find_dataset(name: str) -> Dataset:
    """Return a dataset of the catalogue.

    Raises:
        ConfigError: there is none of that name (the text lists those that exist), or its entry point is no `Dataset`.
    """
    dataset = find(DATASETS, name, what="dataset").load()
    if not isinstance(dataset, Dataset):
        raise ConfigError(f"the entry point of dataset '{name}' is not a Dataset but {dataset!r}")
    return dataset
