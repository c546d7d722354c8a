"""The verifier behind `gcc` and `clang`: which builds and runs a submission needs, and what they earn."""

from __future__ import annotations

from functools import lru_cache

from halo_forge.core.protocols import Job, Sandbox
from halo_forge.core.types import Reference, Stage
from halo_forge.core.words import count
from halo_forge.verifiers.batch import Meter, Ruling, UnsupportedTests
from halo_forge.verifiers.cpp.asserts import Check, read_asserts
from halo_forge.verifiers.cpp.compilation import CompilingVerifier, Source, compile_reward, refused
from halo_forge.verifiers.cpp.config import RunnableConfig
from halo_forge.verifiers.cpp.driver import Language, driver, headers_for
from halo_forge.verifiers.cpp.values import Value, holds, literal_value, printed_value
from halo_forge.verifiers.program_io import ending, run_cases

CACHED_REFERENCES = 4096
RAN, CORRECT = 0.7, 1.0


class CppVerifier(CompilingVerifier):
    """Judges C and C++ programs.

    Args:
        config: the options.
        sandbox: where the compiler and the programs run.
        workers: submissions judged at the same time.

    Raises:
        EnvironmentFault: the compiler is missing or does not work.
    """

    def __init__(self, config: RunnableConfig, sandbox: Sandbox, workers: int) -> None:
        self._run_untested = config.run
        self._run_limits = config.run_limits()
        super().__init__(config, sandbox, workers, f"run={config.run}; {self._run_limits!r}")
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
        return super().judge(reference, text, meter)

    def _judged(self, reference: Reference, source: Source, meter: Meter) -> Ruling:
        if not reference.has_tests:
            return self._untested(reference.entry_point, source, meter)
        ruling = Ruling(0.0, passed=False, stage=Stage.PARSE)
        if reference.asserts:
            ruling = self._asserted(reference, source, meter)
        if reference.cases and (ruling.passed or not reference.asserts):
            ruling = self._cases(reference, source, meter)
        return ruling

    def _untested(self, entry_point: str | None, source: Source, meter: Meter) -> Ruling:
        if not self._run_untested:
            return self._compiled_alone(entry_point, source, meter)
        build = self._built(source, meter, entry_point, link=True)
        if not build.ok or source.lacks(entry_point):
            return refused(build, entry_point)
        outcome = meter.run(Job(("/job/program",), self._run_limits, files={"program": build.binary}))
        if outcome.exit_status != 0:
            self._compilers[source.language].require_loading(meter, outcome)
            return Ruling(compile_reward(build), passed=False, stage=Stage.RUN, detail=ending(outcome))
        return Ruling(RAN, passed=True, stage=Stage.RUN, detail="ran without tests")

    def _cases(self, reference: Reference, source: Source, meter: Meter) -> Ruling:
        build = self._built(source, meter, link=True)
        if not build.ok:
            return refused(build, None)
        job = Job(("/job/program",), self._run_limits, files={"program": build.binary})
        result = run_cases(meter, job, reference.cases)
        if not result.ran:
            return Ruling(compile_reward(build), passed=False, stage=Stage.RUN, detail=result.detail)
        return Ruling(CORRECT if result.correct else RAN, result.correct, Stage.TESTS, result.detail)

    def _asserted(self, reference: Reference, source: Source, meter: Meter) -> Ruling:
        code, language = source
        checks = self._checks(reference.asserts)
        expected = self._expected(language, reference.setup, tuple(checks))
        expressions = [_shown(check) for check in checks]
        behind = f"\n{reference.setup}\n{driver(code + reference.setup, expressions, language)}"
        build = self._compilers[language].build(meter, code, behind, link=True)
        entry_point = reference.entry_point or next((name for check in checks for name in check.called), None)
        if not build.ok and build.in_program:
            return refused(build, None)
        if not build.ok:
            alone = self._compiled_alone(entry_point, source, meter)
            if not alone.passed:
                return alone
            detail = f"the tests do not compile against it: {build.detail}"
            return Ruling(alone.reward, passed=False, stage=Stage.TESTS, detail=detail)
        outcome = meter.run(Job(("/job/program",), self._run_limits, files={"program": build.binary}, report=True))
        lines = outcome.report.decode(errors="replace").splitlines()
        if outcome.exit_status != 0 or len(lines) != len(checks):
            self._compilers[language].require_loading(meter, outcome)
            detail = ending(outcome) if outcome.exit_status else "ended before the tests did"
            return Ruling(compile_reward(build), passed=False, stage=Stage.RUN, detail=detail)
        for check, line, (value, tolerance) in zip(checks, lines, expected, strict=True):
            if not _correct(check, line, value, tolerance):
                return Ruling(RAN, passed=False, stage=Stage.TESTS, detail=f"failed: {check.text.strip()}")
        return Ruling(CORRECT, passed=True, stage=Stage.TESTS, detail=f"{count(len(checks), 'check')} correct")

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
