"""One process a run folder, by an advisory lock that ends with the process."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from halo_forge.core.errors import RunLockedError


@contextmanager
def hold_lock(folder: Path) -> Iterator[None]:
    """Hold `folder/run.lock` for the life of the block.

    Raises:
        RunLockedError: another process holds it; the text names its process id.
    """
    descriptor = os.open(folder / "run.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
            raise RunLockedError(
                f"{folder} is being written by process {owner}; wait for it, stop it, or choose another --output"
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)
