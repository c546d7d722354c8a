"""User ids that launchers become when root runs halo-forge."""

from __future__ import annotations

import contextlib
import socket

from halo_forge.core.errors import EnvironmentFault

SPARE_UIDS = range(64_100, 64_900)


class SpareUid:
    """A user id that nothing else on this machine runs under, as far as halo-forge goes.

    The claim is a name in the kernel's table of abstract sockets, which goes when its process does.

    Raises:
        EnvironmentFault: all of them are taken.
    """

    def __init__(self) -> None:
        self._claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        for number in SPARE_UIDS:
            with contextlib.suppress(OSError):
                self._claim.bind(f"\0halo-forge-uid-{number}")
                self.number = number
                return
        self._claim.close()
        raise EnvironmentFault(f"all {len(SPARE_UIDS)} user ids for sandboxed programs are in use: end some runs")

    def release(self) -> None:
        """Let others have it."""
        self._claim.close()
