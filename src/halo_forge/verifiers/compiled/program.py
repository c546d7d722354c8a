"""What the verifiers of compiled languages share: which builds and runs a submission needs, and what they earn.

The program prints the values that the tests ask for to a descriptor of its own. What they are compared with is computed
by a separate program that does not hold the completion, and compared in the harness.
"""

from __future__ import annotations

from functools import lru_cache

from halo_forge.core.protocols import Sandbox
from halo_forge.core.types import Reference, Stage
from halo_forge.core.words import count
from halo_forge.verifiers.batch import Meter, ProgramVerifier, Ruling, UnsupportedTests
from halo_forge.verifiers.compiled.asserts import Check, Test
from halo_forge.verifiers.compiled.language import Answer, Build, Expected, Toolchain
from halo_forge.verifiers.compiled.printed_values import Shown, Value, holds, read_report
from halo_forge.verifiers.compiled.set_up import require_hidden
from halo_forge.verifiers.content import shortcoming
from halo_forge.verifiers.extract import extract_code
from halo_forge.verifiers.program_io import ending, run_cases

CACHED_REFERENCES = 4096
WARNED, CLEAN, RAN, CORRECT = 0.3, 0.5, 0.7, 1.0
UNFIT = "the tests do not compile against it"


class CompiledVerifier(ProgramVerifier):
    """Judges programs of one compiled language.

    Args:
        name: the entry point's name.
        version: changes whenever a verdict could.
        toolchain: the language.
        run: whether to run programs that have no tests.
        min_tokens: what has no tests earns nothing below so many tokens of code; 0 accepts anything.
        sandbox: where the compiler and the programs run.
        workers: submissions judged at the same time.
    """

    def __init__(
        self,
        name: str,
        version: str,
        toolchain: Toolchain,
        *,
        run: bool,
        min_tokens: int,
        sandbox: Sandbox,
        workers: int,
    ) -> None:
        super().__init__(name, version, sandbox, workers)
        self._toolchain = toolchain
        self._run_untested = run
        self._min_tokens = min_tokens
        self._tests = lru_cache(CACHED_REFERENCES)(toolchain.read_tests)
        self._evaluable = lru_cache(CACHED_REFERENCES)(self._require_evaluable)
        self._evaluated = lru_cache(CACHED_REFERENCES)(self._evaluate)

    def judge(self, reference: Reference, text: str, meter: Meter) -> Ruling:
        """Judge one completion.

        Raises:
            EnvironmentFault: the machine failed.
            UnsupportedTests: the tests are not asserts or cases.
        """
        if reference.check:
            name = self._toolchain.language
            raise UnsupportedTests(f"{name} programs are tested by asserts or by cases, not by a check function")
        code = extract_code(text, self._toolchain.fences).code
        if not code:
            return Ruling(0.0, passed=False, stage=Stage.PARSE, detail="the answer holds no code")
        fault = shortcoming(code, self._toolchain.content_language, reference, self._min_tokens)
        if fault:
            return Ruling(0.0, passed=False, stage=Stage.COMPILE, detail=fault)
        if not reference.has_tests:
            return self._untested(reference, code, meter)
        ruling = Ruling(0.0, passed=False, stage=Stage.PARSE)
        if reference.asserts:
            ruling = self._asserted(reference, code, meter)
        if reference.cases and (ruling.passed or not reference.asserts):
            ruling = self._cases(reference, code, meter)
        return ruling

    def _untested(self, reference: Reference, code: str, meter: Meter) -> Ruling:
        if not self._run_untested:
            return self._compiled_alone(reference.entry_point, code, meter)
        build = self._toolchain.link(meter, code)
        if not build.ok or self._lacks(code, reference.entry_point):
            return _refused(build, reference.entry_point)
        outcome = meter.run(self._toolchain.job(build.binary))
        if outcome.exit_status != 0:
            words = outcome._replace(stderr=self._toolchain.last_words(outcome.stderr))
            return self._compiled(code, build, Stage.RUN, ending(words), meter)
        return Ruling(RAN, passed=True, stage=Stage.RUN, detail="ran without tests")

    def _compiled_alone(self, entry_point: str | None, code: str, meter: Meter) -> Ruling:
        """Judge the compilation alone: a missing `main` goes unnoticed."""
        build = self._toolchain.check(meter, code, entry_point)
        if not build.ok or self._lacks(code, entry_point):
            return _refused(build, entry_point)
        ruling = self._compiled(code, build, Stage.COMPILE, "compiles (not linked)", meter)
        return ruling._replace(passed=True)

    def _cases(self, reference: Reference, code: str, meter: Meter) -> Ruling:
        build = self._toolchain.link(meter, code)
        if not build.ok:
            return _refused(build, None)
        result = run_cases(meter, self._toolchain.job(build.binary), reference.cases)
        if not result.ran:
            return self._compiled(code, build, Stage.RUN, result.detail, meter)
        return Ruling(CORRECT if result.correct else RAN, result.correct, Stage.TESTS, result.detail)

    def _asserted(self, reference: Reference, code: str, meter: Meter) -> Ruling:
        tests = self._tests(reference.asserts, reference.entry_point)
        checks = [check for test in tests for check in test.checks]
        self._evaluable(reference.setup, tests)
        build = self._toolchain.link_tests(meter, code, reference.setup, tests)
        if not build.ok and build.in_program:
            return _refused(build, None)
        if not build.ok:
            return self._unfit(reference, code, build.detail, meter)
        outcome = meter.run(self._toolchain.job(build.binary)._replace(report=True))
        if outcome.exit_status != 0 or outcome.report.count(b"\n") != len(checks):
            words = outcome._replace(stderr=self._toolchain.last_words(outcome.stderr))
            detail = ending(words) if outcome.exit_status else "ended before the tests did"
            return self._compiled(code, build, Stage.RUN, detail, meter)
        return self._compared(reference, code, tests, read_report(outcome.report), meter)

    def _compared(
        self, reference: Reference, code: str, tests: tuple[Test, ...], shown: list[Shown], meter: Meter
    ) -> Ruling:
        checks = [check for test in tests for check in test.checks]
        answers = self._answers(reference.setup, checks, shown)
        needed = [_needed(check, pair) for check, pair in zip(checks, answers, strict=True)]
        doubtful = [
            check
            for check, parts in zip(checks, needed, strict=True)
            if not all(answer and answer.fits for answer in parts)
        ]
        if doubtful:
            accepted = self._toolchain.accepts(meter, code, reference.setup, tests, doubtful)
            if not accepted.ok or any(None in parts for parts in needed):
                return self._unfit(reference, code, accepted.detail or "an expected value has another type", meter)
        for check, (_, value), pair in zip(checks, shown, answers, strict=True):
            if not _correct(check, value, pair):
                return Ruling(RAN, passed=False, stage=Stage.TESTS, detail=f"failed: {check.text.strip()}")
        return Ruling(CORRECT, passed=True, stage=Stage.TESTS, detail=f"{count(len(checks), 'check')} correct")

    def _answers(
        self, setup: str, checks: list[Check], shown: list[Shown]
    ) -> list[tuple[Answer | None, Answer | None]]:
        """Return expected value and tolerance of each check; what is not a literal is computed without the program."""
        sides = [
            (_expected(check, check.expected, type_name), _expected(check, check.tolerance or "", type_name))
            for check, (type_name, _) in zip(checks, shown, strict=True)
        ]
        wanted = dict.fromkeys(side for pair in sides for side in pair if side.text)
        known = {side: self._toolchain.literal(side) for side in wanted}
        unknown = tuple(side for side, answer in known.items() if answer is None)
        if unknown:
            known |= dict(zip(unknown, self._evaluated(setup, unknown), strict=True))
        return [(known.get(expected), known.get(tolerance)) for expected, tolerance in sides]

    def _require_evaluable(self, setup: str, tests: tuple[Test, ...]) -> None:
        require_hidden(setup, (check for test in tests for check in test.checks), self._toolchain.dialect)
        texts = dict.fromkeys(
            text for test in tests for check in test.checks for text in (check.expected, check.tolerance) if text
        )
        unread = tuple(text for text in texts if self._toolchain.literal(Expected(text, "")) is None)
        if unread:
            self._toolchain.require_evaluable(Meter(self._sandbox), setup, unread)

    def _evaluate(self, setup: str, wanted: tuple[Expected, ...]) -> list[Answer | None]:
        return self._toolchain.evaluate(Meter(self._sandbox), setup, wanted)

    def _unfit(self, reference: Reference, code: str, detail: str, meter: Meter) -> Ruling:
        alone = self._compiled_alone(reference.entry_point, code, meter)
        if not alone.passed:
            return alone
        return alone._replace(passed=False, stage=Stage.TESTS, detail=f"{UNFIT}: {detail}")

    def _compiled(self, code: str, build: Build, stage: Stage, detail: str, meter: Meter) -> Ruling:
        """Return what a program earns that compiles, and went no further."""
        warning = self._toolchain.warning(meter, code, build)
        reward, shown = (WARNED, f"{detail}; {warning}") if warning else (CLEAN, detail)
        return Ruling(reward, passed=False, stage=stage, detail=shown)

    def _lacks(self, code: str, entry_point: str | None) -> bool:
        return entry_point is not None and not self._toolchain.defines(code, entry_point)


def _expected(check: Check, text: str, type_name: str) -> Expected:
    return Expected(text, "bool" if check.truth else type_name)


def _needed(check: Check, answers: tuple[Answer | None, Answer | None]) -> tuple[Answer | None, ...]:
    return answers if check.tolerance else answers[:1]


def _correct(check: Check, value: Value, answers: tuple[Answer | None, Answer | None]) -> bool:
    expected, tolerance = answers
    if expected is None or (check.same_type and not expected.fits):
        return False
    limit = tolerance.value if tolerance else None
    return holds(value, check.sign, expected.value, limit, exact=check.same_type)


def _refused(build: Build, entry_point: str | None) -> Ruling:
    detail = f"does not define {entry_point}" if build.ok else build.detail
    return Ruling(0.0, passed=False, stage=Stage.COMPILE, detail=detail)
