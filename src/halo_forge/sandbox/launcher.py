"""The helper process that starts sandboxed programs, one at a time; it runs as a script and imports nothing of ours.

A program is never started from the harness itself. A trainer of several gigabytes would pay for copying its page
tables at each fork, and the kernel would report the trainer's size as the program's peak memory. The launcher is small,
has already become the spare user, and adopts whatever its program leaves behind, so that nothing outlives a job.

Messages on the control socket (sequenced packets): a JSON request with descriptors comes in; the JSON report goes out
once the last process of the job is gone. `kill` ends the job that runs. When the harness dies the socket closes, which
ends the job as well.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import resource  # noqa: F401  (os.wait4 imports it, which fails once the interpreter's folder is out of reach)
import select
import signal
import socket
import sys
from pathlib import Path
from typing import Any

PR_SET_CHILD_SUBREAPER = 36
CLONE_NEWNS = 0x20000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
SHOWN = Path("/mnt")
DESCRIPTORS_FROM = 200
SWEEP_PAUSE_S = 0.002
ACCOUNTING_PATIENCE_MS = 100


def show(folders: list[str]) -> None:
    """Bind folders that the spare user cannot reach to `/mnt/0`, `/mnt/1`, … in a mount namespace of our own."""
    if folders:
        libc = ctypes.CDLL(None, use_errno=True)
        call(libc.unshare(CLONE_NEWNS), "unshare the mount namespace")
        call(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None), "make mounts private")
        call(libc.mount(b"none", os.fsencode(SHOWN), b"tmpfs", 0, b"mode=755"), f"mount over {SHOWN}")
    for number, folder in enumerate(folders):
        place = SHOWN / str(number)
        place.mkdir()
        call(libc.mount(os.fsencode(folder), os.fsencode(place), None, MS_BIND, None), f"bind {folder}")


def call(result: int, deed: str) -> None:
    """Raise OSError when a C library call failed."""
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"cannot {deed}: {os.strerror(code)}")


def become(uid: int) -> None:
    """Give up root for good; -1 keeps the user."""
    if uid >= 0:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)


def spawn(request: dict[str, Any], descriptors: list[int], status_writer: int) -> int:
    """Start the program with each descriptor under the number the request gives it; return its process id."""
    targets = list(request["targets"])
    if request["status_target"] is None:
        os.close(status_writer)
    else:
        descriptors = [*descriptors, status_writer]
        targets.append(request["status_target"])
    actions: list[tuple[int, int, int]] = []
    high: list[int] = []
    try:
        for descriptor, target in zip(descriptors, targets, strict=True):
            high.append(fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, DESCRIPTORS_FROM))
            actions.append((os.POSIX_SPAWN_DUP2, high[-1], target))
        return os.posix_spawn(
            request["argv"][0],
            request["argv"],
            request["env"],
            file_actions=actions,
            setsid=True,
            setsigdef=[signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT],
        )
    finally:
        for descriptor in [*high, *descriptors]:
            os.close(descriptor)


def children() -> dict[int, list[int]]:
    """Return the children of every process."""
    found: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                found.setdefault(parent, []).append(int(entry.name))
    return found


def kill_children() -> None:
    """Kill every process whose parent is this one: the program, or what it left behind."""
    for child in children().get(os.getpid(), []):
        with contextlib.suppress(OSError):
            os.kill(child, signal.SIGKILL)


def kill_leaves(main: int) -> None:
    """Kill those processes below the program that have none below them, so that the others account for their time."""
    below = children()
    level = below.get(main, [])
    while level:
        for process in level:
            if process not in below:
                with contextlib.suppress(OSError):
                    os.kill(process, signal.SIGKILL)
        level = [child for process in level for child in below.get(process, [])]


def reap(main: int, sweep: bool) -> dict[str, Any]:
    """Wait for the program and everything it left behind; return its status and what all of them used."""
    report: dict[str, Any] = {"status": None, "cpu_s": 0.0, "main_kb": 0, "inner_kb": 0}
    while True:
        try:
            pid, status, usage = os.wait4(-1, os.WNOHANG if sweep and report["status"] is not None else 0)
        except ChildProcessError:
            return report
        if pid == 0:
            kill_children()
            select.select([], [], [], SWEEP_PAUSE_S)
            continue
        report["cpu_s"] += usage.ru_utime + usage.ru_stime
        kind = "main_kb" if pid == main else "inner_kb"
        report[kind] = max(report[kind], usage.ru_maxrss)
        if pid == main:
            report["status"] = os.waitstatus_to_exitcode(status)


def attend(control: socket.socket, main: int) -> bool:
    """Wait until the program ends, obeying `kill`; return whether the harness is still there."""
    handle = os.pidfd_open(main)
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    poll.register(control, select.POLLIN)
    present = True
    try:
        while True:
            ready = {descriptor for descriptor, _ in poll.poll()}
            if handle in ready:
                return present
            present = bool(control.recv(64))
            poll.unregister(control)
            kill_leaves(main)
            poll.poll(ACCOUNTING_PATIENCE_MS)
            os.kill(main, signal.SIGKILL)
    finally:
        os.close(handle)


def run(control: socket.socket, request: dict[str, Any], descriptors: list[int]) -> dict[str, Any] | None:
    """Run one job to its end; return the report, or None when the harness has gone."""
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as status_stream:
        try:
            main = spawn(request, descriptors, writer)
        except OSError as error:
            return {"error": str(error)}
        present = attend(control, main)
        report = reap(main, request["sweep"])
        report["notes"] = status_stream.read(65536).decode(errors="replace")
    return report if present else None


def serve() -> None:
    """Serve jobs until the harness closes the socket."""
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    show(sys.argv[3:])
    become(int(sys.argv[2]))
    call(ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "adopt orphans")
    control.send(b"ready")
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 1 << 20, 250)
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)
        if not message:
            return
        if message == b"kill":  # meant for a job that had just ended
            continue
        report = run(control, json.loads(message), list(descriptors))
        if report is None:
            return
        control.send(json.dumps(report).encode())


if __name__ == "__main__":
    serve()
