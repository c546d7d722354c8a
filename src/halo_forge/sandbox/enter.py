"""The first step of a launcher that root starts: show folders, become a spare user, and go on as another program.

Runs as a script and imports nothing of ours: `enter.py UID FOLDER… -- PROGRAM ARGUMENT…`.
"""

import ctypes
import os
import sys
from pathlib import Path

CLONE_NEWNS = 0x20000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
SHOWN = Path("/mnt")


def show(folders: list[str]) -> None:
    """Bind folders that the spare user cannot reach to `/mnt/0`, `/mnt/1`, … in a mount namespace of our own."""
    libc = ctypes.CDLL(None, use_errno=True)

    def call(result: int, deed: str) -> None:
        if result != 0:
            sys.exit(f"cannot {deed}: {os.strerror(ctypes.get_errno())}")

    call(
        libc.unshare(CLONE_NEWNS),
        f"show {folders[0]}, which other users may not enter, without a mount namespace (open the folder to them, or "
        "set XDG_CACHE_HOME to one that is open)",
    )
    call(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None), "make mounts private")
    call(libc.mount(b"none", os.fsencode(SHOWN), b"tmpfs", 0, b"mode=755"), f"mount over {SHOWN}")
    for number, folder in enumerate(folders):
        place = SHOWN / str(number)
        place.mkdir()
        call(libc.mount(os.fsencode(folder), os.fsencode(place), None, MS_BIND, None), f"bind {folder}")


def become(uid: int) -> None:
    """Give up root for good."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def main() -> None:
    """Do what the arguments say."""
    end = sys.argv.index("--")
    folders, command = sys.argv[2:end], sys.argv[end + 1 :]
    if folders:
        show(folders)
    become(int(sys.argv[1]))
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
