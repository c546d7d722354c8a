"""Chunks drawn one after the other, or several at the same time, and always handed on in order."""

from __future__ import annotations

import threading
import time
from collections import abc, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, Protocol, runtime_checkable

from halo_forge.core.protocols import Generator
from halo_forge.core.types import Completion

Draw = Callable[[int], list[Completion]]


@runtime_checkable
class Replicated(Protocol):
    """A generator with several replicas of the model; several threads may have it draw at the same time."""

    @property
    def lanes(self) -> int:
        """Chunks that it draws at the same time."""
        ...

    def take_notices(self) -> list[str]:
        """Return what a person should know, once."""
        ...


class Drawn(NamedTuple):
    """A chunk that has been drawn.

    Args:
        seconds: on the clock while something was being drawn, since the chunk before was handed on.
    """

    number: int
    completions: list[Completion]
    seconds: float


def lanes_of(generator: Generator) -> int:
    """Chunks that a generator draws at the same time."""
    return max(1, generator.lanes) if isinstance(generator, Replicated) else 1


def draw_in_order(
    draw: Draw, numbers: Sequence[int], lanes: int, stopped: Callable[[], bool]
) -> abc.Generator[Drawn, None, None]:
    """Draw chunks and yield them in order.

    With one lane a chunk is begun when it is asked for, in the caller's thread. With several, as many are under way
    while the caller looks at earlier ones.

    Args:
        draw: draws the chunk of a number.
        stopped: whether no further chunk is to be begun; those under way are still yielded.
    """
    if lanes == 1:
        for number in numbers:
            if stopped():
                return
            begun = time.perf_counter()
            completions = draw(number)
            yield Drawn(number, completions, time.perf_counter() - begun)
        return
    clock = _BusyClock()
    waiting: deque[tuple[int, Future[list[Completion]]]] = deque()
    left = iter(numbers)
    pool = ThreadPoolExecutor(lanes, thread_name_prefix="draw")
    try:
        while True:
            while len(waiting) < lanes and not stopped() and (ahead := next(left, None)) is not None:
                waiting.append((ahead, pool.submit(clock.timed, draw, ahead)))
            if not waiting:
                return
            number, future = waiting.popleft()
            yield Drawn(number, future.result(), clock.take())
    finally:
        pool.shutdown(cancel_futures=True)


class _BusyClock:
    """Seconds during which at least one chunk is being drawn."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._busy = 0
        self._since = self._seconds = 0.0

    def timed(self, draw: Draw, number: int) -> list[Completion]:
        """Draw a chunk while the clock runs."""
        self._count(1)
        try:
            return draw(number)
        finally:
            self._count(-1)

    def take(self) -> float:
        """Return the seconds so far, and begin again at 0."""
        self._count(0)
        with self._lock:
            seconds, self._seconds = self._seconds, 0.0
        return seconds

    def _count(self, change: int) -> None:
        now = time.perf_counter()
        with self._lock:
            if self._busy:
                self._seconds += now - self._since
            self._since = now
            self._busy += change
