"""Precompiled headers on disk, shared by runs: complete or absent, bounded in size, the least recently used go first.

    <root>/<toolchain>/<key>/block.h       the include lines
    <root>/<toolchain>/<key>/block.h.gch   what the compiler made of them
    <root>/<toolchain>/<key>/made.json     written last: the headers' names and the size of the latter

Only text made from checked names goes in, and what the compiler made of it; a folder that others may write to is
refused.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import stat
import tempfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from halo_forge.core.errors import EnvironmentFault

CHUNK_BYTES = 1 << 16
ABANDONED_S = 3600.0
MADE = "made.json"
TEMPORARY = "tmp-"


class Header(NamedTuple):
    """A precompiled header.

    Args:
        key: names its folder.
        names: the standard headers in it.
    """

    key: str
    names: frozenset[str]


class HeaderStore:
    """The precompiled headers of one compiler with one set of options.

    Args:
        root: folder of all headers.
        toolchain: names the folder of this compiler and these options.
        suffix: what the name of a precompiled header ends with.
        limit_bytes: what all headers under the root may take.

    Raises:
        EnvironmentFault: the folder cannot be written, or can be written by others.
    """

    def __init__(self, root: Path, toolchain: str, suffix: str, limit_bytes: int) -> None:
        self.root = root
        self.folder = root / toolchain
        self._suffix = suffix
        self._limit_bytes = limit_bytes
        try:
            root.parent.mkdir(parents=True, exist_ok=True)
            for folder in (root, self.folder):
                _make_own(folder)
        except OSError as error:
            raise EnvironmentFault(f"precompiled headers cannot be kept: {error}") from error

    def headers(self) -> dict[str, Header]:
        """Return the complete headers by their keys; none where somebody removed the folder."""
        try:
            folders = [entry.name for entry in os.scandir(self.folder) if entry.is_dir()]
        except OSError:
            return {}
        found = (self._read(self.folder / name) for name in folders)
        return {header.key: header for header in found if header}

    def path(self, key: str) -> Path:
        """Return where the include lines of a header are."""
        return self.folder / key / "block.h"

    def lay_out(self, key: str, text: str) -> None:
        """Write the include lines of a header that is about to be made.

        Raises:
            OSError: the disk is full or not writable.
        """
        path = self.path(key)
        _make_own(path.parent)
        write_atomically(path, text.encode())

    def add(self, header: Header, packed: bytes) -> None:
        """Store what the compiler made, and make room for it.

        Args:
            header: what it is.
            packed: the precompiled header, as `gzip` packs it.

        Raises:
            OSError: the disk is full or not writable.
            zlib.error: the bytes are not complete.
        """
        path = self.path(header.key)
        with _temporary(path.parent) as temporary:
            unpacked_bytes = _unpack(packed, temporary)
            temporary.rename(path.with_name(path.name + self._suffix))
        made = {"names": sorted(header.names), "bytes": unpacked_bytes}
        write_atomically(path.parent / MADE, json.dumps(made).encode())
        self._make_room(header.key)

    def remove(self, key: str) -> None:
        """Remove a header."""
        shutil.rmtree(self.folder / key, ignore_errors=True)

    def touch(self, key: str) -> None:
        """Note that a header is in use."""
        with contextlib.suppress(OSError):
            os.utime(self.folder / key / MADE)

    @contextlib.contextmanager
    def claim(self, name: str) -> Iterator[bool]:
        """Yield whether nobody else, in this or in another process, is at work on that name; nobody will be meanwhile.

        Raises:
            OSError: the lock cannot be written.
        """
        with (self.folder / f"{name}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True

    def _read(self, folder: Path) -> Header | None:
        try:
            made = json.loads((folder / MADE).read_text())
            size = (folder / f"block.h{self._suffix}").stat().st_size
            return Header(folder.name, frozenset(made["names"])) if size == made["bytes"] > 0 else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _make_room(self, keep: str) -> None:
        """Remove the least recently used headers of all toolchains, but not the one just made."""
        with self.claim("room") as ours:
            if not ours:
                return
            entries = sorted(_entries(self.root), key=lambda entry: entry.used_s)
            excess = sum(entry.size_bytes for entry in entries) - self._limit_bytes
            for entry in entries:
                abandoned = not entry.complete and time.time() - entry.used_s > ABANDONED_S
                if entry.folder.name != keep and (abandoned or (entry.complete and excess > 0)):
                    shutil.rmtree(entry.folder, ignore_errors=True)
                    excess -= entry.size_bytes


class Entry(NamedTuple):
    """A header's folder, complete or in the making."""

    folder: Path
    size_bytes: int
    used_s: float
    complete: bool


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file that is either complete or absent, and that everybody may read.

    Raises:
        OSError: the disk is full or not writable.
    """
    with _temporary(path.parent) as temporary:
        temporary.write_bytes(content)
        temporary.rename(path)


def _make_own(folder: Path) -> None:
    """Make a folder that everybody may read and only we may write to.

    Raises:
        OSError: it cannot be made, or exists and others may write to it.
    """
    try:
        folder.mkdir()
        folder.chmod(0o755)
    except FileExistsError:
        status = folder.stat()
        if status.st_uid != os.geteuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise PermissionError(f"others may write to {folder}: remove it") from None


@contextlib.contextmanager
def _temporary(folder: Path) -> Iterator[Path]:
    number, name = tempfile.mkstemp(prefix=TEMPORARY, dir=folder)
    os.close(number)
    path = Path(name)
    path.chmod(0o644)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def _unpack(packed: bytes, path: Path) -> int:
    """Unpack into a file, a little at a time, as headers are large; return its size in bytes.

    Raises:
        OSError: the disk is full.
        zlib.error: the bytes are not complete.
    """
    unpacker = zlib.decompressobj(wbits=31)
    with path.open("wb") as file:
        for start in range(0, len(packed), CHUNK_BYTES):
            file.write(unpacker.decompress(packed[start : start + CHUNK_BYTES]))
        if not unpacker.eof:
            raise zlib.error("the packed header ends too early")
        file.flush()
        os.fsync(file.fileno())
        return file.tell()


def _entries(root: Path) -> Iterator[Entry]:
    for folder in root.glob("*/*/"):
        with contextlib.suppress(OSError):
            made = folder / MADE
            complete = made.exists()
            size = sum(file.stat().st_size for file in folder.iterdir())
            yield Entry(folder, size, (made if complete else folder).stat().st_mtime, complete)
