"""Datasets of the catalogue, fetched from the Hugging Face Hub or the mirror in HF_ENDPOINT, and cached."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from halo_forge.core.errors import DataError
from halo_forge.core.types import Conversation, Prompt
from halo_forge.data.catalog import Dataset, find_dataset
from halo_forge.data.conversations import Loaded, select_conversations

CACHED = "a cached copy stands in, since the Hub did not give the dataset"
ELSEWHERE = "give the rows as --data FILE instead"


class _Fetched(NamedTuple):
    """A split.

    Args:
        rows: a `datasets.Dataset`, memory-mapped.
        revision: the commit it is of.
        cached: whether it comes from the cache because the Hub could not be asked.
    """

    rows: Any
    revision: str
    cached: bool


def load_catalogue_conversations(name: str, max_samples: int | None = None, seed: int = 0) -> Loaded:
    """Fetch a supervised dataset of the catalogue.

    Without a connection the newest copy in the cache stands in, which is noted; `revision` says which commit it is of.

    Args:
        name: such as `codealpaca`.
        max_samples: take at most so many, drawn by the seed from the usable rows and kept in order.

    Raises:
        ConfigError: no dataset of that name is known.
        DataError: it is not for supervised training, cannot be fetched, or lacks a column it used to have.
    """
    dataset = find_dataset(name)
    if dataset.use != "sft":
        raise DataError(f"dataset '{name}' is for {dataset.use}, not for supervised training")
    fetched = _fetch_whole(dataset)
    loaded = select_conversations(_conversations(dataset, fetched), dataset.source, max_samples, seed)
    noted = {**loaded.noted, CACHED: len(loaded.conversations)} if fetched.cached else loaded.noted
    return loaded._replace(noted=noted, revision=fetched.revision)


def load_catalogue_prompts(name: str) -> list[Prompt]:
    """Fetch the split for benchmarks of a dataset whose rows are tasks; without a connection the cache stands in.

    Raises:
        ConfigError: no dataset of that name is known.
        DataError: its rows are not tasks, it cannot be fetched, or lacks a column it used to have.
    """
    dataset = find_dataset(name)
    if dataset.use == "sft":
        raise DataError(f"dataset '{name}' is for sft, and its rows are no tasks with a ground truth")
    fetched = _fetch_whole(replace(dataset, split=dataset.benchmark_split))
    prompts = []
    for index, values in enumerate(fetched.rows):
        try:
            item = dataset.convert(values, f"{dataset.name}-{index}")
        except DataError as error:
            raise DataError(f"{dataset.source} at {fetched.revision}, row {index}: {error}") from error
        if isinstance(item, Prompt):
            prompts.append(item)
    return prompts


def _fetch_whole(dataset: Dataset) -> _Fetched:
    """Fetch a split that has the columns its entry reads."""
    fetched = _fetch(dataset)
    missing = [column for column in dataset.columns if column not in fetched.rows.column_names]
    if missing:
        raise DataError(
            f"{dataset.source} at {fetched.revision} lacks {', '.join(missing)} among its columns, which are now "
            f"{', '.join(fetched.rows.column_names)}; {ELSEWHERE}"
        )
    return fetched


def _conversations(dataset: Dataset, fetched: _Fetched) -> Iterator[Conversation | None]:
    _, part = dataset.part(None)
    for index, values in enumerate(fetched.rows):
        if part.own is not None and not part.own(values):
            continue
        try:
            item = dataset.convert(values, f"{dataset.name}-{index}")
        except DataError as error:
            raise DataError(f"{dataset.source} at {fetched.revision}, row {index}: {error}") from error
        if isinstance(item, Prompt):
            raise DataError(f"dataset '{dataset.name}' says that it is for sft, but its rows become prompts")
        yield item


def _fetch(dataset: Dataset) -> _Fetched:
    """Load a split, and turn what may go wrong on the way into one sentence each."""
    from datasets.exceptions import DatasetsError
    from huggingface_hub import constants
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    # Its alias for the HTTP library that it was built on, which changed its name between versions.
    from huggingface_hub.utils import httpx  # type: ignore[attr-defined]

    page = f"{constants.ENDPOINT}/datasets/{dataset.source}"
    try:
        return _load(dataset)
    except GatedRepoError as error:
        raise DataError(
            f"{dataset.source} is gated: accept its terms at {page}, then set HF_TOKEN to a token of that account"
        ) from error
    except RepositoryNotFoundError as error:
        raise DataError(
            f"there is no dataset at {page}, or it is private: set HF_TOKEN if it is yours, or {ELSEWHERE}"
        ) from error
    except (ConnectionError, httpx.TransportError) as error:
        raise _unreachable(dataset) from error
    except (DatasetsError, httpx.HTTPError, OSError, ValueError) as error:
        raise _unusable(dataset, error) from error


def _load(dataset: Dataset) -> _Fetched:
    from datasets import load_dataset_builder
    from datasets.exceptions import DatasetNotFoundError
    from datasets.packaged_modules.cache.cache import Cache
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    try:
        builder = load_dataset_builder(dataset.source, dataset.config)
    except DatasetNotFoundError:
        # One error for a gated and for a missing repository; the Hub's own library tells them apart.
        get_hf_file_metadata(hf_hub_url(dataset.source, "README.md", repo_type="dataset"))
        raise
    builder.download_and_prepare()
    return _Fetched(builder.as_dataset(split=dataset.split), str(builder.hash), isinstance(builder, Cache))


def _unreachable(dataset: Dataset) -> DataError:
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return DataError(
            f"{dataset.source} is not in the cache and HF_HUB_OFFLINE forbids to fetch it: unset that, or {ELSEWHERE}"
        )
    return DataError(
        f"cannot reach {constants.ENDPOINT} for {dataset.source}: check the connection, set HF_ENDPOINT to a mirror, "
        f"or {ELSEWHERE}"
    )


def _unusable(dataset: Dataset, error: BaseException) -> DataError:
    while error.__cause__ is not None:
        error = error.__cause__
    reason = " ".join(str(error).split())[:300] or type(error).__name__
    return DataError(f"cannot load {dataset.source} (split '{dataset.split}'): {reason}; {ELSEWHERE}")
