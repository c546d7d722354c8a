"""Launcher processes, each of which runs one job at a time."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from halo_forge.core.errors import EnvironmentFault
from halo_forge.sandbox.descriptors import Descriptors

SPARE_UIDS = range(64_100, 64_900)
START_LIMIT_S = 30.0
SHOWN = Path("/mnt")
LAUNCHER = Path(__file__).with_name("launcher.py")


class Command(NamedTuple):
    """What a launcher is asked to start.

    Args:
        argv: program with an absolute path, and arguments.
        env: its environment.
        status_target: the descriptor on which bubblewrap notes the fate of its program, None without bubblewrap.
        sweep: whether leftover processes have to be looked for and killed one by one.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    status_target: int | None
    sweep: bool


class Report(NamedTuple):
    """What a launcher tells of an ended job.

    Args:
        status: exit status of the started program, negative for a signal.
        notes: what the program wrote to `status_target`.
        cpu_s: processor seconds of everything reaped.
        main_mb: largest of the started program and those it waited for, MiB.
        inner_mb: largest of the processes that it left to the launcher, MiB.
    """

    status: int
    notes: str
    cpu_s: float
    main_mb: float
    inner_mb: float


class Slot:
    """One launcher process.

    Args:
        uid: the spare user it becomes, or None to remain who we are.
        folders: host folders that this user shall see although it cannot reach them.
    """

    def __init__(self, uid: int | None, folders: Sequence[Path]) -> None:
        self.uid = uid
        self._shown = {folder: SHOWN / str(number) for number, folder in enumerate(folders)}
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            words = (LAUNCHER, theirs.fileno(), -1 if uid is None else uid, *folders)
            argv = [sys.executable, "-I", "-S", "-B", *map(str, words)]
            self._process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                pass_fds=[theirs.fileno()], env={}, cwd="/", start_new_session=True,
            )  # fmt: skip
        self.control.settimeout(START_LIMIT_S)
        if self._receive() != b"ready":
            self.control.close()
            raise EnvironmentFault(f"the sandbox's launcher did not start: {self._last_words()}")

    def shows(self, folders: Collection[Path]) -> bool:
        """Tell whether all of these folders can be seen."""
        return self._shown.keys() >= set(folders)

    def place(self, folder: Path) -> Path:
        """Return where the program's user sees a host folder."""
        return self._shown.get(folder, folder)

    def start(self, command: Command, descriptors: Descriptors) -> None:
        """Start a job.

        Raises:
            EnvironmentFault: the launcher is gone.
        """
        request = {**command._asdict(), "targets": descriptors.targets}
        try:
            socket.send_fds(self.control, [json.dumps(request).encode()], descriptors.sources)
        except OSError as error:
            raise EnvironmentFault(f"the sandbox's launcher cannot take a job: {error}") from error

    def kill(self) -> None:
        """Ask for the end of the running job."""
        try:
            self.control.send(b"kill")
        except OSError as error:
            raise EnvironmentFault(f"the sandbox's launcher is gone: {error}") from error

    def report(self) -> Report:
        """Receive the report of the job; call it when the control socket is readable.

        Raises:
            EnvironmentFault: the launcher died, or could not start the program.
        """
        message = self._receive()
        if not message:
            raise EnvironmentFault(f"the sandbox's launcher died: {self._last_words()}")
        fields: dict[str, Any] = json.loads(message)
        if "error" in fields:
            raise EnvironmentFault(f"the sandbox cannot start a process: {fields['error']}")
        mb = 1 / 1024
        return Report(
            fields["status"], fields["notes"], fields["cpu_s"], fields["main_kb"] * mb, fields["inner_kb"] * mb
        )

    def close(self) -> None:
        """End the launcher and whatever it runs."""
        self.control.close()
        if self._process.stderr:
            self._process.stderr.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _receive(self) -> bytes:
        try:
            return self.control.recv(1 << 20)
        except OSError:
            return b""

    def _last_words(self) -> str:
        self._process.kill()
        _, stderr = self._process.communicate()
        lines = stderr.decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"exit status {self._process.returncode}"


class SlotPool:
    """Idle launchers; a job takes one and gives it back.

    As root every launcher becomes a spare user of its own, so that jobs side by side share neither files nor signals.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[Slot] = []
        self._started = 0
        self._folders: dict[Path, None] = {}
        self._closed = False

    def take(self, folders: Collection[Path] = ()) -> Slot:
        """Return an idle launcher, starting one if there is none.

        Args:
            folders: host folders that its program has to see.

        Raises:
            EnvironmentFault: it cannot be started.
        """
        with self._lock:
            if self._closed:
                raise EnvironmentFault("the sandbox is closed")
            hard_to_reach = [folder for folder in folders if os.geteuid() == 0 and not _open_to_all(folder)]
            for slot in self._idle:
                if slot.shows(hard_to_reach):
                    self._idle.remove(slot)
                    return slot
            number = self._started
            self._started += 1
            self._folders |= dict.fromkeys(hard_to_reach)
        try:
            return Slot(_spare_uid(number), tuple(self._folders))
        except OSError as error:
            raise EnvironmentFault(f"the sandbox's launcher cannot be started: {error}") from error

    def give_back(self, slot: Slot, *, sound: bool) -> None:
        """Return a launcher; one that is not sound is ended."""
        with self._lock:
            keep = sound and not self._closed
            if keep:
                self._idle.append(slot)
        if not keep:
            slot.close()

    def close(self) -> None:
        """End all idle launchers; those at work end when they are given back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for slot in idle:
            slot.close()


def _spare_uid(number: int) -> int | None:
    """Return an unused user id for the launcher of that number, or None when we are not root."""
    if os.geteuid() != 0:
        return None
    return SPARE_UIDS[(os.getpid() * 16 + number) % len(SPARE_UIDS)]


def _open_to_all(folder: Path) -> bool:
    """Tell whether any user may enter the folder along its path."""
    return all(place.stat().st_mode & 0o001 for place in (folder, *folder.parents))
