"""The tier for machines without namespaces: resource limits alone, used only when it is asked for by name.

A program can read whatever its user can read, reach the network, and signal its user's processes, the launcher among
them: it can make its own check fail as a fault. As root it at least becomes a spare user. Processes that it leaves
behind are found through the launcher, which adopts them.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from halo_forge.core.protocols import Job
from halo_forge.sandbox.descriptors import Descriptors
from halo_forge.sandbox.isolation import limit_command
from halo_forge.sandbox.slots import Command, Report, Slot

READABLE = 0o755


class ResourceLimits:
    """Commands that run with resource limits and a temporary folder, and nothing else."""

    tier = "limits"

    @contextlib.contextmanager
    def command(self, job: Job, slot: Slot, passed: Descriptors) -> Iterator[Command]:
        """Return the command for a job; its files lie in a temporary folder that is removed afterwards."""
        del passed
        root = Path(tempfile.mkdtemp(prefix="halo-forge-"))
        try:
            root.chmod(READABLE)
            places = {"/job": root / "job", "/work": root / "work", "/tmp": root / "work"}
            for folder in set(places.values()):
                folder.mkdir()
            for name, content in job.files.items():
                (root / "job" / name).parent.mkdir(parents=True, exist_ok=True)
                (root / "job" / name).write_bytes(content)
                (root / "job" / name).chmod(READABLE)
            if slot.uid is not None:
                os.chown(root / "work", slot.uid, slot.uid)
            places |= {inside: slot.place(folder) for inside, folder in job.mounts.items()}
            env = {name: _moved(value, places) for name, value in job.env.items()}
            words = tuple(_moved(word, places) for word in job.argv)
            start = ("/usr/bin/env", "-C", str(root / "work"))
            yield Command((*start, *limit_command(job.limits), *words), env, None, sweep=True)
        finally:
            shutil.rmtree(root, ignore_errors=True)

    def exit_status(self, report: Report, stderr: bytes) -> int:
        """Return the program's exit status."""
        del stderr
        return report.status

    def peak_memory_mb(self, report: Report) -> float:
        """Return the size of the largest process, MiB; at least that of the launcher it was started from."""
        return max(report.main_mb, report.inner_mb)


def _moved(word: str, places: dict[str, Path]) -> str:
    """Replace the sandbox's folders in an argument by those that stand in for them."""
    insides = "|".join(map(re.escape, places))
    return re.sub(rf"(?<![\w/.-])({insides})(?=[/: ]|$)", lambda found: str(places[found[1]]), word)
