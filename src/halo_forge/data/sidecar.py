"""`FILE.meta.json`: where the rows of a file came from, what was left out, and what was found about them later."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Literal

from pydantic import Field, JsonValue, ValidationError

from halo_forge.core.errors import DataError
from halo_forge.core.files import write_atomically
from halo_forge.core.types import Record

SUFFIX = ".meta.json"
READ_BYTES = 1 << 20


class Counts(Record):
    """Rows of a source.

    Args:
        read: rows looked at.
        kept: rows in the file.
        dropped: reason -> rows left out.
        mended: reason -> rows kept whose texts were mended.
        noted: reason -> rows kept with something that deserves a word and does no harm.
    """

    read: int = 0
    kept: int = 0
    dropped: dict[str, int] = {}
    mended: dict[str, int] = {}
    noted: dict[str, int] = {}


class Sidecar(Record):
    """What is known about a file of rows.

    Args:
        made_by: the command, such as `data prepare`.
        source: the repository or file the rows come from.
        dataset: its name in the catalogue, if it has one.
        config: the repository's configuration.
        revision: the commit of the repository, or the hash of a local source.
        split: the split the rows are of.
        use: what the rows are for.
        licence: of the source, as it states it.
        sha256: hash of the file's bytes, 64 hexadecimal digits.
        settings: what the command was called with, as far as it decides which rows there are.
        fingerprint: hash of everything that decides the content, so that the same command finds its own file again.
        media: files in `FILE.media`.
        generation: what rows that a model wrote took: backend, model, tokens, costs, verifier.
        contamination: one entry for each check against a benchmark, written by who checked.
    """

    v: Literal[1] = 1
    made_by: str
    source: str
    dataset: str | None = None
    config: str | None = None
    revision: str | None = None
    split: str | None = None
    use: str | None = None
    licence: str | None = None
    counts: Counts = Counts()
    sha256: str = ""
    settings: dict[str, JsonValue] = Field(default_factory=dict)
    fingerprint: str = ""
    media: int = 0
    generation: dict[str, JsonValue] = Field(default_factory=dict)
    contamination: tuple[dict[str, JsonValue], ...] = ()


def sidecar_path(path: Path) -> Path:
    """Where the sidecar of a file lies."""
    return path.with_name(path.name + SUFFIX)


def write_sidecar(path: Path, sidecar: Sidecar) -> None:
    """Write the sidecar of the file `path`, whole or not at all."""
    write_atomically(sidecar_path(path), sidecar.model_dump_json(indent=2) + "\n")


def read_sidecar(path: Path) -> Sidecar | None:
    """Return what is known about a file; None where nothing is.

    Raises:
        DataError: the sidecar cannot be read.
    """
    there = sidecar_path(path)
    try:
        return Sidecar.model_validate_json(there.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error.strerror
        raise DataError(
            f"{there} is no sidecar of this version: {reason}; remove it, or make the file again"
        ) from error


def hash_content(path: Path) -> str:
    """Return the sha256 of a file's bytes."""
    digest = sha256()
    with path.open("rb") as file:
        while block := file.read(READ_BYTES):
            digest.update(block)
    return digest.hexdigest()
