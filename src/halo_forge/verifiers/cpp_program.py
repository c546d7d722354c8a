"""The verifier behind `gcc`: which builds and runs a submission needs, and what they earn."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from halo_forge.core.protocols import Job, Sandbox
from halo_forge.core.types import Reference, Stage
from halo_forge.verifiers.batch import Meter, ProgramVerifier, Ruling, UnsupportedTests
from halo_forge.verifiers.compiler import Build, Compiler
from halo_forge.verifiers.cpp_asserts import Check, read_asserts
from halo_forge.verifiers.cpp_driver import Language, defines, driver, entry_probe, headers_for
from halo_forge.verifiers.cpp_values import Value, holds, literal_value, printed_value
from halo_forge.verifiers.extract import extract_code
from halo_forge.verifiers.program_io import ending, run_cases

if TYPE_CHECKING:
    from halo_forge.verifiers.gcc import GccConfig

RULES = 1
FENCES: dict[str, Language] = {
    "c": "c", "h": "c", "cpp": "c++", "c++": "c++", "cc": "c++", "cxx": "c++", "hpp": "c++",
}  # fmt: skip
PLAIN_NAME = re.compile(r"[A-Za-z_]\w*")
CACHED_REFERENCES = 4096
WARNED, CLEAN, RAN, CORRECT = 0.3, 0.5, 0.7, 1.0


class CppVerifier(ProgramVerifier):
    """Judges C and C++ programs.

    Args:
        config: the options.
        sandbox: where the compiler and the programs run.
        workers: submissions judged at the same time.

    Raises:
        EnvironmentFault: the compiler is missing or does not work.
    """

    def __init__(self, config: GccConfig, sandbox: Sandbox, workers: int) -> None:
        limits = config.compile_limits()
        needed: tuple[Language, ...] = ("c++", "c") if config.language == "auto" else (config.language,)
        standards = {"c": config.c_std, "c++": config.cpp_std}
        self._compilers = {name: Compiler(name, standards[name], config.warnings, limits) for name in needed}
        for compiler in self._compilers.values():
            compiler.prepare(Meter(sandbox))
        self._language = config.language
        self._run_untested = config.run
        self._run_limits = config.run_limits()
        toolchain = "; ".join(compiler.version for compiler in self._compilers.values())
        version = f"gcc rules {RULES}; {toolchain}; run={config.run}; {self._run_limits!r}; {limits!r}"
        super().__init__("gcc", version, sandbox, workers)
        self._checks = lru_cache(CACHED_REFERENCES)(read_asserts)
        self._expected = lru_cache(CACHED_REFERENCES)(self._evaluated)

    def judge(self, reference: Reference, text: str, meter: Meter) -> Ruling:
        """Judge one completion.

        Raises:
            EnvironmentFault: the machine failed.
            UnsupportedTests: the tests are not asserts or cases.
        """
        if reference.check:
            raise UnsupportedTests("C and C++ programs are tested by asserts or by cases, not by a check function")
        code, fence = extract_code(text, FENCES)
        if not code:
            return Ruling(0.0, passed=False, stage=Stage.PARSE, detail="the answer holds no code")
        language = FENCES.get(fence, "c++") if self._language == "auto" else self._language
        if not reference.has_tests:
            return self._untested(reference, code, language, meter)
        ruling = Ruling(0.0, passed=False, stage=Stage.PARSE)
        if reference.asserts:
            ruling = self._asserted(reference, code, language, meter)
        if reference.cases and (ruling.passed or not reference.asserts):
            ruling = self._cases(reference, code, language, meter)
        return ruling

    def _untested(self, reference: Reference, code: str, language: Language, meter: Meter) -> Ruling:
        if not self._run_untested:
            return self._compiled_alone(reference.entry_point, code, language, meter)
        build = self._compilers[language].build(meter, code, _probe(reference.entry_point, language), link=True)
        if not build.ok or _lacks(code, reference.entry_point):
            return _refused(build, reference.entry_point)
        outcome = meter.run(Job(("/job/program",), self._run_limits, files={"program": build.binary}))
        if outcome.exit_status != 0:
            return Ruling(_compile_reward(build), passed=False, stage=Stage.RUN, detail=ending(outcome))
        return Ruling(RAN, passed=True, stage=Stage.RUN, detail="ran without tests")

    def _compiled_alone(self, entry_point: str | None, code: str, language: Language, meter: Meter) -> Ruling:
        """Judge the syntax alone: undefined functions and a missing `main` go unnoticed."""
        build = self._compilers[language].build(meter, code, _probe(entry_point, language), link=False)
        if not build.ok or _lacks(code, entry_point):
            return _refused(build, entry_point)
        detail = f"compiles (syntax checked, not linked) {build.detail}"
        return Ruling(_compile_reward(build), passed=True, stage=Stage.COMPILE, detail=detail)

    def _cases(self, reference: Reference, code: str, language: Language, meter: Meter) -> Ruling:
        build = self._compilers[language].build(meter, code, link=True)
        if not build.ok:
            return _refused(build, None)
        job = Job(("/job/program",), self._run_limits, files={"program": build.binary})
        result = run_cases(meter, job, reference.cases)
        if not result.ran:
            return Ruling(_compile_reward(build), passed=False, stage=Stage.RUN, detail=result.detail)
        return Ruling(CORRECT if result.correct else RAN, result.correct, Stage.TESTS, result.detail)

    def _asserted(self, reference: Reference, code: str, language: Language, meter: Meter) -> Ruling:
        checks = self._checks(reference.asserts)
        expected = self._expected(language, reference.setup, tuple(checks))
        expressions = [_shown(check) for check in checks]
        behind = f"\n{reference.setup}\n{driver(code + reference.setup, expressions, language)}"
        build = self._compilers[language].build(meter, code, behind, link=True)
        entry_point = reference.entry_point or next((name for check in checks for name in check.called), None)
        if not build.ok and build.in_program:
            return _refused(build, None)
        if not build.ok:
            alone = self._compiled_alone(entry_point, code, language, meter)
            if not alone.passed:
                return alone
            detail = f"the tests do not compile against it: {build.detail}"
            return Ruling(alone.reward, passed=False, stage=Stage.TESTS, detail=detail)
        outcome = meter.run(Job(("/job/program",), self._run_limits, files={"program": build.binary}, report=True))
        lines = outcome.report.decode(errors="replace").splitlines()
        if outcome.exit_status != 0 or len(lines) != len(checks):
            detail = ending(outcome) if outcome.exit_status else "ended before the tests did"
            return Ruling(_compile_reward(build), passed=False, stage=Stage.RUN, detail=detail)
        for check, line, (value, tolerance) in zip(checks, lines, expected, strict=True):
            if not _correct(check, line, value, tolerance):
                return Ruling(RAN, passed=False, stage=Stage.TESTS, detail=f"failed: {check.text.strip()}")
        return Ruling(CORRECT, passed=True, stage=Stage.TESTS, detail=f"{len(checks)} checks correct")

    def _evaluated(self, language: Language, setup: str, checks: tuple[Check, ...]) -> list[tuple[Value, Value | None]]:
        """Return expected value and tolerance of each check; what is not a literal is computed without the program.

        Raises:
            UnsupportedTests: it cannot be computed without the program.
        """
        texts = dict.fromkeys(text for check in checks for text in (check.expected, check.tolerance) if text)
        values = {text: literal_value(text) for text in texts}
        unknown = [text for text, value in values.items() if value is None]
        if unknown:
            meter = Meter(self._sandbox)
            head = headers_for(" ".join(unknown)) + setup
            build = self._compilers[language].build(meter, head, driver(head, unknown, language), link=True)
            if not build.ok:
                raise UnsupportedTests(f"expected values cannot be computed without the program: {build.detail}")
            outcome = meter.run(Job(("/job/program",), self._run_limits, files={"program": build.binary}, report=True))
            lines = outcome.report.decode(errors="replace").splitlines()
            if outcome.exit_status != 0 or len(lines) != len(unknown):
                raise UnsupportedTests(f"expected values cannot be computed: {ending(outcome)}")
            values |= {text: printed_value(line) for text, line in zip(unknown, lines, strict=True)}
        known = {text: value for text, value in values.items() if value is not None}
        return [(known[check.expected], known[check.tolerance] if check.tolerance else None) for check in checks]


def _shown(check: Check) -> str:
    return f"({check.expression}) ? 1 : 0" if check.truth else check.expression


def _correct(check: Check, line: str, expected: Value, tolerance: Value | None) -> bool:
    try:
        return holds(printed_value(line), check.sign, expected, tolerance)
    except ValueError:
        return False


def _probe(entry_point: str | None, language: Language) -> str:
    if entry_point is None or entry_point == "main" or not PLAIN_NAME.fullmatch(entry_point):
        return ""
    return entry_probe(entry_point, language)


def _lacks(code: str, entry_point: str | None) -> bool:
    return entry_point is not None and not defines(code, entry_point.rpartition("::")[2])


def _refused(build: Build, entry_point: str | None) -> Ruling:
    detail = f"does not define {entry_point}" if build.ok else build.detail
    return Ruling(0.0, passed=False, stage=Stage.COMPILE, detail=detail)


def _compile_reward(build: Build) -> float:
    return WARNED if build.warned else CLEAN
