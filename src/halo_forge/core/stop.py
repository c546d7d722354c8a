"""Asking a run to stop: the request is noted at once and obeyed at the next point from which the run can continue."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from halo_forge.core.errors import Interrupted

LOGGER = logging.getLogger(__name__)


class StopRequest:
    """A flag that loops look at between two units of work.

    `confirm` is called before a stop is obeyed; it raises where the stop is a mere result of something that
    went wrong.
    """

    def __init__(self) -> None:
        self.requested = False
        self.confirm: Callable[[], None] = _nothing_is_wrong

    def check(self) -> None:
        """Return, or end the run here.

        Raises:
            Interrupted: a stop was asked for.
            HaloError: what `confirm` found.
        """
        if self.requested:
            self.confirm()
            raise Interrupted("stopped at a safe point; the same command continues from here")


def _nothing_is_wrong() -> None:
    pass


@contextmanager
def stop_on_signals(stop: StopRequest) -> Iterator[None]:
    """Turn SIGINT and SIGTERM into a request; a second SIGINT ends the process at once, losing the work in flight."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def request(number: int, frame: FrameType | None) -> None:
        if stop.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.requested = True
        LOGGER.error("stopping at the next safe point; interrupt again to stop at once and lose the work in flight")

    before = {number: signal.signal(number, request) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
