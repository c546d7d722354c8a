"""The default tier: launchers in namespaces of their own, with a private root that bubblewrap makes."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.protocols import Python
from halo_forge.sandbox.seccomp import filter_program
from halo_forge.sandbox.slots import Enclosure

FENCE = Path(__file__).with_name("namespace_fence.py")
INSTALL = "install it with `apt-get install bubblewrap`"
SYSTEM_FOLDERS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
TOOLCHAIN_FILES = ("/etc/alternatives", "/etc/ld.so.cache")
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")
INNER_ID = "1000"


class Bubblewrap:
    """Namespaces, a private root, a system-call filter and resource limits.

    Raises:
        EnvironmentFault: bubblewrap is not installed or too old, or this machine's system calls are not known.
    """

    tier = "bubblewrap"

    def __init__(self) -> None:
        program = shutil.which("bwrap")
        if program is None:
            raise EnvironmentFault(f"the sandbox needs bubblewrap, which is not installed: {INSTALL}")
        options = subprocess.run([program, "--help"], capture_output=True, text=True, check=False).stdout
        if not {"--as-pid-1", "--cap-add", "--perms"} <= set(re.findall(r"--[\w-]+", options)):
            raise EnvironmentFault(f"{program} is too old for the sandbox: it has to be version 0.5 or newer")
        calls = filter_program()
        if calls is None:
            raise EnvironmentFault("the system calls of this machine's processor are not known to the sandbox")
        self._filter = calls
        self._start = (program, *_namespaces(), *_root())

    def enclose(self, python: Python, mounts: Mapping[str, Path], hidden: Sequence[str], *, spare: bool) -> Enclosure:
        """Return the command that makes the private root and the namespaces."""
        del spare
        argv = [*self._start]
        for inside, folder in mounts.items():
            argv += ["--ro-bind", str(folder), inside]
        for inside in hidden:
            argv += ["--perms", "0555", "--tmpfs", inside, "--remount-ro", inside]
        argv += ["--remount-ro", "/", "--chdir", "/"]
        for name, value in python.env.items():
            argv += ["--setenv", name, value]
        settings = {"fence": FENCE.read_text(), "filter": self._filter.hex()}
        return Enclosure((*argv, "--"), python.program, {}, settings)


def _namespaces() -> list[str]:
    """Return the options for namespaces of its own, in which the launcher is process 1 and may mount."""
    options = ["--unshare-all", "--unshare-user", "--new-session", "--clearenv", "--as-pid-1"]
    return [*options, "--cap-add", "CAP_SYS_ADMIN", "--uid", INNER_ID, "--gid", INNER_ID, "--hostname", "sandbox"]


def _root() -> list[str]:
    """Return the options for a root of its own with a read-only toolchain."""
    options = ["--ro-bind", "/usr", "/usr"]
    for folder in map(Path, SYSTEM_FOLDERS):
        if folder.is_symlink():
            options += ["--symlink", str(folder.readlink()).lstrip("/"), str(folder)]
        elif folder.is_dir():
            options += ["--ro-bind", str(folder), str(folder)]
    for file in TOOLCHAIN_FILES:
        options += ["--ro-bind-try", file, file]
    options += ["--perms", "0555", "--dir", "/dev"]
    for device in DEVICES:
        options += ["--dev-bind", device, device]
    for place in ("/job", "/work"):
        options += ["--perms", "0555", "--dir", place]
    return [*options, "--symlink", "work", "/tmp"]
