"""The process that runs jobs, one at a time; it runs as a script inside the sandbox and imports nothing of ours.

A program is never started from the harness itself: a trainer of several gigabytes would pay for copying its page tables
at each fork. The launcher is small and warm. How it fences jobs in, and clears up behind them, is the business of the
fence it is given: `namespace_fence.py` or `host_fence.py`.

A job is a program, or a copy of this very process that runs one of the scripts it has loaded. What a job is given never
passes through this process's memory, where the copy made for a later job could look for it: contents travel as
descriptors.

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
import sys
import types
from importlib import import_module
from typing import Any

PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, PR_SET_CHILD_SUBREAPER = 4, 22, 38, 36
SECCOMP_MODE_FILTER = 2
DESCRIPTORS_FROM = 200
MESSAGE_BYTES, DESCRIPTORS = 1 << 20, 250
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

    Args:
        control: the socket to it.
        settings: `fence` (a source) and `scripts` (sources by module name), `modules` to import beforehand, `filter`
            (hexadecimal), and what the fence wants.
    """

    def __init__(self, control: socket.socket, settings: dict[str, Any]) -> None:
        self.control = control
        program = bytes.fromhex(settings["filter"])
        self.filter = Filter(len(program) // 8, program) if program else None
        self.fence = load("fence", settings["fence"]).Fence(libc, call, settings)
        for name in settings["modules"]:
            import_module(name)
        self.mains = {name: load(name, source).main for name, source in settings["scripts"].items()}
        compile("0", "", "exec")  # the first compilation of a process makes the types of syntax trees: a millisecond
        call(libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "adopt orphans")
        gc.collect()
        gc.freeze()

    def serve(self) -> None:
        """Serve jobs until the harness closes the socket."""
        self.control.send(b"ready")
        while True:
            message, descriptors, _, _ = socket.recv_fds(self.control, MESSAGE_BYTES, DESCRIPTORS)
            if not message:
                return
            if message == b"kill":  # meant for a job that had just ended
                continue
            report = self.run(json.loads(message), list(descriptors))
            if report is None:
                return
            self.control.send(json.dumps(report).encode())

    def run(self, request: dict[str, Any], descriptors: list[int]) -> dict[str, Any] | None:
        """Run one job to its end; return the report, or None when the harness has gone."""
        files, given = descriptors[: len(request["files"])], descriptors[len(request["files"]) :]
        try:
            self.fence.open(request, files)
            main = self.start(request, given)
        except OSError as error:
            self.fence.close()
            return {"error": str(error)}
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        present = self.attend(main)
        report = self.reap(main)
        self.fence.close()
        return report if present else None

    def start(self, request: dict[str, Any], descriptors: list[int]) -> int:
        """Start the job; return its process id.

        Raises:
            OSError: the program does not exist or cannot be started.
        """
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                self.become(request, [*descriptors, writer])
            except BaseException as error:  # noqa: BLE001  (whatever it is, a copy of the launcher must not go on)
                with contextlib.suppress(OSError):
                    os.write(request["error_target"], str(error).encode()[:1000])
            os._exit(70)
        os.close(writer)
        said = os.read(reader, 1000)
        os.close(reader)
        if said:
            os.waitpid(child, 0)
            raise OSError(said.decode(errors="replace"))
        return child

    def become(self, request: dict[str, Any], descriptors: list[int]) -> None:
        """Turn this copy of the launcher into the job."""
        os.setsid()
        place_descriptors(descriptors, [*request["targets"], request["error_target"]])
        os.chdir(self.fence.placed(request["folder"]))
        os.umask(0o022)
        for name, limits in request["limits"].items():
            resource.setrlimit(LIMIT_KINDS[name], limits)
        call(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "refuse new privileges")
        self.fence.confine()
        call(libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "refuse to be traced")
        if self.filter:
            call(libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(self.filter), 0, 0), "filter calls")
        if request["script"]:
            self.play(request)
        else:
            for number in (signal.SIGPIPE, signal.SIGXFSZ):
                signal.signal(number, signal.SIG_DFL)
            argv = [self.fence.placed(word) for word in request["argv"]]
            os.execve(argv[0], argv, {name: self.fence.placed(value) for name, value in request["env"].items()})

    def play(self, request: dict[str, Any]) -> None:
        """Run a loaded script as if it were the main program of a new interpreter."""
        os.close(request["error_target"])
        signal.signal(signal.SIGINT, signal.default_int_handler)
        main = self.mains[request["argv"][0]]
        sys.argv = list(request["argv"])
        sys.modules["__main__"] = types.ModuleType("__main__")
        main()
        os._exit(0)

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


def place_descriptors(sources: list[int], targets: list[int]) -> None:
    """Give each descriptor its number and close all others; 0, 1 and 2 lead nowhere unless they are given.

    The last one, on which errors are told, closes when a program starts.
    """
    high = [fcntl.fcntl(source, fcntl.F_DUPFD_CLOEXEC, DESCRIPTORS_FROM) for source in sources]
    nowhere = os.open(os.devnull, os.O_RDWR)
    given = dict(zip(targets, high, strict=True))
    for target in range(max(targets) + 1):
        if target in given or target <= 2:
            os.dup2(given.get(target, nowhere), target, inheritable=target != targets[-1])
        else:
            with contextlib.suppress(OSError):
                os.close(target)
    os.closerange(max(targets) + 1, 1 << 20)


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
    """Read the settings and serve."""
    sys.path[:] = [folder for folder in sys.path if folder]
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    add_site_builtins()
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    Launcher(control, json.loads(control.recv(MESSAGE_BYTES))).serve()


if __name__ == "__main__":
    main()
