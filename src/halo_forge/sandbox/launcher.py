"""The process that runs jobs, one at a time; it runs as a script inside the sandbox and imports nothing of ours.

A program is never started from the harness itself: a trainer of several gigabytes would pay for copying its page tables
at each fork. The launcher is small and warm. How it fences jobs in, and clears up behind them, is the business of the
fence it is given: `namespace_fence.py` or `host_fence.py`.

A job is a program, or a copy of this very process that runs one of the scripts it has loaded, or a trusted script's
answer given by this process itself. What a program is given never passes through this process's memory, where the copy
made for a later one could look for it: contents travel as descriptors.

Messages on the control socket (sequenced packets): settings come in once and `ready` goes out; then a JSON request with
descriptors comes in and the JSON report goes out once the last process of the job is gone. `kill` ends the job that
runs. When the harness dies the socket closes, which ends the job and the launcher.
"""

import builtins
import contextlib
import ctypes
import fcntl
import gc
import json
import os
import resource
import select
import signal
import socket
import struct
import sys
import time
import types
from importlib import import_module
from typing import Any

PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, PR_SET_CHILD_SUBREAPER = 4, 22, 38, 36
SECCOMP_MODE_FILTER = 2
TARGETS, OWN, PAYLOAD = 8, 200, 5
MESSAGE_BYTES, DESCRIPTORS = 1 << 20, 250
PAYLOAD_BYTES = 1 << 30
LIMIT_KINDS = {
    "memory": resource.RLIMIT_AS, "file": resource.RLIMIT_FSIZE, "open_files": resource.RLIMIT_NOFILE,
    "processes": resource.RLIMIT_NPROC, "cpu": resource.RLIMIT_CPU, "core": resource.RLIMIT_CORE,
}  # fmt: skip
libc = ctypes.CDLL(None, use_errno=True)


def call(result: int, deed: str) -> None:
    """Raise OSError when a C library call failed."""
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"cannot {deed}: {os.strerror(code)}")


class Filter(ctypes.Structure):
    """A system-call filter as the kernel wants it (`struct sock_fprog`)."""

    _fields_ = (("length", ctypes.c_ushort), ("program", ctypes.c_char_p))


class Launcher:
    """Serves one harness.

    A copy of a process pays for every page it touches, so whatever a job can inherit is arranged here, before the copy
    is made: its descriptors, its folder, and for images the limits that all of their jobs have.

    Args:
        control: the socket to the harness.
        nowhere: a descriptor of the null device.
        settings: `fence` (a source) and `scripts` (sources by module name), `modules` to import beforehand, `filter`
            (hexadecimal), `limits` that every job has, and what the fence wants.
    """

    def __init__(self, control: socket.socket, nowhere: int, settings: dict[str, Any]) -> None:
        self.control = control
        self.nowhere = nowhere
        program = bytes.fromhex(settings["filter"])
        self.filter = ctypes.byref(Filter(len(program) // 8, program)) if program else None
        self.fence = load("fence", settings["fence"]).Fence(libc, call, settings)
        for name in settings["modules"]:
            import_module(name)
        self.scripts = {name: load(name, source) for name, source in settings["scripts"].items()}
        compile("0", "", "exec")  # the first compilation of a process makes the types of syntax trees: a millisecond
        sys.modules["__main__"] = types.ModuleType("__main__")
        call(libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "adopt orphans")
        call(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "refuse new privileges")
        call(libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "refuse to be traced")
        set_limits(settings["limits"])
        gc.collect()
        gc.freeze()

    def serve(self) -> None:
        """Serve jobs until the harness closes the socket."""
        self.control.send(b"ready")
        while True:
            message, descriptors = self.received()
            if not message:
                return
            if message == b"kill":  # meant for a job that had just ended
                continue
            request = json.loads(message)
            report = (self.answer if request["inline"] else self.run)(request, descriptors)
            if report is None:
                return
            self.control.send(json.dumps(report).encode())

    def received(self) -> tuple[bytes, list[int]]:
        """Receive a message and its descriptors, which no program inherits (`socket.recv_fds` forgets its flags)."""
        room = socket.CMSG_SPACE(DESCRIPTORS * struct.calcsize("i"))
        message, ancillary, _, _ = self.control.recvmsg(MESSAGE_BYTES, room, socket.MSG_CMSG_CLOEXEC)
        packed = b"".join(data for _, _, data in ancillary)
        return message, list(struct.unpack(f"{len(packed) // struct.calcsize('i')}i", packed))

    def answer(self, request: dict[str, Any], descriptors: list[int]) -> dict[str, Any]:
        """Let a script do its work in this process; it is trusted, and runs nothing of a program's."""
        given = dict(zip(request["targets"], descriptors, strict=True))
        started = time.process_time()
        try:
            payload = os.pread(given[PAYLOAD], PAYLOAD_BYTES, 0)
            report = self.scripts[request["argv"][0]].serve(payload, given[0], given[1])
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return {"status": 0, "cpu_s": time.process_time() - started, "peak_kb": peak_kb, "report": report}

    def run(self, request: dict[str, Any], descriptors: list[int]) -> dict[str, Any] | None:
        """Run one job to its end; return the report, or None when the harness has gone."""
        files, given = descriptors[: len(request["files"])], descriptors[len(request["files"]) :]
        try:
            self.fence.open(request, files)
            self.arrange(request, given)
            main = self.start(request)
        except OSError as error:
            self.fence.close()
            return {"error": str(error)}
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
            for target in request["targets"]:
                os.dup2(self.nowhere, target, inheritable=target <= 2)
            os.chdir("/")
        present = self.attend(main)
        report = self.reap(main)
        self.fence.close()
        return report if present else None

    def arrange(self, request: dict[str, Any], descriptors: list[int]) -> None:
        """Put the job's descriptors in their places, and go to its folder."""
        for descriptor, target in zip(descriptors, request["targets"], strict=True):
            os.dup2(descriptor, target)
        os.chdir(self.fence.placed(request["folder"]))

    def start(self, request: dict[str, Any]) -> int:
        """Start the job; return its process id.

        Raises:
            OSError: the program does not exist or cannot be started.
        """
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                self.become(request)
            except BaseException as error:  # noqa: BLE001  (whatever it is, a copy of the launcher must not go on)
                with contextlib.suppress(OSError):
                    os.write(writer, str(error).encode()[:1000])
            os._exit(70)
        os.close(writer)
        said = os.read(reader, 1000)
        os.close(reader)
        if said:
            os.waitpid(child, 0)
            raise OSError(said.decode(errors="replace"))
        return child

    def become(self, request: dict[str, Any]) -> None:
        """Turn this copy of the launcher into the job."""
        set_limits(request["limits"])
        self.fence.confine()
        if self.filter:
            call(libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, self.filter, 0, 0), "filter calls")
        if request["script"]:
            for target in range(3, TARGETS):
                if target not in request["targets"]:
                    os.close(target)
            os.closerange(TARGETS, 1 << 20)
            sys.argv = request["argv"]
            self.scripts[request["argv"][0]].main()
            os._exit(0)
        argv = [self.fence.placed(word) for word in request["argv"]]
        os.execve(argv[0], argv, {name: self.fence.placed(value) for name, value in request["env"].items()})

    def attend(self, main: int) -> bool:
        """Wait until the program ends, obeying `kill`; return whether the harness is still there."""
        handle = os.pidfd_open(main)
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        poll.register(self.control, select.POLLIN)
        present = True
        try:
            while True:
                ready = {descriptor for descriptor, _ in poll.poll(self.fence.pause_ms)}
                if handle in ready:
                    return present
                if ready:
                    present = bool(self.control.recv(64))
                    poll.unregister(self.control)
                if ready or self.fence.overgrown():
                    self.fence.kill(main)
        finally:
            os.close(handle)

    def reap(self, main: int) -> dict[str, Any]:
        """Wait for the program, kill whatever it has left, and return its status and what all of it used."""
        report: dict[str, Any] = {"cpu_s": 0.0, "peak_kb": 0}
        pid, status, usage = os.wait4(main, 0)
        report["status"] = os.waitstatus_to_exitcode(status)
        while pid:
            report["cpu_s"] += usage.ru_utime + usage.ru_stime
            report["peak_kb"] = max(report["peak_kb"], usage.ru_maxrss)
            pid = 0
            while not pid:
                self.fence.sweep()
                try:
                    pid, _, usage = os.wait4(-1, self.fence.wait_options)
                except ChildProcessError:
                    break
        return report


def set_limits(limits: dict[str, list[int]]) -> None:
    """Set soft and hard resource limits of this process and those it starts."""
    for name, (soft, hard) in limits.items():
        resource.setrlimit(LIMIT_KINDS[name], (soft, hard))


def load(name: str, source: str) -> types.ModuleType:
    """Make a module of a source."""
    module = types.ModuleType(name)
    sys.modules[name] = module
    parent, _, last = name.rpartition(".")
    if parent:
        setattr(sys.modules.setdefault(parent, types.ModuleType(parent)), last, module)
    exec(compile(source, f"<{name}>", "exec"), vars(module))
    return module


def add_site_builtins() -> None:
    """Add the builtins that the site module gives a program, without the folders of packages it looks into."""
    quitter = import_module("_sitebuiltins").Quitter
    vars(builtins).update(exit=quitter("exit", "Ctrl-D (i.e. EOF)"), quit=quitter("quit", "Ctrl-D (i.e. EOF)"))


def main() -> None:
    """Read the settings and serve; what goes wrong here is told on the standard error that the harness gave."""
    sys.path[:] = [folder for folder in sys.path if folder]
    for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    add_site_builtins()
    control = socket.socket(fileno=fcntl.fcntl(int(sys.argv[1]), fcntl.F_DUPFD_CLOEXEC, OWN))
    complaints = fcntl.fcntl(2, fcntl.F_DUPFD_CLOEXEC, OWN)
    nowhere = fcntl.fcntl(os.open(os.devnull, os.O_RDWR), fcntl.F_DUPFD_CLOEXEC, OWN)
    for target in range(TARGETS):  # so that what arrives on the socket never takes a number that a job's own may need
        os.dup2(nowhere, target, inheritable=target <= 2)
    os.closerange(TARGETS, OWN)
    try:
        Launcher(control, nowhere, json.loads(control.recv(MESSAGE_BYTES))).serve()
    except BaseException as error:
        os.write(complaints, f"{type(error).__name__}: {error}".encode())
        raise


if __name__ == "__main__":
    main()
