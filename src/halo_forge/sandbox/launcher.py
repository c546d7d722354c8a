"""The process that runs jobs, one at a time; it runs as a script inside the sandbox and imports nothing of ours.

A program is never started from the harness itself: a trainer of several gigabytes would pay for copying its page tables
at each fork. The launcher is small and warm. How it fences jobs in, and clears up behind them, is the business of the
fence it is given: `namespace_fence.py` or `host_fence.py`.

A job is a program, or a copy of this very process that runs one of the scripts it has loaded, or a trusted script's
answer given by this process itself. What a program is given never passes through this process's memory, where the copy
made for a later one could look for it: contents travel as descriptors.

Messages on the control socket (sequenced packets): settings come in once, as JSON, and `ready` goes out; then a
request (`Request`, marshalled) with descriptors comes in, and a report goes out once the last process of the job is
gone. `kill N` ends the Nth job if it still runs. When the harness dies the socket closes, which ends the job and the
launcher; a launcher that cannot clear up behind a job says so and ends.

After a fork both sides pay for every page they touch, a few microseconds each, so the code between two forks is plain:
no JSON, no context managers, and whatever a job can inherit is arranged before the copy is made. A launcher with
scripts is itself confined like its jobs before it takes the first one, where its fence can do that.
"""

import _socket as socket  # the module `socket` wraps it in enumerations, whose pages every copy would carry
import builtins
import ctypes
import fcntl
import gc
import json
import marshal
import os
import resource
import select
import signal
import struct
import sys
import time
import types
from importlib import import_module
from typing import Any, NamedTuple

PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, PR_SET_CHILD_SUBREAPER = 4, 22, 38, 36
SECCOMP_MODE_FILTER = 2
TARGETS, OWN, CHANNEL, LINK, PAYLOAD = 8, 200, 3, 4, 5
MESSAGE_BYTES, DESCRIPTORS = 1 << 20, 250
FRAMES = 8  # between a new interpreter's first frame and what a script runs: ours, and those of the scripts
FILE_KIND, REGULAR_FILE = 0o170000, 0o100000
PROGRAM, SCRIPT, INLINE, STANDBY = 0, 1, 2, 3
REPORT = struct.Struct("=?idd")
libc = ctypes.CDLL(None, use_errno=True)


class Request(NamedTuple):
    """A job.

    Args:
        kind: a program, a script, a script inline, or a script on standby.
        argv: the program and its arguments, or the script's name.
        env: the program's environment.
        targets: the numbers under which it finds the descriptors that come with the request.
        files: names under `/job`; the descriptors of their contents come first.
        folder: where it starts.
        disk_mb: size of its work folder, 0 for none.
        limits: (kind, soft, hard) of its resource limits.
        returned: a file whose content goes to descriptor 3 when a program has ended with status 0, `""` for none.
    """

    kind: int
    argv: list[str]
    env: dict[str, str]
    targets: list[int]
    files: list[str]
    folder: str
    disk_mb: int
    limits: list[tuple[int, int, int]]
    returned: str


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
        control: the socket to the harness.
        nowhere: a descriptor of the null device.
        settings: `fence` (a source) and `scripts` (sources by module name), `modules` to import beforehand, `filter`
            (hexadecimal), `limits` and `disk_mb` of every job of a launcher with scripts, and what the fence wants.
    """

    def __init__(self, control: socket.socket, nowhere: int, settings: dict[str, Any]) -> None:
        self.control = control
        self.nowhere = nowhere
        self.spent = False
        self.jobs = 0
        self.folder = "/"
        self.complaints, self.complain = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self.room = socket.CMSG_SPACE(DESCRIPTORS * struct.calcsize("i"))
        self.poll = select.poll()
        self.poll.register(control, select.POLLIN)
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
        sys.setrecursionlimit(sys.getrecursionlimit() + FRAMES)
        if self.scripts:  # as in a new Python
            signal.signal(signal.SIGPIPE, signal.SIG_IGN)
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        self.confined = bool(self.scripts) and self.fence.settle(settings["disk_mb"])
        if self.confined:
            self.folder = "/work" if settings["disk_mb"] else "/"
            os.chdir(self.folder)
            self.confine()
        gc.collect()
        gc.freeze()
        gc.disable()

    def serve(self) -> None:
        """Serve jobs until the harness closes the socket."""
        self.control.send(b"ready")
        while True:
            message, ancillary, _, _ = self.control.recvmsg(MESSAGE_BYTES, self.room, socket.MSG_CMSG_CLOEXEC)
            if not message:
                return
            if message.startswith(b"kill"):  # meant for a job that had just ended
                continue
            packed = ancillary[0][2] if ancillary else b""
            descriptors = list(memoryview(packed).cast("i"))
            request = Request(*marshal.loads(message))
            if request.kind == STANDBY:
                self.stand_by(request)
                return
            report = self.answer(request, descriptors) if request.kind == INLINE else self.run(request, descriptors)
            if report is None:
                return
            self.control.send(report)
            if self.spent:
                return

    def answer(self, request: Request, descriptors: list[int]) -> bytes:
        """Let a script do its work in this process; it is trusted, and runs nothing of a program's."""
        given = dict(zip(request.targets, descriptors, strict=True))
        started = time.process_time()
        try:
            payload = os.pread(given[PAYLOAD], os.fstat(given[PAYLOAD]).st_size, 0)
            content: str = self.scripts[request.argv[0]].serve(payload, given[LINK])
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return b"R" + REPORT.pack(False, 0, time.process_time() - started, peak_kb) + content.encode()

    def stand_by(self, request: Request) -> None:
        """Serve equal jobs with copies that are made before they are asked for, each with a socket on descriptor 4.

        The other end of the socket is sent before the copy is made, so that less is done while both exist; `kill` ends
        it, and makes the next.
        """
        while True:
            ours, theirs = socket.socketpair()
            self.control.sendmsg([b"L"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", ours.fileno()))])
            ours.close()
            report = self.run(request, [theirs.detach()])
            if report is None:
                return
            self.control.send(report)
            if self.spent or report.startswith(b"E"):
                return

    def run(self, request: Request, descriptors: list[int]) -> bytes | None:
        """Run one job, with the descriptors that came with it, to its end.

        Returns:
            The report, or None when the harness has gone.
        """
        self.jobs += 1
        contents = len(request.files)
        main, present, killed, failure = 0, True, False, ""
        try:
            self.fence.open(request, descriptors[:contents])
            for descriptor, target in zip(descriptors[contents:], request.targets, strict=True):
                os.dup2(descriptor, target)
            if request.folder != self.folder:
                os.chdir(self.fence.placed(request.folder))
            main = os.fork()
            if main == 0:
                self.become(request)
        except OSError as error:
            failure = str(error)
        status, cpu_s, peak_kb = -signal.SIGKILL, 0.0, 0
        if main:  # until it ends, every page touched here is copied
            present, killed = self.attend(main)
            status, cpu_s, peak_kb = self.reap(main)
        if main and not status and request.returned:
            failure = self.hand_back(request.returned)
        for descriptor in descriptors:
            os.close(descriptor)
        for target in request.targets:
            os.dup2(self.nowhere, target, target <= 2)
        if request.folder != self.folder:
            os.chdir("/")
        if main and status:
            failure = self.said()
        self.spent = not self.fence.close()
        if not present:
            return None
        tag = b"E" if failure else b"S" if self.spent else b"R"
        return tag + (failure.encode() or REPORT.pack(killed, status, cpu_s, peak_kb))

    def hand_back(self, path: str) -> str:
        """Send a file that the program has made; return what keeps it from it, `""` if nothing does."""
        try:
            content = os.open(self.fence.placed(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                found = os.fstat(content)
                if found.st_mode & FILE_KIND != REGULAR_FILE:
                    return f"its {path} does not come back: it is not a file"
                done, size = 0, found.st_size
                while done < size:
                    done += os.sendfile(CHANNEL, content, done, size - done)
            finally:
                os.close(content)
        except OSError as error:
            return f"its {path} does not come back: {error}"
        return ""

    def confine(self) -> None:
        """Give up, for good, what this process and those it starts must not do."""
        self.fence.confine()
        if self.filter:
            call(libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, self.filter, 0, 0), "filter calls")

    def said(self) -> str:
        """Return why a copy of the launcher could not become its job, `""` if it could."""
        try:
            return os.read(self.complaints, 1000).decode(errors="replace")
        except BlockingIOError:
            return ""

    def become(self, request: Request) -> None:
        """Turn this copy of the launcher into the job, or complain that it cannot be."""
        try:
            for kind, soft, hard in request.limits:
                resource.setrlimit(kind, (soft, hard))
            if not self.confined:
                self.confine()
            if request.kind != PROGRAM:
                os.closerange(TARGETS, 1 << 20)
                gc.enable()
                sys.argv = request.argv[1:]
                self.scripts[request.argv[0]].main()
                os._exit(0)
            if request.returned:
                os.close(CHANNEL)
            argv = [self.fence.placed(word) for word in request.argv]
            os.execve(argv[0], argv, {name: self.fence.placed(value) for name, value in request.env.items()})
        except BaseException as error:  # noqa: BLE001  (whatever it is, a copy of the launcher must not go on)
            try:  # noqa: SIM105
                os.write(self.complain, str(error).encode()[:1000])
            except OSError:
                pass  # a script raised: nobody listens any more
        os._exit(70)

    def attend(self, main: int) -> tuple[bool, bool]:
        """Wait until the program ends, obeying `kill`; return whether the harness is there, whether it was killed."""
        handle = os.pidfd_open(main)
        self.poll.register(handle, select.POLLIN)
        present, killed = True, False
        while True:
            ready = [descriptor for descriptor, _ in self.poll.poll(self.fence.pause_ms)]
            if handle in ready:
                break
            asked = False
            if ready:
                message = self.control.recv(64)
                present = bool(message)
                asked = not message or message == b"kill %d" % self.jobs  # another number is that of a job that ended
                if asked:
                    self.poll.unregister(self.control)
            if asked or self.fence.overgrown():
                killed = True
                self.fence.kill(main)
        self.poll.register(self.control, select.POLLIN)
        self.poll.unregister(handle)
        os.close(handle)
        return present, killed

    def reap(self, main: int) -> tuple[int, float, int]:
        """Wait for the program, kill whatever it has left; return its status, processor seconds and peak KiB of all."""
        pid, status, usage = os.wait4(main, 0)
        cpu_s, peak_kb = 0.0, 0
        while pid:
            cpu_s += usage.ru_utime + usage.ru_stime
            peak_kb = max(peak_kb, usage.ru_maxrss)
            pid = 0
            while not pid:
                self.fence.sweep()
                try:
                    pid, _, usage = os.wait4(-1, self.fence.wait_options)
                except ChildProcessError:
                    break
        return os.waitstatus_to_exitcode(status), cpu_s, peak_kb


def set_limits(limits: list[tuple[int, int, int]]) -> None:
    """Set soft and hard resource limits of this process and those it starts."""
    for kind, soft, hard in limits:
        resource.setrlimit(kind, (soft, hard))


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
