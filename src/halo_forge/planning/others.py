"""How busy other work keeps the machine while something of ours is measured."""

from __future__ import annotations

import os
import time

import psutil


class Watch:
    """Watches the processors of this machine from its making on."""

    def __init__(self) -> None:
        self._begun, self._spare, self._ours = time.perf_counter(), _spare(), _ours()

    def processors(self) -> float:
        """Return how many processors were neither idle nor used by this process and its ended children, on average.

        What the host of a virtual machine takes from it counts as well.
        """
        wall_s = time.perf_counter() - self._begun
        known_s = _spare() - self._spare + _ours() - self._ours
        return max(0.0, (os.cpu_count() or 1) - known_s / wall_s)


def _spare() -> float:
    """Processor seconds in which nothing ran."""
    times = psutil.cpu_times()
    return float(times.idle + getattr(times, "iowait", 0.0))


def _ours() -> float:
    return sum(os.times()[:4])
