"""Running rustc on untrusted source, inside the sandbox like everything else it leads to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from halo_forge.core.protocols import Job, Limits, Outcome
from halo_forge.verifiers.batch import Meter
from halo_forge.verifiers.compiled.faults import compiled, ended_by_a_kill, require_sound, tells_of_a_kill
from halo_forge.verifiers.compiled.language import Build
from halo_forge.verifiers.rust.diagnostics import Diagnostic, diagnostics
from halo_forge.verifiers.rust.rustc import INSTALL, Rustc

CRATES_INSIDE = "/opt/crates"
TRIVIAL = 'fn main() { println!("{}", 1); }\n'
BINARY = "/work/program"
BINARY_BYTES = 256 << 20
DIAGNOSTIC_BYTES = 4 << 20
MOLD = ("-Clink-arg=-fuse-ld=mold", "-Clink-arg=-Wl,--no-fork,--thread-count=1")
# The linker that comes with rustc looks for itself in `/proc`, which the sandbox does not have.
BFD = ("-Clink-arg=-fuse-ld=bfd",)
CODE = ("-Cdebuginfo=0", "-Ccodegen-units=1", "-Cprefer-dynamic")
LINT = re.compile(r"^\s+([a-z0-9-]+)\s+warn\s", re.MULTILINE)
REFUSED_LINT = re.compile(r"\x60([\w-]+)\x60 lint group is not supported|unknown lint: \x60([\w-]+)\x60")
# The driver needs an unsafe block, which a program may forbid to its whole crate.
OWN_LINT = "unsafe_code"
UNUSED_LINT = "dead_code"
# Unreadable or missing crates, and the linker: a program's doing only if a trivial program does better.
DOUBTFUL = re.compile(r"E0463|E0786|E0514|E0460|extern location|linker|linking with")
LINKING = re.compile(r"error: linking with ")
LINKER_KILLED = re.compile(r"failed: signal: (?:9|15)\b")
STRICT = re.compile(r"\b(?:deny|forbid)\b")


class Crates(NamedTuple):
    """Crates that programs may use.

    Args:
        folder: the built crates, None when there are none.
        externs: name in a program -> file in the folder.
    """

    folder: Path | None = None
    externs: Mapping[str, str] = {}


class RustCompiler:
    """Compiles with one toolchain, one edition and one set of crates.

    Args:
        rustc: the toolchain.
        edition: the language edition.
        limits: what one compilation may use.
        crates: what programs may use.
    """

    def __init__(self, rustc: Rustc, edition: str, limits: Limits, crates: Crates) -> None:
        self._rustc = rustc
        self._limits = limits.model_copy(update={"output_bytes": DIAGNOSTIC_BYTES, "report_bytes": BINARY_BYTES})
        self._crates = crates
        self._linker: tuple[str, ...] = ()
        self._lints: tuple[str, ...] = ()
        folder = f"{CRATES_INSIDE}/"
        externs = (f"--extern={name}={folder}{file}" for name, file in sorted(crates.externs.items()))
        places = (f"-Ldependency={CRATES_INSIDE}",) if crates.folder else ()
        self._options = (
            f"--sysroot={rustc.place}",
            f"--edition={edition}",
            "--error-format=json",
            "--crate-type=bin",
            *externs,
            *places,
        )

    @property
    def version(self) -> str:
        """Toolchain and options."""
        return " ".join((self._rustc.version.replace("\n", ", "), *self._options, f"{len(self._lints)} lints"))

    def prepare(self, meter: Meter) -> None:
        """Prove that the compiler works, choose the linker, and learn which lints warn by default.

        Raises:
            EnvironmentFault: it does not work.
        """
        for self._linker in (MOLD, BFD, ()):
            if self._compile(meter, TRIVIAL, link=True).exit_status == 0:
                break
        self._require_working(meter)
        listed = meter.run(self._job(("-Whelp",), ""))
        table = listed.stdout.decode(errors="replace").partition("Lint groups")[0]
        lints = dict.fromkeys([*LINT.findall(table), OWN_LINT])
        while lints:
            self._lints = tuple(f"--force-warn={lint}" for lint in lints)
            said = self._compile(meter, TRIVIAL, link=False).stderr.decode(errors="replace")
            refused = {name.replace("_", "-") for pair in REFUSED_LINT.findall(said) for name in pair} & lints.keys()
            if not refused:
                return
            lints = {name: None for name in lints if name not in refused}

    def build(
        self, meter: Meter, source: str, *, lines: int, link: bool, library: bool = False, lints: bool = True
    ) -> tuple[Build, str]:
        """Compile a program.

        Args:
            meter: counts what it uses.
            source: the text.
            lines: how many of its lines are the program's; what follows is ours.
            link: make a binary; else check types and borrows only.
            library: functions that nothing calls are no reason for a warning.
            lints: whether warnings are of interest.

        Returns:
            The build, and the first warning about the program, `""` for none.

        Raises:
            EnvironmentFault: the compiler does not work any more.
        """
        outcome = self._compile(meter, source, link=link, lints=lints)
        found = list(diagnostics(outcome.stderr))
        if outcome.exit_status != 0:
            return self._failed(meter, outcome, found, lines), ""
        warnings = [found for found in found if found.level == "warning" and 0 < found.line <= lines]
        if warnings and lints and STRICT.search(source):
            strict, _ = self.build(meter, source, lines=lines, link=False, library=library, lints=False)
            if not strict.ok and strict.in_program:
                return strict, ""
        passed_over = {OWN_LINT, UNUSED_LINT} if library else {OWN_LINT}
        counted = [warning.text for warning in warnings if not warning.foreign and warning.code not in passed_over]
        return Build(outcome.report, ok=True), counted[0] if counted else ""

    def errors(self, meter: Meter, source: str) -> list[Diagnostic]:
        """Return the errors of a trusted program, without making anything of it.

        Raises:
            EnvironmentFault: the compiler does not work any more.
        """
        outcome = self._compile(meter, source, link=False, lints=False)
        found = [found for found in diagnostics(outcome.stderr) if found.level == "error"]
        if outcome.exit_status != 0 and not found:
            self._require_working(meter)
        return found

    def _failed(self, meter: Meter, outcome: Outcome, found: list[Diagnostic], lines: int) -> Build:
        errors = [found for found in found if found.level == "error"]
        if outcome.exit_status != 1 or not errors or any(DOUBTFUL.search(error.text) for error in errors):
            self._require_working(meter)
        if outcome.timed_out:
            return Build(b"", ok=False, detail=f"the compiler timed out after {outcome.wall_s:.1f} s")
        if not errors:
            words = outcome.stderr.decode(errors="replace").strip()
            return Build(b"", ok=False, detail=f"the compiler failed: {words}")
        return Build(b"", ok=False, detail=errors[0].text, in_program=errors[0].line <= lines)

    def _compile(self, meter: Meter, source: str, *, link: bool, lints: bool = True) -> Outcome:
        words: tuple[str, ...] = (*self._options, *(self._lints if lints else ()))
        words += (*CODE, *self._linker, "-o", BINARY) if link else ("--emit=metadata", "-o", "/work/program.rmeta")
        job = self._job((*words, "/job/program.rs"), source, link=link)
        return compiled(meter, job, _was_killed)

    def _job(self, words: tuple[str, ...], source: str, *, link: bool = False) -> Job:
        argv = (self._rustc.program, *words)
        mounts = {**self._rustc.mounts, **({CRATES_INSIDE: self._crates.folder} if self._crates.folder else {})}
        environment = {**self._rustc.env, "PATH": "/usr/bin:/bin"}
        files = {"program.rs": source.encode(errors="replace")}
        return Job(argv, self._limits, files=files, mounts=mounts, env=environment, returned=BINARY if link else "")

    def _require_working(self, meter: Meter) -> None:
        """Compile a trivial program, so that a broken compiler is not taken for a broken program.

        Raises:
            EnvironmentFault: that fails too.
        """
        uses = "".join(f"use ::{name} as _;\n" for name in self._crates.externs)
        outcome = self._compile(meter, uses + TRIVIAL, link=True, lints=False)
        reason = ""
        if outcome.exit_status != 0:
            texts = [found.text for found in diagnostics(outcome.stderr) if found.level == "error"]
            words = outcome.stderr.decode(errors="replace").strip().splitlines()
            reason = f"{texts[0] if texts else words[-1] if words else outcome}: {INSTALL}"
        require_sound(meter, self._rustc.program, reason)


def _was_killed(outcome: Outcome) -> bool:
    """Tell whether the compiler or its linker was killed, other than at its limits."""
    if outcome.exit_status == 0 or outcome.timed_out or outcome.flooded:
        return False
    if ended_by_a_kill(outcome):
        return True
    errors = [found for found in diagnostics(outcome.stderr) if found.level == "error"]
    if not errors or not all(error.line == 0 and LINKING.match(error.text) for error in errors):
        return False
    return any(LINKER_KILLED.search(error.text) or tells_of_a_kill(error.notes) for error in errors)
