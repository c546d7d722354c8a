"""The verifier behind `go`: what Go adds to the verifiers of compiled programs."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from halo_forge.core.protocols import Job, Limits, Outcome, Sandbox
from halo_forge.verifiers.batch import Meter, UnsupportedTests
from halo_forge.verifiers.compiled.asserts import Check, Test
from halo_forge.verifiers.compiled.faults import compiled, require_sound
from halo_forge.verifiers.compiled.language import Answer, Build, Expected
from halo_forge.verifiers.compiled.printed_values import Shown, read_report
from halo_forge.verifiers.compiled.program import CompiledVerifier
from halo_forge.verifiers.content import CodeLanguage
from halo_forge.verifiers.go.asserts import read_go_tests
from halo_forge.verifiers.go.driver import (
    defines,
    driver,
    evaluator,
    has_main,
    in_main,
    in_place,
    setup_file,
    writable_type,
)
from halo_forge.verifiers.go.library import ALL, IMPORTS, INSTALL, LIBRARY_INSIDE, Go, find_go
from halo_forge.verifiers.program_io import ending
from halo_forge.verifiers.source_tokens import Dialect

if TYPE_CHECKING:
    from halo_forge.verifiers.go.config import GoConfig

RULES = 3
TRIVIAL = 'package main\n\nimport "fmt"\n\nfunc main() { fmt.Println(1) }\n'
EMPTY_MAIN = "package main\n\nfunc main() {}\n"
COMPILE_FAILED, LINK_FAILED = 81, 82
# A tool that was killed has a status above 128, which is kept.
ENDED = "{{ status=$?; [ $status -gt 128 ] && exit $status; exit {}; }}"
COMPILE = f'cd "$LIBRARY"; compiler=$1; shift; "$compiler" "$@" >&2 || {ENDED.format(COMPILE_FAILED)}'
BINARY = "/work/program"
LINKED = f'"$LINKER" -L "$LIBRARY" -s -w -o {BINARY} /work/program.a >&2'
LINK = f"{COMPILE}; {LINKED} || {ENDED.format(LINK_FAILED)}"
PLACES = 'sed -e "s#@LIBRARY@#$LIBRARY#g" -e "s#@JOB@#$(dirname "$2")#g" -e "s#@WORK@#$TMPDIR#g" "$3" >/work/vet.cfg'
VET = f'{PLACES} && exec "$1" /work/vet.cfg'
ERROR = re.compile(r"(?:\S*/)?(?P<file>program|driver|setup|main)\.go:(?P<line>\d+)(?::\d+)?: (?P<text>.+)")
MISSING = re.compile(r"could not import (?P<path>[\w/.]+)")
BINARY_BYTES = 256 << 20
DIAGNOSTIC_BYTES = 1 << 20
INTEGER = re.compile(r"-?(?:0|[1-9]\d*)")
FLOAT = re.compile(r"-?\d+\.\d+(?:[eE][+-]?\d+)?|-?\d+[eE][+-]?\d+")
TEXT = re.compile(r'"[ !#-\[\]-~]*"')
INTERFACES = {"interface {}", "error"}
INTEGER_TYPE = re.compile(r"(u?)int(8|16|32|64|)")
# Errors of an expression whose type only the program's side decides.
UNDECIDED = re.compile(r"overflows|untyped nil|cannot use nil|truncated")
DYING = re.compile(rb"^(?:panic|fatal error|runtime): .*$", re.MULTILINE)


def go_verifier(config: GoConfig, sandbox: Sandbox, workers: int) -> CompiledVerifier:
    """Make the verifier.

    Raises:
        EnvironmentFault: Go is missing or does not work.
    """
    go = find_go()
    toolchain = GoToolchain(go, config.compile_limits(), config.run_limits())
    toolchain.require_working(Meter(sandbox))
    version = f"go rules {RULES}; {go.version}; {config!r}"
    return CompiledVerifier(
        "go", version, toolchain, run=config.run, min_tokens=config.min_tokens, sandbox=sandbox, workers=workers
    )


class GoToolchain:
    """Go, as `Toolchain` describes a language.

    Args:
        go: the toolchain.
        compile_limits: what one compilation may use.
        run_limits: what one run may use.
    """

    language = "Go"
    content_language: CodeLanguage = "go"
    dialect: Dialect = "go"
    fences = frozenset({"go", "golang"})

    def __init__(self, go: Go, compile_limits: Limits, run_limits: Limits) -> None:
        self._go = go
        self._limits = compile_limits.model_copy(
            update={"output_bytes": DIAGNOSTIC_BYTES, "report_bytes": BINARY_BYTES}
        )
        self._run_limits = run_limits

    def read_tests(self, texts: tuple[str, ...], entry_point: str | None) -> tuple[Test, ...]:
        """Take test statements apart; raises UnsupportedTests."""
        return read_go_tests(texts, entry_point)

    def defines(self, program: str, entry_point: str) -> bool:
        """Tell whether the text holds a definition of that name."""
        return defines(program, entry_point)

    def check(self, meter: Meter, program: str, entry_point: str | None) -> Build:
        """Compile without linking."""
        del entry_point
        main = {} if has_main(program) else {"main": EMPTY_MAIN}
        return self._compile(meter, {"program": in_main(program), **main}, link=False)

    def link(self, meter: Meter, program: str) -> Build:
        """Make a binary of a whole program."""
        return self._compile(meter, {"program": program}, link=True)

    def link_tests(self, meter: Meter, program: str, setup: str, tests: tuple[Test, ...]) -> Build:
        """Make a binary that prints the program's side of each check."""
        return self._compile(meter, self._tested(program, setup, tests), link=True)

    def accepts(
        self, meter: Meter, program: str, setup: str, tests: tuple[Test, ...], doubtful: Collection[Check]
    ) -> Build:
        """Compile the doubtful comparisons beside the program."""
        return self._compile(meter, self._tested(program, setup, tests, doubtful), link=False)

    def require_evaluable(self, meter: Meter, setup: str, texts: tuple[str, ...]) -> None:
        """Raise UnsupportedTests when an expected side needs the program."""
        outcome = self._run_tools(meter, self._evaluator(setup, [_show(text) for text in texts]), link=False)
        found = _errors(outcome.stderr)
        if outcome.exit_status and not found:
            self.require_working(meter)
        wrong = [match["text"] for match in found if not UNDECIDED.search(match["text"])]
        if wrong:
            raise UnsupportedTests(f"expected values cannot be computed without the program: {wrong[0]}")

    def evaluate(self, meter: Meter, setup: str, wanted: tuple[Expected, ...]) -> list[Answer | None]:
        """Compute expected sides, with the type of the program's side where that is made of basic types."""
        with suppress(UnsupportedTests):  # one that fails as the program's type may not fail as its own
            shown = self._shown(meter, setup, [_typed(side) for side in wanted])
            if shown is not None:
                return [_answer(line, side) for line, side in zip(shown, wanted, strict=True)]
        return [self._evaluate_one(meter, setup, side) for side in wanted]

    def literal(self, wanted: Expected) -> Answer | None:
        """Read an expected side that is a plain literal."""
        text, kind = wanted
        if kind in INTERFACES and text != "nil":
            return None
        if INTEGER.fullmatch(text):
            return Answer(int(text), _holds_integer(kind, int(text)) or kind == "float64")
        if FLOAT.fullmatch(text) and kind != "float32":
            return Answer(float(text), kind == "float64")
        if TEXT.fullmatch(text):
            return Answer(text, kind == "string")
        if text in ("true", "false"):
            return Answer(text, kind == "bool")
        return Answer("nil", kind in INTERFACES) if text == "nil" else None

    def warning(self, meter: Meter, program: str, build: Build) -> str:
        """Return vet's first finding; where it gives out on a program, and works otherwise, that is one.

        Raises:
            EnvironmentFault: vet does not work.
        """
        del build
        outcome = self._vet(meter, program)
        found = _errors(outcome.stderr)
        if outcome.exit_status and not found:
            self.require_working(meter)
            return f"go vet gives out: {ending(outcome)}"
        return f"program.go:{found[0]['line']}: {found[0]['text']}" if found else ""

    def job(self, binary: bytes) -> Job:
        """Return the job that runs a binary."""
        environment = {"GOTRACEBACK": "none", "GOMAXPROCS": "4"}
        return Job(("/job/program",), self._run_limits, files={"program": binary}, env=environment)

    def last_words(self, stderr: bytes) -> bytes:
        """Return the line that says why the program died."""
        found = DYING.findall(stderr)
        return found[0] if found else stderr

    def require_working(self, meter: Meter) -> None:
        """Build and vet a trivial program, so that a broken toolchain is not taken for a broken program.

        Raises:
            EnvironmentFault: that fails.
        """
        for outcome in (self._run_tools(meter, {"program": TRIVIAL}, link=True), self._vet(meter, TRIVIAL)):
            reason = f"{_last_line(outcome)}: {INSTALL}" if outcome.exit_status != 0 else ""
            require_sound(meter, f"Go in {self._go.tools}", reason)

    def _tested(
        self, program: str, setup: str, tests: tuple[Test, ...], compared: Collection[Check] = ()
    ) -> dict[str, str]:
        files = {"program": in_main(program)}
        if setup.strip():
            files["setup"] = setup_file(setup)
        return {**files, "driver": driver(program, tests, self._go.packages, compared)}

    def _evaluator(self, setup: str, shows: list[str]) -> dict[str, str]:
        files = {"setup": setup_file(setup)} if setup.strip() else {}
        return {**files, "driver": evaluator(shows, self._go.packages)}

    def _compile(self, meter: Meter, sources: Mapping[str, str], *, link: bool) -> Build:
        outcome = self._run_tools(meter, sources, link=link)
        if outcome.exit_status == 0:
            return Build(outcome.report, ok=True)
        found = _errors(outcome.stderr)
        missing = [match["path"] for match in map(MISSING.search, (error["text"] for error in found)) if match]
        if outcome.exit_status != COMPILE_FAILED or not found or set(missing) & set(self._go.packages):
            self.require_working(meter)
        if outcome.timed_out:
            return Build(b"", ok=False, detail=f"the compiler timed out after {outcome.wall_s:.1f} s")
        if not found:
            return Build(b"", ok=False, detail=f"does not link: {_last_line(outcome)}")
        in_program = any(error["file"] == "program" for error in found)
        first = next((error for error in found if error["file"] == "program"), found[0])
        detail = f"{first['file']}.go:{first['line']}: {first['text']}"
        return Build(b"", ok=False, detail=detail, in_program=in_program)

    def _run_tools(self, meter: Meter, sources: Mapping[str, str], *, link: bool) -> Outcome:
        names = [f"{name}.go" for name in sources]
        words = (
            f"{self._go.tools}/compile", "-p", "main", "-complete", "-pack", "-c=1",
            "-importcfg", f"{LIBRARY_INSIDE}/{IMPORTS}", "-o", "/work/program.a", *(f"/job/{name}" for name in names),
        )  # fmt: skip
        script = LINK if link else COMPILE
        files = {f"{name}.go": in_place(text).encode(errors="replace") for name, text in sources.items()}
        job = self._job(("/bin/sh", "-c", script, "sh", *words), files)
        return compiled(meter, job._replace(returned=BINARY if link else ""))

    def _vet(self, meter: Meter, program: str) -> Outcome:
        archives = {name: f"@LIBRARY@/{name}.a" for name in self._go.packages}
        config = {
            "ID": "main", "Compiler": "gc", "ImportPath": "main", "GoFiles": ["@JOB@/program.go"],
            "ImportMap": {name: name for name in self._go.packages}, "PackageFile": archives,
            "Standard": dict.fromkeys(self._go.packages, True), "PackageVetx": {}, "VetxOutput": "@WORK@/vetx",
            "SucceedOnTypecheckFailure": True,
        }  # fmt: skip
        files = {"program.go": in_place(program).encode(errors="replace"), "vet.json": json.dumps(config).encode()}
        words = (f"{self._go.tools}/vet", "/job/program.go", "/job/vet.json")
        return compiled(meter, self._job(("/bin/sh", "-c", VET, "sh", *words), files))

    def _job(self, argv: tuple[str, ...], files: Mapping[str, bytes]) -> Job:
        environment = {
            "GOGC": "off", "GOMAXPROCS": "1", "LC_ALL": "C", "LIBRARY": f"{LIBRARY_INSIDE}/{ALL}",
            "LINKER": f"{self._go.tools}/link", "PATH": "/usr/bin:/bin", "TMPDIR": "/work",
        }  # fmt: skip
        return Job(argv, self._limits, files=files, mounts=self._go.mounts, env=environment)

    def _evaluate_one(self, meter: Meter, setup: str, side: Expected) -> Answer | None:
        with suppress(UnsupportedTests):
            shown = self._shown(meter, setup, [_typed(side)])
            if shown is not None:
                return _answer(shown[0], side)
        shown = self._shown(meter, setup, [_show(side.text)])
        return None if shown is None else _answer(shown[0], side)

    def _shown(self, meter: Meter, setup: str, shows: list[str]) -> list[Shown] | None:
        """Run statements that print a value each; None when they do not compile.

        Raises:
            UnsupportedTests: they do not run to their end.
        """
        build = self._compile(meter, self._evaluator(setup, shows), link=True)
        if not build.ok:
            return None
        outcome = meter.run(self.job(build.binary)._replace(report=True))
        lines = read_report(outcome.report)
        if outcome.exit_status != 0 or len(lines) != len(shows):
            raise UnsupportedTests(f"expected values cannot be computed: {ending(outcome)}")
        return lines


def _errors(stderr: bytes) -> list[re.Match[str]]:
    lines = stderr.decode(errors="replace").splitlines()
    return [match for match in map(ERROR.match, lines) if match]


def _last_line(outcome: Outcome) -> str:
    lines = outcome.stderr.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"exit status {outcome.exit_status}"


def _show(text: str) -> str:
    return f"haloForgeShow({text})"


def _typed(side: Expected) -> str:
    name = writable_type(side.type_name)
    return f"{{ var value {name} = {side.text}; haloForgeShow(value) }}" if name else _show(side.text)


def _answer(shown: Shown, side: Expected) -> Answer:
    return Answer(shown.value, shown.type_name == side.type_name)


def _holds_integer(kind: str, value: int) -> bool:
    """Tell whether a value lies in the range of an integer type."""
    match = INTEGER_TYPE.fullmatch(kind)
    if match is None:
        return False
    bits = int(match[2] or 64)
    return 0 <= value < 1 << bits if match[1] else -(1 << (bits - 1)) <= value < 1 << (bits - 1)
