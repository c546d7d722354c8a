"""Which files each standard header brings in: what precompiling it saves, and when it has to be done again."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from halo_forge.verifiers.cpp.header_store import write_atomically
from halo_forge.verifiers.cpp.include_block import CPP_HEADERS

LIGHT_SHARE = 0.03


class File(NamedTuple):
    """A file as it was when it was looked at."""

    path: str
    size_bytes: int
    changed_ns: int


class Sum(NamedTuple):
    """What is asked of the files of several headers together."""

    size_bytes: int
    digest: str


class HeaderFiles:
    """The files behind the standard headers of one compiler, remembered on disk.

    Args:
        folder: where they are remembered.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, tuple[File, ...]] = {}
        self._sums: dict[frozenset[str], Sum] = {}
        self._implied: dict[frozenset[str], frozenset[str]] = {}

    def unknown(self, names: Iterable[str]) -> list[str]:
        """Return the headers whose files still have to be asked of the compiler."""
        return [name for name in names if name not in self._files and not self._recalled(name)]

    def learn(self, name: str, paths: Iterable[str]) -> None:
        """Note which files a header brings in, itself before those it includes; without any it stays unknown."""
        files = tuple(file for path in paths if (file := _looked_at(path)))
        if not files:
            return
        self._files[name] = files
        self._implied.clear()
        with contextlib.suppress(OSError):
            write_atomically(self._place(name), json.dumps(files).encode())

    def existing(self, names: Iterable[str]) -> frozenset[str]:
        """Return those whose files are known."""
        return frozenset(name for name in names if name in self._files)

    def size_bytes(self, names: Iterable[str]) -> int:
        """Return how much the compiler reads for these headers together."""
        return self._sum(names).size_bytes

    def state(self, names: Iterable[str]) -> str:
        """Return a digest that changes when one of the files behind these headers does."""
        return self._sum(names).digest

    def heavy(self, names: Iterable[str]) -> frozenset[str]:
        """Return the headers that matter: without those that others bring in anyway, or that are quickly read."""
        ordered = sorted(names, key=lambda name: (-self.size_bytes([name]), name))
        least_bytes = LIGHT_SHARE * self.size_bytes(ordered)
        kept: list[str] = []
        for name in ordered:
            if self.size_bytes([*kept, name]) - self.size_bytes(kept) >= least_bytes:
                kept.append(name)
        return frozenset(kept)

    def implied(self, names: Iterable[str]) -> frozenset[str]:
        """Return these headers and the C++ ones that they bring in as a whole.

        Headers of C are left out: they may be read in part, on demand of another header.
        """
        together = frozenset(names)
        if together not in self._implied:
            read = {file.path for name in together for file in self._files[name]}
            brought = {name for name, files in self._files.items() if name in CPP_HEADERS and _own(name, files) in read}
            self._implied[together] = together | brought
        return self._implied[together]

    def _sum(self, names: Iterable[str]) -> Sum:
        together = frozenset(names)
        if together not in self._sums:
            union = sorted({file for name in together for file in self._files[name]})
            digest = hashlib.sha256(repr(union).encode()).hexdigest()
            self._sums[together] = Sum(sum(file.size_bytes for file in union), digest)
        return self._sums[together]

    def _recalled(self, name: str) -> bool:
        """Take what the disk remembers of a header, if no file has changed since."""
        try:
            files = tuple(File(*entry) for entry in json.loads(self._place(name).read_text()))
        except (OSError, ValueError, TypeError):
            return False
        if any(_looked_at(file.path) != file for file in files):
            return False
        self._files[name] = files
        self._implied.clear()
        return True

    def _place(self, name: str) -> Path:
        return self._folder / f"{name.replace('/', '-')}.files.json"


def _looked_at(path: str) -> File | None:
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return File(path, status.st_size, status.st_mtime_ns)


def _own(name: str, files: tuple[File, ...]) -> str | None:
    return next((file.path for file in files if file.path.endswith(f"/{name}")), None)
