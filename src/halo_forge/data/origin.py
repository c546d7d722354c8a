"""Where the rows of a dataset lie: files of a repository on the Hub, read over HTTP as needed, or local ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path
from typing import IO

from halo_forge.core.errors import DataError
from halo_forge.data.catalog import Dataset, Part
from halo_forge.data.tables import table_format


@dataclass(frozen=True)
class SourceFile:
    """A file of rows.

    Args:
        name: its path in the repository, or on this machine.
        size: bytes.
        mark: a hash of its content, or what stands for one.
        opened: opens it for reading; the reader can seek.
    """

    name: str
    size: int
    mark: str
    opened: Callable[[], IO[bytes]]


@dataclass(frozen=True)
class Origin:
    """The files of a split.

    Args:
        source: the repository or folder, for texts.
        revision: the commit, or a hash of the local files.
    """

    source: str
    revision: str
    files: tuple[SourceFile, ...]

    @property
    def named(self) -> str:
        """The source and its revision, for texts."""
        return f"{self.source} at {self.revision[:12]}"

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    def columns(self) -> tuple[str, ...] | None:
        """Return the columns of the first file, where its format declares them."""
        from halo_forge.data.tables import header

        first = self.files[0]
        if table_format(first.name) != "parquet":
            return None
        with closing(first.opened()) as file:
            return header(file, first.name)


def open_origin(dataset: Dataset, split: str, part: Part, revision: str | None, root: Path | None) -> Origin:
    """Find the files of a split.

    Args:
        revision: the commit or branch; None for the dataset's own.
        root: the folder of a local dataset.

    Raises:
        DataError: they cannot be found or reached; the text says what to do.
    """
    if dataset.hub_id is None:
        return _local(dataset, split, part, root)
    from halo_forge.data.hub_files import list_repository, open_remote

    repository = list_repository(dataset, revision or dataset.revision)
    matched = _matching(part.files, [file.path for file in repository.files])
    if not matched:
        raise DataError(_no_files(dataset, split, part, [file.path for file in repository.files], repository.commit))
    by_path = {file.path: file for file in repository.files}

    def opener(path: str) -> Callable[[], IO[bytes]]:
        return lambda: open_remote(dataset, repository.commit, by_path[path])

    files = tuple(SourceFile(path, by_path[path].size, by_path[path].mark, opener(path)) for path in matched)
    return Origin(str(dataset.hub_id), repository.commit, files)


def _local(dataset: Dataset, split: str, part: Part, root: Path | None) -> Origin:
    folder = root or Path()
    if dataset.media_root and root is None:
        raise DataError(f"dataset '{dataset.name}' needs --media-root: {dataset.note}")
    paths = sorted({path for pattern in part.files for path in _local_matches(folder, pattern)})
    if not paths:
        raise DataError(
            f"no file {' or '.join(part.files)} in {folder.resolve()} for split '{split}' of '{dataset.name}'"
        )
    files = tuple(SourceFile(str(path), path.stat().st_size, _mark(path), _opener(path)) for path in paths)
    digest = sha256("\n".join(f"{file.name} {file.mark}" for file in files).encode()).hexdigest()
    return Origin(str(folder if len(paths) > 1 else paths[0]), digest, files)


def _local_matches(folder: Path, pattern: str) -> list[Path]:
    if Path(pattern).is_absolute():
        folder, pattern = Path(Path(pattern).anchor), str(Path(pattern).relative_to(Path(pattern).anchor))
    return [path for path in folder.glob(pattern) if path.is_file()]


def _mark(path: Path) -> str:
    """Size and time of the last change: hashing many gigabytes would take longer than reading them once."""
    found = path.stat()
    return f"{found.st_size}-{found.st_mtime_ns}"


def _opener(path: Path) -> Callable[[], IO[bytes]]:
    return lambda: path.open("rb")


def _matching(patterns: Sequence[str], paths: Sequence[str]) -> list[str]:
    """Return the paths that fit the first pattern that fits any; `*` stays within a folder, `**/` is any depth."""
    for pattern in patterns:
        found = [path for path in paths if _fits(path, pattern)]
        if found:
            return sorted(found)
    return []


def _fits(path: str, pattern: str) -> bool:
    if pattern.startswith("**/"):
        return fnmatchcase(path.rpartition("/")[2], pattern.removeprefix("**/"))
    return path.count("/") == pattern.count("/") and fnmatchcase(path, pattern)


def _no_files(dataset: Dataset, split: str, part: Part, paths: Sequence[str], commit: str) -> str:
    tables = [path for path in paths if table_format(path)]
    script = f"{str(dataset.hub_id).rpartition('/')[2]}.py"
    where = f"{dataset.hub_id} at {commit[:12]}"
    if not tables and script in paths:
        return (
            f"{where} is made by a loading script ({script}), which is not run: take the Hub's own conversion with "
            "--revision refs/convert/parquet, or download the rows yourself"
        )
    listed = ", ".join(tables[:6]) or "none"
    return (
        f"{where} has no file {' or '.join(part.files)} for split '{split}'; its tables are now {listed}"
        f"{', …' if len(tables) > 6 else ''}: give an older --revision, or describe it in a YAML file of your own"
    )
