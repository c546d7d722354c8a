"""Files of a dataset repository on the Hub (or the mirror in HF_ENDPOINT): listed, and read in ranges, uncached."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, NamedTuple

from halo_forge.core.errors import DataError
from halo_forge.data.catalog import Dataset
from halo_forge.data.catalog.gone import advice

BUFFER_BYTES = 4 << 20
ELSEWHERE = "or take rows of your own (a file, or a YAML file that describes it)"


class HubError(DataError):
    """The Hub does not give a repository or a file of it; the text says why and what to do."""


class HubUnreachable(HubError):
    """Nobody answers, or nobody may be asked."""


class RemoteFile(NamedTuple):
    """A file of a repository.

    Args:
        size: bytes.
        mark: hash of its content, as the Hub states it.
    """

    path: str
    size: int
    mark: str


class Repository(NamedTuple):
    """A repository at a commit."""

    commit: str
    files: tuple[RemoteFile, ...]


def list_repository(dataset: Dataset, revision: str | None) -> Repository:
    """List the files of a dataset's repository.

    Args:
        revision: commit, branch or tag; None for the newest.

    Raises:
        HubError: it cannot be reached, is gated, missing or has no such revision.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

    assert dataset.hub_id is not None
    with explained(dataset, revision):
        api = HfApi()
        commit = api.dataset_info(dataset.hub_id, revision=revision).sha or "main"
        tree = api.list_repo_tree(dataset.hub_id, repo_type="dataset", revision=commit, recursive=True)
        return Repository(commit, tuple(RemoteFile(e.path, e.size, e.blob_id) for e in tree if isinstance(e, RepoFile)))


def open_remote(dataset: Dataset, commit: str, file: RemoteFile) -> IO[bytes]:
    """Open a file for reading; nothing is fetched before it is read."""
    return io.BufferedReader(_RangeReader(dataset, commit, file), BUFFER_BYTES)


class _RangeReader(io.RawIOBase):
    """A file on the Hub, each read one request for a range of it; the library repeats what fails for a moment."""

    def __init__(self, dataset: Dataset, commit: str, file: RemoteFile) -> None:
        from huggingface_hub import hf_hub_url

        assert dataset.hub_id is not None
        self._dataset = dataset
        self._size = file.size
        self._place = 0
        self._url = hf_hub_url(dataset.hub_id, file.path, repo_type="dataset", revision=commit)

    def readable(self) -> bool:
        """It can be read."""
        return True

    def seekable(self) -> bool:
        """It can be read from anywhere."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        self._place = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence])
        return self._place

    def tell(self) -> int:
        """Return the place."""
        return self._place

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fetch as much as fits into the buffer, or what is left."""
        end = min(self._place + len(buffer), self._size)
        if end <= self._place:
            return 0
        content = self._fetch(self._place, end)
        buffer[: len(content)] = content
        self._place += len(content)
        return len(content)

    def _fetch(self, start: int, end: int) -> bytes:
        from huggingface_hub import constants
        from huggingface_hub.utils._headers import build_hf_headers
        from huggingface_hub.utils._http import hf_raise_for_status, http_backoff

        headers = {**build_hf_headers(), "Range": f"bytes={start}-{end - 1}"}
        with explained(self._dataset):
            answer = http_backoff("GET", self._url, headers=headers, timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT)
            hf_raise_for_status(answer)
        content = answer.content
        if answer.status_code == 200:  # a mirror that does not know ranges sent the whole file
            content = content[start:end]
        if not content:
            raise DataError(f"{self._url} gave nothing for bytes {start} to {end - 1}, though it should; try again")
        return content[: end - start]


@contextmanager
def explained(dataset: Dataset, revision: str | None = None) -> Iterator[None]:
    """Turn what may go wrong with a repository into one sentence each.

    Raises:
        HubError: something did.
    """
    from huggingface_hub import constants
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

    # Its alias for the HTTP library that it was built on, which changed its name between versions.
    from huggingface_hub.utils import httpx  # type: ignore[attr-defined]

    page = f"{constants.ENDPOINT}/datasets/{dataset.hub_id}"
    try:
        yield
    except GatedRepoError as error:
        raise HubError(
            f"{dataset.hub_id} is gated: accept its terms at {page}, then set HF_TOKEN to a token of that account"
        ) from error
    except RevisionNotFoundError as error:
        raise HubError(f"{dataset.hub_id} has no revision '{revision}': {page}/commits/main lists them") from error
    except RepositoryNotFoundError as error:
        gone = advice(str(dataset.hub_id))
        known = gone if gone and "is an id of the Hub" not in gone else None
        raise HubError(
            f"there is no dataset at {page}, or it is private: "
            f"{known or f'it was moved or removed; set HF_TOKEN if it is yours, {ELSEWHERE}'}"
        ) from error
    except (ConnectionError, httpx.TransportError) as error:
        raise HubUnreachable(unreachable(dataset)) from error
    except (HfHubHTTPError, httpx.HTTPError) as error:
        reason = " ".join(str(error).split())[:300]
        raise HubError(f"the Hub did not give {dataset.hub_id}: {reason}; try again, {ELSEWHERE}") from error


def unreachable(dataset: Dataset) -> str:
    """Say that nobody answers, or that nobody may be asked."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return f"HF_HUB_OFFLINE forbids to fetch {dataset.hub_id}: unset that, {ELSEWHERE}"
    return (
        f"cannot reach {constants.ENDPOINT} for {dataset.hub_id}: check the connection, set HF_ENDPOINT to a mirror, "
        f"{ELSEWHERE}"
    )
