"""The launcher's fence where it is process 1 of its own namespaces and may mount; loaded by it, not imported.

Every job gets fresh work folders and leaves with them; whatever processes it started are killed with one system call
that nothing in the namespace can outrun, since a process with a pending kill cannot fork. A job shares the process
namespace with its launcher, so the filter of system calls keeps it from changing the launcher's limits and priority,
and signals to process 1 from inside are ignored by the kernel.
"""

import os
import signal
import struct
from typing import Any

CAPABILITY_VERSION_3 = 0x20080522
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT, MNT_DETACH = 1, 2, 4, 32, 2
INODES_PER_MB = 64
NO_CAPABILITIES = bytes(24)


class Fence:
    """Mounts and unmounts the folders of one job after the other.

    Args:
        libc: the C library.
        call: raises OSError for a result that is not 0.
        settings: not used here.
    """

    pause_ms = None
    wait_options = 0

    def __init__(self, libc: Any, call: Any, settings: dict[str, Any]) -> None:
        self.libc = libc
        self.call = call
        self.mounted: list[bytes] = []
        self.header = struct.pack("=Ii", CAPABILITY_VERSION_3, 0)
        self.options: dict[int, bytes] = {}

    def open(self, request: Any, files: list[int]) -> None:
        """Lay the files into `/job`, read-only, and mount `/work`."""
        flags = MS_NOSUID | MS_NODEV
        if files:
            self.mount(b"/job", flags, b"mode=755")
            for name, content in zip(request.files, files, strict=True):
                lay(content, f"/job/{name}")
            self.call(self.libc.mount(None, b"/job", None, flags | MS_RDONLY | MS_REMOUNT, None), "close /job")
        megabytes = request.disk_mb
        if megabytes:
            if megabytes not in self.options:
                inodes = max(megabytes * INODES_PER_MB, 1024)
                self.options[megabytes] = f"mode=755,size={megabytes}m,nr_inodes={inodes}".encode()
            self.mount(b"/work", flags, self.options[megabytes])

    def mount(self, place: bytes, flags: int, options: bytes) -> None:
        """Mount an empty folder in memory."""
        self.call(self.libc.mount(b"tmpfs", place, b"tmpfs", flags, options), "mount a work folder")
        self.mounted.append(place)

    def placed(self, word: str) -> str:
        """Return a word as it is: folders have their names here."""
        return word

    def confine(self) -> None:
        """Take the right to mount from the job."""
        self.call(self.libc.capset(self.header, NO_CAPABILITIES), "give up capabilities")

    def overgrown(self) -> bool:
        """Tell whether the job uses more disk than it may; here the mounts see to that."""
        return False

    def kill(self, main: int) -> None:
        """Kill the job."""
        self.sweep()

    def sweep(self) -> None:
        """Kill every other process of the namespace."""
        try:  # noqa: SIM105
            os.kill(-1, signal.SIGKILL)
        except ProcessLookupError:
            pass  # there is none

    def close(self) -> None:
        """Take the folders away."""
        while self.mounted:
            self.call(self.libc.umount2(self.mounted.pop(), MNT_DETACH), "unmount a work folder")


def lay(content: int, path: str) -> None:
    """Copy a descriptor's content into a file without reading it."""
    os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120  (pathlib takes milliseconds to import)
    target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o555)
    try:
        size, done = os.fstat(content).st_size, 0
        while done < size:
            done += os.sendfile(target, content, done, size - done)
    finally:
        os.close(target)
