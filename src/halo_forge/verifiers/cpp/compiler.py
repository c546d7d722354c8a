"""Running the C and C++ compiler on untrusted source, inside the sandbox like everything else it leads to."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from halo_forge.core.protocols import Job, Limits, Outcome
from halo_forge.verifiers.batch import Meter
from halo_forge.verifiers.compiled.faults import compiled, part_was_killed, require_sound
from halo_forge.verifiers.cpp.driver import Language
from halo_forge.verifiers.cpp.header_store import Header
from halo_forge.verifiers.cpp.headers import MOUNT, Headers, Invocation
from halo_forge.verifiers.cpp.hidden_warnings import without_hiding
from halo_forge.verifiers.cpp.include_block import STANDARD_HEADERS, leading_block, without_leading
from halo_forge.verifiers.cpp.toolchains import Toolchain

SUFFIX: dict[Language, str] = {"c": "c", "c++": "cpp"}
WARNING = re.compile(r"^(?!driver:|tests:|cc1|clang|\S*g\+\+|\S*gcc)\S.*?\bwarning: ", re.MULTILINE)
ASSEMBLER_ERROR = r"\S+\.s:\d+: Error: |<inline asm>:"
ERROR = re.compile(rf"^(?:.*\b(?:error|undefined reference|undefined symbol)\b|{ASSEMBLER_ERROR}).*$", re.MULTILINE)
IN_PROGRAM = re.compile(rf"\S*/job/program\.|{ASSEMBLER_ERROR}")
BLAMES_HEADER = re.compile(rf"^(?:cc1|<built-in>|<command-line>)|internal compiler error|{MOUNT}/|\bPCH\b")
TRIVIAL: dict[Language, str] = {
    "c": "#include <stdlib.h>\nint main(void) { return 0; }\n",
    "c++": "#include <cstdlib>\n#include <new>\nint main() { ::operator delete(::operator new(1)); }\n",
}
# What is missing may be a part of the compiler or of the library.
LACKS_PART = re.compile(
    r"cannot execute|unable to execute|cannot find |invalid linker|library not found|mold: fatal|file format not|"
    r"error while loading shared libraries|ld returned (?!1 )|"
    r"(?:undefined reference to|undefined symbol:).*(?:std::|operator (?:new|delete)|__cxa_|__gxx_|__cxxabi)"
)
LACKS_HEADER = re.compile(r"fatal error: '?(?P<name>.*?)'?:? (?:No such file or directory|file not found)")
LAST_CHARS = 8000
# How long a compiler that works is taken to go on working when programs ask for headers that no compiler has.
TRUSTED_S = 2.0
LOADER_FAILED = 127
LOADER_SAYS = b"error while loading shared libraries"
BINARY = "/work/program"
BINARY_BYTES = 128 << 20
DIAGNOSTIC_BYTES = 1 << 20


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
        toolchain: its family.
        language: which of the two.
        standard: its `-std`.
        warnings: warning options.
        limits: what one compilation may use.

    Raises:
        EnvironmentFault: it is not installed.
    """

    def __init__(
        self, toolchain: Toolchain, language: Language, standard: str, warnings: tuple[str, ...], limits: Limits
    ) -> None:
        self._program = toolchain.find(language)
        self._toolchain = toolchain
        self._language = language
        self._options = (f"-std={standard}", *warnings, toolchain.first_error, "-fdiagnostics-color=never")
        self._limits = limits.model_copy(update={"output_bytes": DIAGNOSTIC_BYTES, "report_bytes": BINARY_BYTES})
        self._linker: tuple[str, ...] = ()
        self._worked_at = -TRUSTED_S
        shown = subprocess.run([self._program, "--version"], capture_output=True, text=True, check=False).stdout
        self._shown_version = shown.partition("\n")[0]
        self.headers: Headers | None = None

    @property
    def version(self) -> str:
        """Program, version and options; precompiled headers change no verdict and are not part of it."""
        return " ".join((Path(self._program).name, self._shown_version, *self._options))

    @property
    def invocation(self) -> Invocation:
        """How it is called."""
        return Invocation(
            self._program, self._language, self._options, self._environment(), self._mounts(), self._shown_version
        )

    def prepare(self, meter: Meter) -> None:
        """Prove that the compiler works, and choose the linker.

        Raises:
            EnvironmentFault: it does not.
        """
        for linker in self._toolchain.linkers:
            self._linker = linker
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
        outcome = self._compile_fast(meter, program, behind, link=link)
        said = outcome.stderr.decode(errors="replace")
        if outcome.exit_status == 0:
            return Build(outcome.report, True, *self._warned(meter, outcome, program, behind, link=link))
        error = _first_error(outcome)
        lacks_part = self._lacks_header(error) or LACKS_PART.search(said[-LAST_CHARS:])
        if outcome.exit_status != 1 or not error or lacks_part:
            self._require_working(meter)
        if outcome.timed_out:
            detail = f"the compiler timed out after {outcome.wall_s:.1f} s"
            return Build(b"", ok=False, warned=False, detail=detail, in_program=True)
        detail = error or f"the compiler failed: {said.strip()}"
        return Build(b"", ok=False, warned=False, detail=detail, in_program=IN_PROGRAM.match(detail) is not None)

    def _lacks_header(self, error: str) -> bool:
        """Tell whether a header is missing that may be the compiler's, and not one that the program made up."""
        found = LACKS_HEADER.search(error)
        made_up = found and IN_PROGRAM.match(error) and found["name"] not in STANDARD_HEADERS
        return found is not None and (not made_up or time.monotonic() > self._worked_at + TRUSTED_S)

    def _warned(self, meter: Meter, outcome: Outcome, program: str, behind: str, *, link: bool) -> tuple[bool, str]:
        """Return whether there are warnings, those counted that the program hides, and the first."""
        shown = _first_warning(outcome)
        if shown:
            return True, shown
        bare = without_hiding(program)
        if bare == program:
            return False, ""
        if bare is None:
            return True, "may hide warnings"
        outcome = self._compile_fast(meter, bare, behind, link=link)
        hidden = _first_warning(outcome)
        if outcome.exit_status != 0:
            return True, "may hide warnings"
        return bool(hidden), f"hides {hidden}" if hidden else ""

    def _compile_fast(self, meter: Meter, program: str, behind: str, *, link: bool) -> Outcome:
        """Compile with a precompiled header if there is one that fits, and again without if it got in the way."""
        header = self.headers.choose(leading_block(program)) if self.headers else None
        if self.headers is None or header is None:
            return self._compile(meter, program + behind, link=link)
        fast = self._compile(meter, program + behind, link=link, header=header)
        if not _disturbed(fast):
            return fast
        outcome = self._compile(meter, program + behind, link=link)
        if (outcome.exit_status, _first_error(outcome)) != (fast.exit_status, _first_error(fast)):
            self.headers.forget(header)
        return outcome

    def _compile(self, meter: Meter, source: str, *, link: bool, header: Header | None = None) -> Outcome:
        file = f"program.{SUFFIX[self._language]}"
        words: tuple[str, ...] = (self._program, *self._options)
        mounts = dict(self._mounts())
        if header and self.headers:
            words += self.headers.options(header)
            mounts |= self.headers.mounts
            source = without_leading(source, header.names)
        returned = BINARY if link and self._toolchain.runs_here else ""
        if link:
            words += (*self._linker, f"/job/{file}", "-o", BINARY)
        else:
            words += ("-fsyntax-only", f"/job/{file}")
        files = {file: source.encode(errors="replace")}
        job = Job(words, self._limits, files=files, mounts=mounts, env=self._environment(), returned=returned)
        return compiled(meter, job, part_was_killed)

    def _environment(self) -> Mapping[str, str]:
        return {"LC_ALL": "C", "PATH": f"{Path(self._program).parent}:/usr/bin:/bin", "TMPDIR": "/work"}

    def _mounts(self) -> Mapping[str, Path]:
        """Return the folder of a compiler that is not part of the system."""
        if self._program.startswith(("/usr/", "/bin/")):
            return {}
        prefix = Path(self._program).resolve().parent.parent
        return {str(prefix): prefix}

    def require_loading(self, meter: Meter, outcome: Outcome) -> None:
        """Tell a program that did not start because its libraries are gone from one that failed.

        Raises:
            EnvironmentFault: they are gone.
        """
        if outcome.exit_status == LOADER_FAILED and LOADER_SAYS in outcome.stderr:
            self._require_working(meter)

    def _require_working(self, meter: Meter) -> None:
        """Compile a trivial program, so that a broken compiler is not taken for a broken program.

        Raises:
            EnvironmentFault: that fails too.
        """
        started = time.monotonic()
        outcome = self._compile(meter, TRIVIAL[self._language], link=True)
        words = outcome.stderr.decode(errors="replace").strip().splitlines()
        reason = f"{words[-1] if words else outcome}: {self._toolchain.install}" if outcome.exit_status != 0 else ""
        require_sound(meter, self._program, reason)
        self._worked_at = started


def _first_warning(outcome: Outcome) -> str:
    said = outcome.stderr.decode(errors="replace")
    found = WARNING.search(said)
    return said[found.start() :].split("\n", 1)[0] if found else ""


def _first_error(outcome: Outcome) -> str:
    found = ERROR.search(outcome.stderr.decode(errors="replace"))
    return found[0] if found else ""


def _disturbed(outcome: Outcome) -> bool:
    """Tell whether a compilation ended in a way that a precompiled header may be to blame for."""
    if outcome.exit_status == 0 or outcome.timed_out or outcome.flooded:
        return False
    error = _first_error(outcome)
    return outcome.exit_status != 1 or not error or BLAMES_HEADER.search(error) is not None
