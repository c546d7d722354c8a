"""The launcher's fence on a host without namespaces; loaded by it, not imported.

The work folders lie in a temporary folder of the host. With landlock a job can reach nothing else and no network; a
watch stands in for the size limit that a mount would give; what a job leaves behind is adopted, found by its parent and
killed. As root the launcher is a spare user that runs nothing else, so that one system call kills all of its processes.
"""

import contextlib
import ctypes
import os
import re
import resource
import shutil
import signal
import struct
import tempfile
import time
from typing import Any

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
ABI_VERSION = 1
O_PATH = 0o10000000
EXECUTE, WRITE_FILE, READ_FILE, READ_FOLDER = 1, 2, 4, 8
READ_ONLY = EXECUTE | READ_FILE | READ_FOLDER
FILE_RIGHTS = EXECUTE | WRITE_FILE | READ_FILE | 1 << 14
RIGHTS_SINCE = {1: (1 << 13) - 1, 2: 1 << 13, 3: 1 << 14, 5: 1 << 15}
TCP = 3
SCOPES = 3
ABI_OF_TCP, ABI_OF_SCOPES = 4, 6
WNOHANG_PAUSE_S = 0.002
BYTES_PER_INODE = 1 << 14


class Fence:
    """Makes and removes the folders of one job after the other.

    Args:
        libc: the C library.
        call: raises OSError for a result that is not 0.
        settings: `landlock` (whether to use it), `readable` (host paths a job may read and execute), `writable`
            (devices), `places` (path inside -> host path of mounted folders), `spare` (whether the launcher is a spare
            user that runs nothing else).
    """

    pause_ms = 50
    wait_options = os.WNOHANG

    def __init__(self, libc: Any, call: Any, settings: dict[str, Any]) -> None:
        self.libc = libc
        self.call = call
        self.settings = settings
        self.root = ""
        self.limit = 0
        self.places: dict[str, str] = dict(settings["places"])
        self.abi = libc.syscall(CREATE_RULESET, None, 0, ABI_VERSION) if settings["landlock"] else 0
        if settings["landlock"] and self.abi < 1:
            raise OSError("this kernel has no landlock")

    def settle(self, disk_mb: int) -> bool:
        """Return False: every job has folders of its own, made when it starts."""
        return False

    def open(self, request: Any, files: list[int]) -> None:
        """Make the folders and lay the files into one of them."""
        self.root = tempfile.mkdtemp(prefix="halo-forge-")
        job, work = f"{self.root}/job", f"{self.root}/work"
        os.mkdir(job)  # noqa: PTH102
        os.mkdir(work)  # noqa: PTH102
        self.places |= {"/job": job, "/work": work, "/tmp": work}
        self.limit = request.disk_mb << 20
        for name, content in zip(request.files, files, strict=True):
            path = f"{job}/{name}"
            os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
            with open(path, "wb") as target, open(content, "rb", closefd=False) as source:  # noqa: PTH123
                shutil.copyfileobj(source, target)
            os.chmod(path, 0o555)  # noqa: PTH101
        if not self.settings["spare"]:
            others = tasks_of(os.getuid())
            request.limits[:] = [
                (kind, soft + others, hard + others) if kind == resource.RLIMIT_NPROC else (kind, soft, hard)
                for kind, soft, hard in request.limits
            ]

    def placed(self, word: str) -> str:
        """Replace the sandbox's folders in a word by those that stand in for them."""
        insides = "|".join(map(re.escape, self.places))
        return re.sub(rf"(?<![\w/.-])({insides})(?=[/: ]|$)", lambda found: self.places[found[1]], word)

    def confine(self) -> None:
        """Leave the job nothing but its folders and the toolchain, where landlock can see to that."""
        os.setsid()
        if not self.abi:
            return
        rights = sum(bits for since, bits in RIGHTS_SINCE.items() if self.abi >= since)
        tcp = TCP if self.abi >= ABI_OF_TCP else 0
        scopes = SCOPES if self.abi >= ABI_OF_SCOPES else 0
        attributes = struct.pack("=QQQ", rights, tcp, scopes)
        size = 24 if scopes else 16 if tcp else 8
        ruleset = self.libc.syscall(CREATE_RULESET, attributes, ctypes.c_size_t(size), 0)
        if ruleset < 0:
            self.call(-1, "make a landlock ruleset")
        for path in [*self.settings["readable"], self.places["/job"], *self.settings["places"].values()]:
            self.allow(ruleset, path, READ_ONLY)
        for path in [*self.settings["writable"], self.places["/work"]]:
            self.allow(ruleset, path, rights)
        self.call(self.libc.syscall(RESTRICT_SELF, ruleset, 0), "enter landlock")
        os.close(ruleset)

    def allow(self, ruleset: int, path: str, rights: int) -> None:
        """Allow what lies under a path; what does not exist needs no rule."""
        with contextlib.suppress(FileNotFoundError):
            handle = os.open(path, O_PATH | os.O_CLOEXEC)
            if not os.path.isdir(path):  # noqa: PTH112
                rights &= FILE_RIGHTS
            rule = struct.pack("=Qi", rights, handle)
            self.call(self.libc.syscall(ADD_RULE, ruleset, 1, rule, 0), f"allow {path}")
            os.close(handle)

    def overgrown(self) -> bool:
        """Tell whether the work folder holds more than it may, an inode counted as some bytes."""
        used = 0
        pending = [self.places["/work"]]
        while pending:
            with contextlib.suppress(OSError), os.scandir(pending.pop()) as entries:
                for entry in entries:
                    with contextlib.suppress(OSError):
                        used += entry.stat(follow_symlinks=False).st_blocks * 512 + BYTES_PER_INODE
                        if entry.is_dir(follow_symlinks=False):
                            pending.append(entry.path)
            if used > self.limit:
                return True
        return False

    def kill(self, main: int) -> None:
        """Kill the job; those at the leaves first, so that the others account for their time."""
        below = children()
        level = below.get(main, [])
        while level:
            kill_all(process for process in level if process not in below)
            level = [child for process in level for child in below.get(process, [])]
        time.sleep(WNOHANG_PAUSE_S)
        kill_all([main])

    def sweep(self) -> None:
        """Kill what the job has left: everything of the spare user, else every child of this process."""
        if self.settings["spare"]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)
        else:
            kill_all(children().get(os.getpid(), []))
        time.sleep(WNOHANG_PAUSE_S)

    def close(self) -> bool:
        """Remove the folders, however deep a job has made them; this process can go on."""
        if self.root:
            os.spawnv(os.P_WAIT, "/bin/chmod", ["chmod", "-Rf", "u+rwX", self.root])
            os.spawnv(os.P_WAIT, "/bin/rm", ["rm", "-rf", self.root])
            self.root = ""
        return True


def kill_all(processes: Any) -> None:
    """Kill processes, some of which may have ended by now."""
    for process in processes:
        with contextlib.suppress(OSError):
            os.kill(process, signal.SIGKILL)


def children() -> dict[int, list[int]]:
    """Return the children of every process."""
    found: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat") as stat:  # noqa: PTH123
                found.setdefault(int(stat.read().rpartition(")")[2].split()[1]), []).append(int(name))
    return found


def tasks_of(uid: int) -> int:
    """Return how many threads a user runs; its process limit counts them all."""
    count = 0
    for name in os.listdir("/proc"):  # noqa: PTH208
        with contextlib.suppress(OSError):
            if name.isdigit() and os.stat(f"/proc/{name}").st_uid == uid:  # noqa: PTH116
                count += len(os.listdir(f"/proc/{name}/task"))  # noqa: PTH208
    return count
