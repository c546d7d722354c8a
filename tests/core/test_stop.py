from __future__ import annotations

import os
import signal

import pytest

from halo_forge.core.errors import Interrupted
from halo_forge.core.stop import StopRequest, stop_on_signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_noted_and_obeyed_at_the_next_check(number: signal.Signals) -> None:
    stop = StopRequest()
    with stop_on_signals(stop):
        stop.check()
        os.kill(os.getpid(), number)
        with pytest.raises(Interrupted, match="same command continues"):
            stop.check()


def test_a_second_interrupt_ends_at_once_and_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), stop_on_signals(StopRequest()):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
