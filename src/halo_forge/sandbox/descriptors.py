"""Bytes as sealed in-memory files: how sources, binaries and inputs enter a sandbox without touching the disk."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from typing import TypeVar

T = TypeVar("T")

SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL


def memory_file(content: bytes) -> int:
    """Return a descriptor, positioned at the start of the content, that nobody can write through.

    Raises:
        OSError: no memory or no descriptors are left.
    """
    descriptor = os.memfd_create("halo-forge", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
        os.lseek(descriptor, 0, os.SEEK_SET)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, SEALS)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


class Descriptors:
    """Descriptors on their way to a program, closed together on our side.

    Each is paired with the number under which the program, or bubblewrap, finds it.
    """

    def __init__(self) -> None:
        self._pairs: list[tuple[int, int]] = []
        self._contexts = contextlib.ExitStack()

    def add(self, descriptor: int, target: int) -> None:
        """Take over a descriptor that the program shall know as `target`."""
        self._pairs.append((descriptor, target))

    @property
    def sources(self) -> list[int]:
        """Our numbers."""
        return [source for source, _ in self._pairs]

    @property
    def targets(self) -> list[int]:
        """The program's numbers, in the same order."""
        return [target for _, target in self._pairs]

    def keep(self, context: contextlib.AbstractContextManager[T]) -> T:
        """Enter a context that is left when the descriptors are closed."""
        return self._contexts.enter_context(context)

    def close(self) -> None:
        """Close our side."""
        while self._pairs:
            os.close(self._pairs.pop()[0])
        self._contexts.close()


@contextlib.contextmanager
def descriptors() -> Iterator[Descriptors]:
    """Collect descriptors and close them at the end, whatever happens."""
    collected = Descriptors()
    try:
        yield collected
    finally:
        collected.close()
