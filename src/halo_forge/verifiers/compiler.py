"""Running the C and C++ compiler on untrusted source, inside the sandbox like everything else it leads to."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.protocols import Job, Limits, Outcome
from halo_forge.verifiers.batch import Meter
from halo_forge.verifiers.cpp_driver import Language

INSTALL = "install it with `apt-get install g++`"
SUFFIX: dict[Language, str] = {"c": "c", "c++": "cpp"}
WARNING = re.compile(r"^(?!driver:|tests:|cc1|g\+\+|gcc)\S.*?\bwarning: ", re.MULTILINE)
ERROR = re.compile(r"^.*\b(?:error|undefined reference|undefined symbol)\b.*$", re.MULTILINE)
IN_PROGRAM = re.compile(r"\S*/job/program\.")
HIDING = re.compile(
    r"^[ \t]*(?:\#|%:|\?\?=)[ \t]*(?:pragma[ \t]+GCC[ \t]+(?:diagnostic|system_header)|line\b|\d)|\b_Pragma\b",
    re.MULTILINE,
)
TRIVIAL: dict[Language, str] = {
    "c": "#include <stdlib.h>\nint main(void) { return 0; }\n",
    "c++": "#include <cstdlib>\nint main() {}\n",
}
BINARY_BYTES = 128 << 20
DIAGNOSTIC_BYTES = 1 << 20
MOLD_OPTIONS = ("-fuse-ld=mold", "-Wl,--no-fork", "-Wl,--thread-count=1")


class Build(NamedTuple):
    """What the compiler made of a source.

    Args:
        binary: the program, empty when it does not build or only its syntax was checked.
        ok: it builds.
        warned: there are warnings about the program, or it hides them.
        detail: the compiler's first error, or first warning.
        in_program: the first error is in the program, not in the tests behind it.
    """

    binary: bytes
    ok: bool
    warned: bool
    detail: str
    in_program: bool = False


class Compiler:
    """A compiler on this machine.

    Args:
        language: which of the two.
        standard: its `-std`.
        warnings: warning options.
        limits: what one compilation may use.

    Raises:
        EnvironmentFault: it is not installed.
    """

    def __init__(self, language: Language, standard: str, warnings: tuple[str, ...], limits: Limits) -> None:
        name = "g++" if language == "c++" else "gcc"
        found = shutil.which(name)
        if found is None:
            raise EnvironmentFault(f"the compiler {name} is not installed: {INSTALL}")
        self._program = found
        self._language = language
        self._options = (f"-std={standard}", *warnings, "-fmax-errors=10", "-fdiagnostics-color=never")
        self._limits = limits.model_copy(update={"output_bytes": DIAGNOSTIC_BYTES, "report_bytes": BINARY_BYTES})
        self._linker: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """Program, version and options."""
        shown = subprocess.run([self._program, "-dumpfullversion"], capture_output=True, text=True, check=False).stdout
        return " ".join((Path(self._program).name, shown.strip(), *self._options))

    def prepare(self, meter: Meter) -> None:
        """Prove that the compiler works, and choose the linker.

        Raises:
            EnvironmentFault: it does not.
        """
        if shutil.which("mold"):
            self._linker = MOLD_OPTIONS
            if self._compile(meter, TRIVIAL[self._language], link=True).exit_status == 0:
                return
            self._linker = ()
        self._require_working(meter)

    def build(self, meter: Meter, program: str, behind: str = "", *, link: bool) -> Build:
        """Compile a program.

        Args:
            meter: counts what it uses.
            program: the untrusted text.
            behind: trusted text that follows it.
            link: make a binary; else check the syntax only.

        Raises:
            EnvironmentFault: the compiler does not work any more.
        """
        outcome = self._compile(meter, program + behind, link=link)
        said = outcome.stderr.decode(errors="replace")
        if outcome.exit_status == 0:
            warning = WARNING.search(said)
            hidden = HIDING.search(program.replace("\\\n", ""))
            detail = said[warning.start() :].split("\n", 1)[0] if warning else "hides warnings" if hidden else ""
            return Build(outcome.report, ok=True, warned=bool(warning or hidden), detail=detail)
        error = ERROR.search(said)
        if outcome.exit_status != 1 or not error or "cannot execute" in said:
            self._require_working(meter)
        if outcome.timed_out and outcome.cpu_s < self._limits.cpu_s / 2:
            raise EnvironmentFault(
                f"the machine is too busy: a compilation got {outcome.cpu_s:.1f} s of processor time"
            )
        if outcome.timed_out:
            detail = f"the compiler timed out after {outcome.wall_s:.1f} s"
            return Build(b"", ok=False, warned=False, detail=detail, in_program=True)
        detail = error[0] if error else f"the compiler failed: {said.strip()}"
        return Build(b"", ok=False, warned=False, detail=detail, in_program=IN_PROGRAM.match(detail) is not None)

    def _compile(self, meter: Meter, source: str, *, link: bool) -> Outcome:
        file = f"program.{SUFFIX[self._language]}"
        if link:
            words = (self._program, *self._options, *self._linker, f"/job/{file}", "-o", "/work/program")
            argv = ("/bin/sh", "-c", '"$@" && exec cat /work/program >&3', "sh", *words)
        else:
            argv = (self._program, *self._options, "-fsyntax-only", f"/job/{file}")
        environment = {"LC_ALL": "C", "PATH": f"{Path(self._program).parent}:/usr/bin:/bin", "TMPDIR": "/work"}
        return meter.run(
            Job(
                argv,
                self._limits,
                files={file: source.encode(errors="replace")},
                mounts=self._mounts(),
                env=environment,
                report=link,
            )
        )

    def _mounts(self) -> Mapping[str, Path]:
        """Return the folder of a compiler that is not part of the system."""
        if self._program.startswith(("/usr/", "/bin/")):
            return {}
        prefix = Path(self._program).resolve().parent.parent
        return {str(prefix): prefix}

    def _require_working(self, meter: Meter) -> None:
        """Compile a trivial program, so that a broken compiler is not taken for a broken program.

        Raises:
            EnvironmentFault: that fails too.
        """
        outcome = self._compile(meter, TRIVIAL[self._language], link=True)
        if outcome.exit_status != 0:
            words = outcome.stderr.decode(errors="replace").strip().splitlines()
            raise EnvironmentFault(f"{self._program} does not work: {words[-1] if words else outcome}: {INSTALL}")
