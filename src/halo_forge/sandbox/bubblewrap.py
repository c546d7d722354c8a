"""The default tier: bubblewrap's private root, namespaces and system-call filter, with resource limits inside."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.protocols import Job
from halo_forge.sandbox.descriptors import Descriptors, memory_file
from halo_forge.sandbox.isolation import FREE_DESCRIPTORS_FROM, STATUS_DESCRIPTOR, limit_command
from halo_forge.sandbox.seccomp import filter_program
from halo_forge.sandbox.slots import Command, Report, Slot

INSTALL = "install it with `apt-get install bubblewrap`"
OPT_IN = "or accept resource limits alone, without isolation, with `--sandbox limits`"
SYSTEM_FOLDERS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
TOOLCHAIN_FILES = ("/etc/alternatives", "/etc/ld.so.cache")
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")
INNER_ID = "1000"


class Bubblewrap:
    """Commands that run under bubblewrap.

    Raises:
        EnvironmentFault: it is not installed, or too old to be safe here.
    """

    tier = "bubblewrap"

    def __init__(self) -> None:
        program = shutil.which("bwrap")
        if program is None:
            raise EnvironmentFault(f"the sandbox needs bubblewrap, which is not installed: {INSTALL}, {OPT_IN}")
        options = subprocess.run([program, "--help"], capture_output=True, text=True, check=False).stdout
        self._filter = filter_program()
        if "--size" not in options or not (self._filter or "--disable-userns" in options):
            raise EnvironmentFault(
                f"{program} is too old to bound what a program may use: version 0.8 or newer, {OPT_IN}"
            )
        self._start = (program, *_namespaces(closed=self._filter is None), *_root())

    @contextlib.contextmanager
    def command(self, job: Job, slot: Slot, passed: Descriptors) -> Iterator[Command]:
        """Return the command for a job; the files travel through descriptors, so nothing has to be removed."""
        argv = [*self._start, "--json-status-fd", str(STATUS_DESCRIPTOR)]
        number = FREE_DESCRIPTORS_FROM
        for name, content in job.files.items():
            passed.add(memory_file(content), number)
            argv += ["--perms", "0555", "--file", str(number), f"/job/{name}"]
            number += 1
        for inside, folder in job.mounts.items():
            argv += ["--ro-bind", str(slot.place(folder)), inside]
        for inside in job.hidden:
            argv += ["--perms", "0555", "--tmpfs", inside, "--remount-ro", inside]
        if self._filter:
            passed.add(memory_file(self._filter), number)
            argv += ["--seccomp", str(number)]
        size = str(job.limits.disk_mb << 20)
        argv += ["--size", size, "--tmpfs", "/work", "--size", size, "--tmpfs", "/tmp", "--remount-ro", "/"]
        argv += ["--chdir", "/work", *_environment(job.env), "--", *limit_command(job.limits), *job.argv]
        yield Command(tuple(argv), {}, STATUS_DESCRIPTOR, sweep=False)

    def exit_status(self, report: Report, stderr: bytes) -> int:
        """Return the program's exit status; bubblewrap notes one only if it did start the program.

        Raises:
            EnvironmentFault: bubblewrap failed before that.
        """
        found = re.findall(r'"exit-code":\s*(\d+)', report.notes)
        if not found:
            words = stderr.decode(errors="replace").strip().splitlines()
            raise EnvironmentFault(f"the sandbox could not be set up: {words[-1] if words else report}")
        code = int(found[-1])
        return 128 - code if code > 128 else code

    def peak_memory_mb(self, report: Report) -> float:
        """Return the size of the largest process inside, MiB; the outer one starts with its launcher's size."""
        return report.inner_mb or report.main_mb


def _namespaces(*, closed: bool) -> list[str]:
    """Return the options for namespaces of its own; `closed` refuses further ones where no filter does."""
    options = ["--unshare-all", "--unshare-user", "--die-with-parent", "--new-session", "--clearenv"]
    options += ["--uid", INNER_ID, "--gid", INNER_ID, "--hostname", "sandbox"]
    return [*options, "--disable-userns"] if closed else options


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
    return options


def _environment(env: Mapping[str, str]) -> list[str]:
    return [word for name, value in env.items() for word in ("--setenv", name, value)]
