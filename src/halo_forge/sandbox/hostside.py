"""The tiers for machines without namespaces: landlock, and resource limits alone.

With landlock a program reaches nothing but the toolchain and its own folders; sockets, and signals to outsiders where
the kernel is new enough, are refused. With limits alone, a tier that is never chosen unless it is named, a program can
read whatever its user can read, reach the network, and signal its user's processes, the launcher among them: it can
make its own check fail as a fault. As root a launcher at least becomes a spare user.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.protocols import Python
from halo_forge.sandbox.bubblewrap import DEVICES, SYSTEM_FOLDERS, TOOLCHAIN_FILES
from halo_forge.sandbox.python import NEUTRAL
from halo_forge.sandbox.seccomp import filter_program
from halo_forge.sandbox.slots import Enclosure

FENCE = Path(__file__).with_name("host_fence.py")


class HostSide:
    """Launchers on the host itself.

    Args:
        landlock: whether to use it.

    Raises:
        EnvironmentFault: landlock is wanted, but this machine's system calls are not known.
    """

    def __init__(self, *, landlock: bool) -> None:
        self.tier = "landlock" if landlock else "limits"
        self._landlock = landlock
        calls = filter_program() if landlock else b""
        if calls is None:
            raise EnvironmentFault("the system calls of this machine's processor are not known to the sandbox")
        self._filter = calls

    def enclose(self, python: Python, mounts: Mapping[str, Path], hidden: Sequence[str], *, spare: bool) -> Enclosure:
        """Return an empty command: the fence does everything."""
        del hidden
        places = {inside: str(folder) for inside, folder in mounts.items()}
        program = python.program.replace(NEUTRAL, places.get(NEUTRAL, NEUTRAL), 1)
        env = {name: value.replace(NEUTRAL, places.get(NEUTRAL, NEUTRAL), 1) for name, value in python.env.items()}
        settings = {
            "fence": FENCE.read_text(),
            "filter": self._filter.hex(),
            "landlock": self._landlock,
            "readable": ["/usr", *SYSTEM_FOLDERS, *TOOLCHAIN_FILES],
            "writable": DEVICES,
            "places": places,
            "spare": spare,
        }
        return Enclosure((), program, {**env, "TMPDIR": tempfile.gettempdir()}, settings)
