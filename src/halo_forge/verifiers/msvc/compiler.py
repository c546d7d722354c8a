"""Microsoft's compiler on the build host: one open session a worker, and what the compiler's words mean."""

from __future__ import annotations

import base64
import queue
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from halo_forge.core.errors import EnvironmentFault
from halo_forge.verifiers.msvc.ssh_session import Host, SessionEnded, ShellSession

Language = Literal["c", "c++"]

SCRIPT = Path(__file__).with_name("remote.ps1")
SUFFIX: dict[Language, str] = {"c": "c", "c++": "cpp"}
START_S = 90.0
ANSWER_S = 30.0
NOT_RECOGNIZED = 9009
TRIVIAL = "#include <stdlib.h>\nint main(void) { return 0; }\n"
ERROR = re.compile(r"^.*\b(?:fatal )?error (?:C|LNK)\d{4}\b.*$", re.MULTILINE)
WARNING = re.compile(r"^(?:program\.\w+|.*[\\/]program\.\w+)\(\d+(?:,\d+)?\)\s*: warning C4\d{3}\b.*$", re.MULTILINE)
# Codes of errors that the machine may be to blame for: no memory, no disk, a file that cannot be written, bad options.
# A program can print the same words, so they are a reason to try a trivial one and not yet a fault.
SUSPICIOUS = re.compile(r"error (?:C10(?:01|02|60|83|85|90|91)|LNK1(?:104|180|318)|D8\d{3})\b")
CAUSES = {
    "no-vcvars": "has no C++ build tools where they were looked for: install them, or set the option vcvars",
    "no-cl": "has no cl.exe on the PATH that vcvars sets: install the C++ build tools, or set the option vcvars",
}


class Run(NamedTuple):
    """How a command on the host ended."""

    exit_status: int
    timed_out: bool
    wall_s: float
    output: str


class Compiled(NamedTuple):
    """How one compilation ended.

    Args:
        ok: it compiles.
        warned: there are warnings about the program.
        detail: the first error or warning.
        timed_out: it was killed at its limit.
    """

    ok: bool
    warned: bool
    detail: str
    timed_out: bool = False


class RemoteCompiler:
    """The compiler, for several threads at a time.

    Args:
        host: where.
        vcvars: what sets its environment, `""` to look for it.
        options: options of a compilation in each language.
        timeout_s: seconds on the clock of one compilation.

    Raises:
        EnvironmentFault: the host cannot be reached, refuses us, or its compiler does not work.
    """

    def __init__(self, host: Host, vcvars: str, options: Mapping[Language, str], timeout_s: float) -> None:
        self._host = host
        self._vcvars = vcvars
        self._options = dict(options)
        self._timeout_s = timeout_s
        self._script = SCRIPT.read_bytes()
        self._idle: queue.LifoQueue[ShellSession] = queue.LifoQueue()
        self.version = ""
        try:
            for language in self._options:
                self.require_working(language)
        except EnvironmentFault:
            self.close()
            raise

    def compile(self, language: Language, source: str) -> Compiled:
        """Compile one program; a connection that has broken is made anew once.

        Raises:
            EnvironmentFault: the host failed, not the program.
        """
        run = self._run(language, source)
        output = run.output
        if run.timed_out:
            self.require_working(language)
            return Compiled(
                ok=False, warned=False, detail=f"the compiler timed out after {run.wall_s:.1f} s", timed_out=True
            )
        if run.exit_status == 0:
            warning = WARNING.search(output)
            return Compiled(ok=True, warned=warning is not None, detail=warning[0].strip() if warning else "")
        error = ERROR.search(output)
        if error is None or run.exit_status == NOT_RECOGNIZED or SUSPICIOUS.search(output):
            self.require_working(language)
        detail = error[0].strip() if error else f"the compiler failed: {output.strip()}"
        return Compiled(ok=False, warned=False, detail=detail)

    def require_working(self, language: Language) -> None:
        """Compile a trivial program, so that a broken compiler is not taken for a broken program.

        Raises:
            EnvironmentFault: that fails.
        """
        run = self._run(language, TRIVIAL)
        if run.exit_status != 0:
            words = run.output.strip().splitlines()
            said = "it timed out" if run.timed_out else words[-1] if words else f"exit status {run.exit_status}"
            raise EnvironmentFault(
                f"the compiler on {self._host.label} does not compile a trivial program: {said}: mend it there"
            )

    def close(self) -> None:
        """Close the idle sessions."""
        while True:
            try:
                self._idle.get_nowait().close()
            except queue.Empty:
                return

    def _run(self, language: Language, source: str) -> Run:
        file = f"program.{SUFFIX[language]}"
        request = {
            "source": base64.b64encode(source.encode(errors="replace")).decode(),
            "file": file,
            "command": f"cl.exe {self._options[language]} {file}",
            "timeout_ms": round(1000 * self._timeout_s),
        }
        try:
            session = self._idle.get_nowait()
        except queue.Empty:
            return self._called(self._started(), request)
        try:
            return self._called(session, request)
        except SessionEnded:
            return self._called(self._started(), request)

    def _called(self, session: ShellSession, request: Mapping[str, object]) -> Run:
        try:
            reply = session.call("Invoke-HaloCheck", request, self._timeout_s + ANSWER_S)
        except EnvironmentFault:
            session.close()
            raise
        self._idle.put(session)
        return self._read(reply)

    def _started(self) -> ShellSession:
        session = ShellSession(self._host, self._script)
        try:
            request = {"token": session.token, "vcvars": self._vcvars}
            banner = self._read(session.call("Start-HaloSession", request, self._host.connect_timeout_s + START_S))
        except EnvironmentFault:
            session.close()
            raise
        lines = banner.output.strip().splitlines()
        self.version = self.version or (lines[0].strip() if lines else "")
        return session

    def _read(self, reply: Mapping[str, Any]) -> Run:
        fault = reply.get("fault")
        if fault is not None:
            raise EnvironmentFault(f"{self._host.label} {CAUSES.get(fault, f'cannot check a program: {fault}')}")
        try:
            output = base64.b64decode(reply["output"], validate=True).decode(errors="replace")
            return Run(int(reply["exit_status"]), bool(reply["timed_out"]), float(reply["wall_s"]), output)
        except (KeyError, TypeError, ValueError) as error:
            raise EnvironmentFault(f"{self._host.label} gives an answer that lacks {error}") from error
