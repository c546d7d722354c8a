"""Machines with a network of their own, made of this one's namespaces: joined by a switch whose links can be cut.

Each has an address, a name, shared memory, and its own copy of what it was brought from the tests' folder; of that
folder it sees nothing else. Programs and libraries are those of this machine.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import psutil
import pytest

from halo_forge.sandbox.spare_uid import SPARE_UIDS

TOOL = shutil.which("ip", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
# What a command finds in place of this machine's: a name, shared memory, and folders.
ENTER = """set -e
hostname "$1"
mount -t tmpfs none /dev/shm
mount --bind "$2/hosts" /etc/hosts
mkdir -p /tmp/ray; mount --bind "$2/ray" /tmp/ray
[ -z "$3" ] || mount --bind "$2/files" "$3"
shift 3
exec "$@"
"""
CLONE_NEWNET = 0x40000000
UIDS_EACH = 40
_numbers = itertools.count()


@cache
def why_not() -> str:
    """Why there can be no such machines here; empty if they can be."""
    if TOOL is None:
        return "needs `ip`: apt-get install iproute2"
    if os.geteuid():
        return "needs root, for network namespaces"
    name = f"hf{os.getpid()}try"
    tried = subprocess.run([TOOL, "netns", "add", name], capture_output=True, text=True)
    subprocess.run([TOOL, "netns", "del", name], capture_output=True)
    return f"no network namespaces here: {tried.stderr.strip()}" if tried.returncode else ""


needs_machines = pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")


def _ip(*words: str) -> None:
    assert TOOL is not None
    subprocess.run([TOOL, *words], check=True, capture_output=True, text=True)


class Machine:
    """One of them.

    Args:
        files: the folder of which it has its own; None has it see the tests' own.
    """

    def __init__(self, name: str, address: str, port: str, switch: str, folder: Path, files: Path | None) -> None:
        self.name, self.address = name, address
        self._port, self._switch, self._folder, self._files = port, switch, folder, files
        self._started: list[subprocess.Popen[bytes]] = []
        self.claims: list[socket.socket] = []
        for part in ("ray", "files"):
            (folder / part).mkdir(parents=True)

    def introduce(self, others: Sequence[Machine]) -> None:
        """Tell it the others' names; its own stands for 127.0.1.1, as Debian's installer has it."""
        lines = ["127.0.0.1 localhost", f"127.0.1.1 {self.name}"]
        lines += [f"{other.address} {other.name}" for other in others if other is not self]
        (self._folder / "hosts").write_text("".join(f"{line}\n" for line in lines))

    def bring(self, *folders: Path) -> None:
        """Copy files and folders to it, under the same paths."""
        for path in folders:
            if self._files is not None:
                there = self._folder / "files" / path.relative_to(self._files)
                there.parent.mkdir(parents=True, exist_ok=True)
                if path.is_dir():
                    shutil.copytree(path, there, dirs_exist_ok=True)
                else:
                    shutil.copy2(path, there)

    def sees(self, path: Path) -> Path:
        """Where from outside lies what it sees under a path."""
        return path if self._files is None else self._folder / "files" / path.relative_to(self._files)

    def command(self, words: Sequence[str | Path]) -> list[str]:
        """A command as it is to be started to run there."""
        # Not by `ip netns exec`, which hides the control groups.
        enter = ["nsenter", f"--net=/run/netns/{self.name}", "unshare", "--mount", "--uts", "sh", "-c", ENTER, "sh"]
        return [*enter, self.name, str(self._folder), str(self._files or ""), *map(str, words)]

    def start(
        self, words: Sequence[str | Path], log: Path, environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a command there; what it says goes to a log here."""
        with log.open("ab") as file:
            process = subprocess.Popen(
                self.command(words), stdout=file, stderr=file, env=environment, start_new_session=True
            )
        self._started.append(process)
        return process

    def cut(self) -> None:
        """Have nothing get to it or come from it any more; its own end of the link stays up, and no end is told."""
        _ip("-n", self._switch, "link", "set", self._port, "nomaster")

    def join(self) -> None:
        """End that."""
        _ip("-n", self._switch, "link", "set", self._port, "master", "bridge")

    def kill(self) -> None:
        """End every process there at once; their kernel closes their connections."""
        while processes := self.processes():
            for process in processes:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(processes, timeout=1)
        for started in self._started:
            started.kill()
            started.wait()

    def processes(self) -> list[psutil.Process]:
        """What runs there."""
        assert TOOL is not None
        listed = subprocess.run([TOOL, "netns", "pids", self.name], capture_output=True, text=True, check=True)
        found = []
        for process in listed.stdout.split():
            with suppress(psutil.NoSuchProcess):
                found.append(psutil.Process(int(process)))
        return [each for each in found if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]


def _claim(machine: Machine, numbers: Sequence[int]) -> None:
    """Take user ids there, so that no two machines run programs under the same one.

    Each namespace has a table of claims of its own, but processes and users are those of all.
    """

    def take() -> None:  # in a thread of its own, as that is what is moved
        with Path(f"/run/netns/{machine.name}").open() as namespace:
            assert ctypes.CDLL(None).setns(namespace.fileno(), CLONE_NEWNET) == 0
        for number in numbers:
            machine.claims.append(claim := socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
            claim.bind(f"\0halo-forge-uid-{number}")

    thread = threading.Thread(target=take)
    thread.start()
    thread.join()
    assert len(machine.claims) == len(numbers)


@contextmanager
def joined_machines(count: int, folder: Path, files: Path) -> Iterator[list[Machine]]:
    """Bring up machines on one switch; the first sees the tests' folder, the others only what they are brought.

    Args:
        folder: of their own files; outside of `files` or not.
        files: the tests' folder.
    """
    start = f"hf{os.getpid()}x{next(_numbers)}"
    switch = f"{start}sw"
    made: list[str] = []
    machines: list[Machine] = []
    try:
        _ip("netns", "add", switch)
        made.append(switch)
        _ip("-n", switch, "link", "add", "bridge", "type", "bridge")
        _ip("-n", switch, "link", "set", "bridge", "up")
        for number in range(count):
            name, port = f"{start}m{number}", f"port{number}"
            _ip("netns", "add", name)
            made.append(name)
            _ip("-n", switch, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", name)
            _ip("-n", switch, "link", "set", port, "master", "bridge", "up")
            _ip("-n", name, "link", "set", "lo", "up")
            _ip("-n", name, "addr", "add", f"10.77.0.{number + 1}/24", "dev", "eth0")
            _ip("-n", name, "link", "set", "eth0", "up")
            own = folder / name
            machines.append(Machine(name, f"10.77.0.{number + 1}", port, switch, own, files if number else None))
        for number, machine in enumerate(machines):
            machine.introduce(machines)
            _claim(machine, SPARE_UIDS[: UIDS_EACH * (number + 1)])
        yield machines
    finally:
        for machine in machines:
            machine.kill()
            for claim in machine.claims:
                claim.close()
        for name in made:
            _ip("netns", "del", name)
