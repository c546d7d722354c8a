"""The launcher's fence where it is process 1 of its own namespaces and may mount; loaded by it, not imported.

Every job gets fresh work folders and leaves with them; jobs of a launcher that has given up the right to mount get one
that is as clean as at first, or a new launcher. Whatever processes a job started are killed with one system call that
nothing in the namespace can outrun, since a process with a pending kill cannot fork. A job shares the process namespace
with its launcher, so the filter of system calls keeps it from changing the launcher's limits and priority, and signals
to process 1 from inside are ignored by the kernel.
"""

import os
import signal
import struct
from typing import Any

CAPABILITY_VERSION_3 = 0x20080522
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT, MS_NOATIME, MNT_DETACH = 1, 2, 4, 32, 1024, 2
INODES_PER_MB = 64
NO_CAPABILITIES = bytes(24)
MOST_TO_REMOVE = 64


class Fence:
    """Mounts and unmounts the folders of one job after the other, or keeps one folder as clean as it was mounted.

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
        self.capset = libc.capset  # looked up now: in a fresh copy that would touch fifty pages
        self.settled = False
        self.clean: tuple[int, ...] = ()

    def settle(self, disk_mb: int) -> bool:
        """Mount, once, the work folder of all jobs to come, none of which has files; return whether that is enough."""
        if disk_mb:
            self.mount_work(disk_mb)
            self.clean = work_state()
        self.settled = True
        return True

    def open(self, request: Any, files: list[int]) -> None:
        """Lay the files into `/job`, read-only, and mount `/work`."""
        if self.settled:
            return
        if files:
            self.mount(b"/job", b"mode=755")
            for name, content in zip(request.files, files, strict=True):
                lay(content, f"/job/{name}")
            flags = MS_NOSUID | MS_NODEV | MS_RDONLY | MS_REMOUNT
            self.call(self.libc.mount(None, b"/job", None, flags, None), "close /job")
        if request.disk_mb:
            self.mount_work(request.disk_mb)

    def mount_work(self, megabytes: int) -> None:
        """Mount an empty work folder of a size."""
        inodes = max(megabytes * INODES_PER_MB, 1024)
        self.mount(b"/work", f"mode=755,size={megabytes}m,nr_inodes={inodes}".encode())

    def mount(self, place: bytes, options: bytes) -> None:
        """Mount an empty folder in memory."""
        flags = MS_NOSUID | MS_NODEV | MS_NOATIME
        self.call(self.libc.mount(b"tmpfs", place, b"tmpfs", flags, options), "mount a work folder")
        self.mounted.append(place)

    def placed(self, word: str) -> str:
        """Return a word as it is: folders have their names here."""
        return word

    def confine(self) -> None:
        """Take the right to mount from this process for good."""
        self.call(self.capset(self.header, NO_CAPABILITIES), "give up capabilities")

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

    def close(self) -> bool:
        """Take the folders away, or see that the kept one is clean; return whether this process can go on."""
        if self.settled:
            return not self.clean or work_state() == self.clean or self.cleaned()
        while self.mounted:
            self.call(self.libc.umount2(self.mounted.pop(), MNT_DETACH), "unmount a work folder")
        return True

    def cleaned(self) -> bool:
        """Clear the work folder if that is quickly done; return whether it is as it was mounted."""
        try:
            os.chmod("/work", 0o755)  # noqa: PTH101
            for name in os.listdir("/work")[:MOST_TO_REMOVE]:  # noqa: PTH208
                os.remove(f"/work/{name}")  # noqa: PTH107
            for name in os.listxattr("/work"):
                os.removexattr("/work", name)
            os.utime("/work", ns=self.clean[-2:])  # type: ignore[arg-type]
        except OSError:
            return False
        return work_state() == self.clean


def work_state() -> tuple[int, ...]:
    """Return what tells a clean work folder from a used one: room, mode, attributes, times of access and change."""
    room, folder = os.statvfs("/work"), os.stat("/work")  # noqa: PTH116
    attributes = len(os.listxattr("/work"))
    return room.f_bfree, room.f_ffree, folder.st_mode, attributes, folder.st_atime_ns, folder.st_mtime_ns


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
