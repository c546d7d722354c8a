"""The catalogue: what a dataset is, where its files lie, and how one of its rows becomes ours.

A dataset is one `Dataset` object that an entry point of the group `halo_forge.datasets` names, or a YAML file
(`custom.py`). Nothing here reads a row; `halo_forge.data.prepare` does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Literal

from halo_forge.core.errors import ConfigError, DataError
from halo_forge.core.plugins import DATASETS, find
from halo_forge.core.types import Conversation, Prompt
from halo_forge.data.catalog.gone import advice
from halo_forge.data.jsonl import JsonObject

Domain = Literal["code", "reasoning", "audio", "vlm", "agentic"]
Use = Literal["sft", "rlvr", "benchmark"]
MediaKind = Literal["image", "audio"]
Convert = Callable[[JsonObject, str], Conversation | Prompt | None]


@dataclass(frozen=True)
class Part:
    """A split: which files hold its rows, and which of their rows are its own.

    Args:
        files: patterns of paths in the repository; those of the first pattern that fits any file are taken, so that
            the later ones may stand for an older layout.
        own: tells from a row whether it belongs to the split; None where all of the files' rows do.
        rows: their number where it is known and another than the dataset's own; 0 for none.
    """

    files: tuple[str, ...]
    own: Callable[[JsonObject], bool] | None = None
    rows: int = 0


@dataclass(frozen=True)
class Dataset:
    """A dataset.

    Args:
        name: what the user calls it; the entry point's name.
        domain: where it belongs.
        use: `sft` rows become conversations; `rlvr` and `benchmark` rows become prompts with their ground truth.
        hub_id: the repository, `owner/name`; None where the rows are local.
        config: its configuration as the Hub names it, for the reader; the files say it already. None for the only one.
        split: the split that is taken when none is named.
        splits: name -> where its rows are.
        licence: SPDX-like, as the repository states it.
        rows: their number in the default split when the entry was written, for estimates; 0 where nobody knows.
        gated: whether the Hub asks for an account that has accepted its terms.
        columns: what `convert` reads; checked before the first row.
        convert: (row, id) -> the row as ours, or None where it is of no use. It is pure.
        also: another use -> how a row is converted for that.
        optional: columns that `convert` reads where they are there.
        media: column -> kind, for columns that hold images or audio. Before `convert` sees a row each of them is stored
            and becomes `{"kind", "path", "sha256"}`.
        media_root: whether these columns name files that the repository does not hold: `--media-root` is needed then.
        revision: the commit or branch, where it must not be the newest.
        size_mb: download of the default split, MB; 0 where nobody knows.
        test_split: the split for benchmarks, where it is another.
        every_column: whether `convert` may read any column, so that none can be left out when a file is read.
        note: what a user should know, such as which test sets it must not be trained beside.
    """

    name: str
    domain: Domain
    use: Use
    hub_id: str | None
    config: str | None
    split: str
    licence: str
    rows: int
    gated: bool
    columns: tuple[str, ...]
    convert: Convert
    splits: Mapping[str, Part] = field(default_factory=dict)
    also: Mapping[Use, Convert] = field(default_factory=dict)
    optional: tuple[str, ...] = ()
    media: Mapping[str, MediaKind] = field(default_factory=dict)
    media_root: bool = False
    revision: str | None = None
    size_mb: int = 0
    test_split: str | None = None
    every_column: bool = False
    note: str = ""

    @property
    def source(self) -> str:
        """Where its rows come from, for texts."""
        return self.hub_id or "a local folder"

    @property
    def benchmark_split(self) -> str:
        """The split that benchmarks take."""
        return self.test_split or self.split

    def rows_of(self, split: str) -> int:
        """Return how many rows a split had when the entry was written; 0 where nobody knows."""
        return self.rows if split == self.split else self.splits[split].rows

    def part(self, split: str | None) -> tuple[str, Part]:
        """Return a split with its name; the default one for None.

        Raises:
            DataError: there is none of that name; the text lists those that exist.
        """
        name = split or self.split
        if name not in self.splits:
            raise DataError(f"dataset '{self.name}' has no split '{name}': choose one of {', '.join(self.splits)}")
        return name, self.splits[name]

    def conversion(self, use: Use | None) -> tuple[Use, Convert]:
        """Return how rows are converted for a use; the dataset's own for None.

        Raises:
            DataError: the dataset is not for that.
        """
        if use is None or use == self.use:
            return self.use, self.convert
        if use not in self.also:
            fitting = [d.name for d in all_datasets() if d.domain == self.domain and use in (d.use, *d.also)]
            others = f"; of {self.domain} there are {', '.join(fitting)} for that" if fitting else ""
            raise DataError(
                f"dataset '{self.name}' is for {' and '.join([self.use, *self.also])}, not for {use}{others}"
            )
        return use, self.also[use]


def find_dataset(name: str) -> Dataset:
    """Return a dataset of the catalogue.

    Raises:
        ConfigError: there is none of that name (the text lists those that exist, or says what became of it), or its
            entry point is no `Dataset`.
    """
    known = entry_points(group=DATASETS).names
    if name not in known and (instead := advice(name)):
        raise ConfigError(f"dataset '{name}': {instead}")
    dataset = find(DATASETS, name, what="dataset").load()
    if not isinstance(dataset, Dataset):
        raise ConfigError(f"the entry point of dataset '{name}' is not a Dataset but {dataset!r}")
    return dataset


def all_datasets() -> list[Dataset]:
    """Return the whole catalogue, by domain and name."""
    order: dict[str, int] = {
        domain: place for place, domain in enumerate(("code", "reasoning", "audio", "vlm", "agentic"))
    }
    found = [find_dataset(name) for name in entry_points(group=DATASETS).names]
    return sorted(found, key=lambda dataset: (order[dataset.domain], dataset.name))
