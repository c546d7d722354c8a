"""Launcher processes, each of which runs one job at a time."""

from __future__ import annotations

import contextlib
import json
import marshal
import os
import select
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.protocols import Image, Python
from halo_forge.sandbox.launcher import INLINE, PROGRAM, REPORT, SCRIPT, Request
from halo_forge.sandbox.limits import LASTING, KernelLimit
from halo_forge.sandbox.spare_uid import SpareUid

START_LIMIT_S = 30.0
PATIENCE_S = 5
LAST_WORDS_S = 0.5
MARSHAL_VERSION = 2  # that every Python reads: launchers may run on another one
SHOWN = Path("/mnt")
ENTER = Path(__file__).with_name("enter.py")
LAUNCHER = Path(__file__).with_name("launcher.py")


class Spec(NamedTuple):
    """What makes one launcher different from another.

    Args:
        mounts: (path inside, host folder), sorted.
        hidden: paths inside that appear as empty folders.
        image: the scripts and modules it has loaded.
        limits: what all jobs of an image may use; empty without one.
        disk_mb: size of the work folder of all jobs of an image.
    """

    mounts: tuple[tuple[str, Path], ...]
    hidden: tuple[str, ...]
    image: Image
    limits: tuple[KernelLimit, ...]
    disk_mb: int


class Enclosure(NamedTuple):
    """A launcher's surroundings.

    Args:
        argv: what the launcher's own command line is appended to.
        program: the path of its Python in there.
        env: its environment.
        settings: what its fence wants to know.
    """

    argv: tuple[str, ...]
    program: str
    env: Mapping[str, str]
    settings: Mapping[str, Any]


class Isolation(Protocol):
    """One way to fence programs in: a tier."""

    @property
    def tier(self) -> str:
        """Its name."""
        ...

    def enclose(self, python: Python, mounts: Mapping[str, Path], hidden: Sequence[str], *, spare: bool) -> Enclosure:
        """Return the surroundings of a launcher.

        Args:
            python: the interpreter it runs on.
            mounts: path inside -> folder as the launcher's user sees it.
            hidden: paths inside that appear as empty folders.
            spare: whether the launcher is a spare user.
        """
        ...


class Report(NamedTuple):
    """What a launcher tells of an ended job.

    Args:
        killed: whether the launcher killed it.
        status: exit status of the started program, negative for a signal.
        cpu_s: processor seconds of all of its processes.
        peak_mb: largest of its processes, MiB, at least the launcher's own size.
        content: what an inline script returned.
    """

    killed: bool
    status: int
    cpu_s: float
    peak_mb: float
    content: bytes


class Slot:
    """One launcher process.

    Args:
        spec: what it is for.
        isolation: the tier.
        python: the interpreter it runs on.
        renewals: how often launchers had been replaced by new ones when it began.

    Raises:
        EnvironmentFault: it does not start.
    """

    def __init__(self, spec: Spec, isolation: Isolation, python: Python, renewals: int) -> None:
        self.spec = spec
        self.renewals = renewals
        hard_to_reach = [folder for _, folder in spec.mounts if os.geteuid() == 0 and not _open_to_all(folder)]
        shown = {folder: SHOWN / str(number) for number, folder in enumerate(hard_to_reach)}
        mounts = {inside: shown.get(folder, folder) for inside, folder in spec.mounts}
        enclosure = isolation.enclose(python, mounts, spec.hidden, spare=os.geteuid() == 0)
        self._uid = SpareUid() if os.geteuid() == 0 else None
        self._inline = self._standing = self.spent = False
        self._jobs = 0
        self._main: int | None = None
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs:
                self._process = self._started(enclosure, hard_to_reach, theirs.fileno())
        except OSError:
            self.control.close()
            self._release()
            raise
        self._main = self._greeted(enclosure, spec.image)

    def _started(self, enclosure: Enclosure, folders: Sequence[Path], control: int) -> subprocess.Popen[bytes]:
        argv = [*enclosure.argv, enclosure.program, "-s", "-S", "-B", "-X", "utf8", "-", str(control)]
        if self._uid:
            entry = [sys.executable, "-I", "-S", "-B", str(ENTER), str(self._uid.number), *map(str, folders), "--"]
            argv = [*entry, *argv]
        process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, pass_fds=[control],
            env=dict(enclosure.env), cwd="/", start_new_session=True,
        )  # fmt: skip
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError), process.stdin as source:
            source.write(LAUNCHER.read_bytes())
        process.stdin = None
        return process

    def _greeted(self, enclosure: Enclosure, image: Image) -> int:
        """Send the settings and wait until the launcher is ready; return a handle of its process."""
        settings = {
            **enclosure.settings,
            "modules": image.modules,
            "scripts": dict(image.scripts),
            "limits": self.spec.limits[:LASTING],
            "disk_mb": self.spec.disk_mb,
        }
        self.control.settimeout(START_LIMIT_S)
        self.control.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        with contextlib.suppress(OSError):
            self.control.send(json.dumps(settings).encode())
            message, ancillary, _, _ = self.control.recvmsg(64, socket.CMSG_SPACE(struct.calcsize("3i")))
            if message == b"ready":
                self.control.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 0)
                process, _, _ = struct.unpack("3i", ancillary[0][2])
                return os.pidfd_open(process)
        self.control.close()
        said = self._last_words()
        self._release()
        raise EnvironmentFault(f"the sandbox cannot be set up: its launcher did not start: {said}")

    def is_ready(self) -> bool:
        """Tell whether an idle launcher is still there."""
        poll = select.poll()
        poll.register(self.control, select.POLLIN)
        return not poll.poll(0) or bool(self.control.recv(1, socket.MSG_PEEK))

    def start(self, request: Request, files: Sequence[int], passed: Sequence[int]) -> None:
        """Start a job.

        Args:
            request: the job.
            files: descriptors of the contents of its files.
            passed: descriptors for the program.

        Raises:
            EnvironmentFault: the launcher is gone.
        """
        self._inline = request.kind == INLINE
        self._jobs += request.kind in (PROGRAM, SCRIPT)
        try:
            socket.send_fds(self.control, [marshal.dumps(tuple(request), MARSHAL_VERSION)], [*files, *passed])
        except OSError as error:
            raise EnvironmentFault(f"the sandbox's launcher cannot take a job: {error}") from error

    def stand_by(self, request: Request) -> int:
        """Return our end of the socket to a copy that waits on the other one; every call has to be with equal requests.

        Raises:
            EnvironmentFault: the launcher is gone, or cannot start it.
        """
        self._jobs += 1
        if not self._standing:
            self._standing = True
            self.start(request, (), ())
        try:
            message, descriptors, _, _ = socket.recv_fds(self.control, 1 << 16, 1)
        except OSError:
            message, descriptors = b"", []
        if not descriptors:
            raise self._fault(message)
        return descriptors[0]

    def kill(self) -> None:
        """Ask for the end of the running job; an inline script ends with its launcher.

        Raises:
            EnvironmentFault: the launcher is gone.
        """
        if self._inline:
            self.spent = True
            self._end()
            return
        try:
            self.control.send(b"kill %d" % self._jobs)
        except OSError as error:
            raise EnvironmentFault(f"the sandbox's launcher is gone: {error}") from error

    def report(self) -> Report:
        """Receive the report of the job; call it when the control socket is readable.

        Raises:
            EnvironmentFault: the launcher died, or could not start the program.
        """
        try:
            message = self.control.recv(1 << 20)
        except OSError:
            message = b""
        if self.spent:
            return Report(True, -signal.SIGKILL, 0.0, 0.0, b"")
        if message[:1] not in (b"R", b"S"):
            raise self._fault(message)
        self.spent = message.startswith(b"S")
        killed, status, cpu_s, peak_kb = REPORT.unpack_from(message, 1)
        return Report(killed, status, cpu_s, peak_kb / 1024, message[1 + REPORT.size :])

    def _fault(self, message: bytes) -> EnvironmentFault:
        """Return what a message that is no report says."""
        if message.startswith(b"E"):
            said = message[1:].decode(errors="replace")
            return EnvironmentFault(f"the sandbox cannot be set up for a program: {said}")
        return EnvironmentFault(f"the sandbox's launcher died: {self._last_words()}")

    def close(self) -> None:
        """End the launcher and whatever it runs."""
        self.control.close()
        if self._process.stderr:
            self._process.stderr.close()
        try:
            self._process.wait(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._end()
            self._process.wait()
        if self._main is not None:
            os.close(self._main)
        self._release()

    def _release(self) -> None:
        """Let others have the user id: only now, since an ending launcher kills whatever else runs under it."""
        if self._uid:
            self._uid.release()

    def _end(self) -> None:
        """Kill the launcher, with which its namespace ends, and what made it."""
        if self._main is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._main, signal.SIGKILL)
        self._process.kill()

    def _last_words(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):  # what ends by itself tells by its status why
            self._process.wait(timeout=LAST_WORDS_S)
        self._end()
        try:
            _, stderr = self._process.communicate(timeout=PATIENCE_S)
        except (subprocess.TimeoutExpired, OSError, ValueError):
            return "it left no message"
        lines = stderr.decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"exit status {self._process.returncode}"


def _open_to_all(folder: Path) -> bool:
    """Tell whether any user may enter the folder along its path."""
    return all(place.stat().st_mode & 0o001 for place in (folder, *folder.parents))
