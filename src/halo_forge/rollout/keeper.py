"""Keeps the verifier's process: whatever becomes of it or of the harness, nothing of it outlives either.

    python -P -c "import sys; sys.path[:] = sys.argv[2:]; from halo_forge.rollout.keeper import main; main()" 7 PATH…

The keeper forks before anything of ours is imported. Its child becomes the verifier's process; the keeper adopts what
that leaves behind and waits for one of two things: the child ends, or the harness closes its end of the connection,
which a killed harness does as well. Then it kills everything below itself. It runs nobody's code but its own, so it
cannot hang with a verifier that does.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
START = "import sys; sys.path[:] = sys.argv[2:]; from halo_forge.rollout.keeper import main; main()"
SWEEP_PAUSE_S = 0.002


def main() -> None:
    """Fork, and be either the verifier's process or its keeper."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    connection.set_inheritable(False)
    keeper = os.getpid()
    child = os.fork()
    if child == 0:
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != keeper:
            os._exit(1)
        from halo_forge.rollout.host import serve

        serve(connection)
        return
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    _wait(connection, child)
    status = _end_all(child)
    os._exit(128 - status if status < 0 else status)


def _wait(connection: socket.socket, child: int) -> None:
    """Return once the child has ended or the harness is gone.

    The harness only shuts down its sending side when the verifier may end by itself; that is no hang-up.
    """
    poll = select.poll()
    poll.register(os.pidfd_open(child), select.POLLIN)
    poll.register(connection, 0)
    poll.poll()


def _end_all(child: int) -> int:
    """Kill every process below this one, generation after generation; return the child's exit status."""
    result = 0
    while True:
        for process in _children():
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        try:
            ended, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return result
        if ended == child:
            result = os.waitstatus_to_exitcode(status)
        elif ended == 0:
            time.sleep(SWEEP_PAUSE_S)


def _children() -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
                if int(parent) == os.getpid() and state != "Z":
                    found.append(int(entry.name))
    return found


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}) failed")
