"""Datasets of the catalogue by name: prepared once into the user's cache, and read from there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from halo_forge.config.prepare import PrepareConfig
from halo_forge.core.errors import DataError
from halo_forge.core.events import Listener
from halo_forge.core.folders import cache_folder
from halo_forge.core.types import Prompt
from halo_forge.data.catalog import Dataset, Use, find_dataset
from halo_forge.data.conversations import Loaded, load_conversations
from halo_forge.data.hub_files import HubUnreachable, list_repository
from halo_forge.data.prepare import prepare
from halo_forge.data.prompts import load_prompts

CACHED = "a cached copy stands in, since the Hub did not give the dataset"
COMMIT_LETTERS = 12


@dataclass(frozen=True)
class Fetched:
    """A prepared split.

    Args:
        path: its file, in the cache.
        revision: the commit it is of.
        cached: whether an older copy stands in because the Hub could not be asked.
        dropped: reason -> rows left out when it was prepared.
    """

    path: Path
    revision: str
    cached: bool
    dropped: dict[str, int]


def fetch(
    dataset: Dataset, *, split: str | None = None, use: Use | None = None, listeners: tuple[Listener, ...] = ()
) -> Fetched:
    """Prepare a split into the cache, unless it is there at the newest commit.

    Without a connection the newest copy in the cache stands in.

    Raises:
        DataError: the dataset cannot be fetched, or needs files that it does not hold.
    """
    name, _ = dataset.part(split)
    purpose, _ = dataset.conversion(use)
    if dataset.media_root:
        raise DataError(
            f"dataset '{dataset.name}' needs files that it does not hold ({dataset.note}): make a file of it with "
            f"'halo-forge data prepare --dataset {dataset.name} --media-root FOLDER --output FILE', and give that"
        )
    stem = f"{dataset.name}-{name}-{purpose}-"
    folder = cache_folder() / "datasets"
    try:
        commit = list_repository(dataset, dataset.revision).commit
    except HubUnreachable:
        copies = sorted(folder.glob(f"{stem}*.jsonl"), key=lambda path: path.stat().st_mtime)
        if not copies:
            raise
        return _described(copies[-1], cached=True)
    path = folder / f"{stem}{commit[:COMMIT_LETTERS]}.jsonl"
    prepare(PrepareConfig(dataset=dataset.name, split=name, use=purpose, revision=commit, output=path), listeners)
    return _described(path, cached=False)


def load_catalogue_conversations(
    name: str, max_samples: int | None = None, seed: int = 0, listeners: tuple[Listener, ...] = ()
) -> Loaded:
    """Fetch a supervised dataset of the catalogue; `revision` says which commit it is of.

    Args:
        name: such as `codealpaca`.
        max_samples: take at most so many, drawn by the seed from the usable rows and kept in order.
        listeners: hear of the progress where it has to be fetched.

    Raises:
        ConfigError: no dataset of that name is known.
        DataError: it is not for supervised training, cannot be fetched, or lacks a column it used to have.
    """
    dataset = find_dataset(name)
    dataset.conversion("sft")  # refused here where it is not for that
    fetched = fetch(dataset, use="sft", listeners=listeners)
    loaded = load_conversations(fetched.path, max_samples=max_samples, seed=seed)
    noted = {**loaded.noted, CACHED: len(loaded.conversations)} if fetched.cached else loaded.noted
    return loaded._replace(noted=noted, dropped={**fetched.dropped, **loaded.dropped}, revision=fetched.revision)


def load_catalogue_prompts(name: str) -> list[Prompt]:
    """Fetch the split for benchmarks of a dataset whose rows are tasks; without a connection the cache stands in.

    Raises:
        ConfigError: no dataset of that name is known.
        DataError: its rows are not tasks, it cannot be fetched, or lacks a column it used to have.
    """
    dataset = find_dataset(name)
    if dataset.use == "sft":
        raise DataError(f"dataset '{name}' is for sft, and its rows are no tasks with a ground truth")
    return load_prompts(fetch(dataset, split=dataset.benchmark_split).path)


def _described(path: Path, *, cached: bool) -> Fetched:
    from halo_forge.data.sidecar import read_sidecar

    sidecar = read_sidecar(path)
    assert sidecar is not None, path
    return Fetched(path, sidecar.revision or "", cached, sidecar.counts.dropped)
