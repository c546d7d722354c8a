"""The verifier behind `python`, `humaneval` and `mbpp`: a judge and a candidate, each in a sandbox, joined by pipes."""

from __future__ import annotations

import json
import signal
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.protocols import Exchange, Sandbox
from halo_forge.core.types import Reference, Stage
from halo_forge.verifiers.batch import Meter, ProgramVerifier, Ruling, UnsupportedTests
from halo_forge.verifiers.content import shortcoming
from halo_forge.verifiers.extract import extract_code
from halo_forge.verifiers.program_io import ending, run_cases
from halo_forge.verifiers.python import link, wire
from halo_forge.verifiers.python.foresight import foresee
from halo_forge.verifiers.python.harmless import harmless
from halo_forge.verifiers.python.images import candidate_job, judge_job, script_job
from halo_forge.verifiers.python.outline import helpers_of, outline, standalone
from halo_forge.verifiers.python.refusal import refusal

if TYPE_CHECKING:
    from halo_forge.verifiers.python.config import PythonConfig

RULES = 4
FENCES = {"python", "py", "python3", "py3"}
LOADED, VALID = 0.5, 0.3
CACHED_REFERENCES = 4096
CRASHES = (-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS)


class Result(NamedTuple):
    """What the judge reports, or `ended` when it ended without a report.

    Args:
        kind: `passed`, `failed`, `missing` (a name the tests read), `load`, `syntax`, `silent` (it ended or hung while
            it was being parsed), `broken` (the tests are), `again` (other calls were made than foreseen) or `ended`.
        detail: the test that failed, or why.
        path: `values` when only plain data took part, `handles` when objects of the completion's did.
        late: the completion did not answer in time, by the clock.
        called: the tests had begun to call the completion, or the judge was still listening to it.
    """

    kind: str
    detail: str
    path: str = ""
    late: bool = False
    called: bool = False


class Prepared(NamedTuple):
    """What the judgement of a prompt's completions shares.

    Args:
        program: the JSON of the program's message without its code and its closing brace.
        tests: the tests' part of the judge's payload.
        tests_unforeseen: the same without foreseen calls.
        harmless: the tests leave nothing behind in the process that runs them.
        refusal: why the tests cannot be left to this verifier, or None.
    """

    program: bytes
    tests: bytes
    tests_unforeseen: bytes
    harmless: bool
    refusal: str | None


class PythonVerifier(ProgramVerifier):
    """Judges Python programs.

    Args:
        name: the entry point's name.
        config: the options.
        sandbox: where programs run.
        workers: submissions judged at the same time.

    Raises:
        EnvironmentFault: no Python starts in the sandbox.
    """

    def __init__(self, name: str, config: PythonConfig, sandbox: Sandbox, workers: int) -> None:
        self._candidate_limits = config.candidate_limits()
        self._judge_limits = config.judge_limits()
        self._answer_s = 2 * config.timeout_s
        self._min_tokens = config.min_tokens
        limits = f"{self._candidate_limits!r}; {self._judge_limits!r}; min_tokens={config.min_tokens}"
        super().__init__(name, f"{name} rules {RULES}; python {sandbox.python.version}; {limits}", sandbox, workers)
        self._solution_result = lru_cache(CACHED_REFERENCES)(self._result_of_solution)
        self._prepared = lru_cache(CACHED_REFERENCES)(self._prepare)

    def judge(self, reference: Reference, text: str, meter: Meter) -> Ruling:
        """Judge one completion.

        Raises:
            EnvironmentFault: the machine failed.
            UnsupportedTests: the tests cannot be run.
        """
        code = extract_code(text, FENCES).code
        if not code:
            return Ruling(0.0, passed=False, stage=Stage.PARSE, detail="the answer holds no code")
        if reference.required or not reference.has_tests:
            fault = shortcoming(code, "python", reference, self._min_tokens)
            if fault:
                return Ruling(0.0, passed=False, stage=Stage.COMPILE, detail=fault)
        if not reference.cases:
            return self._tested(reference, code, meter)
        ruling = self._cases(reference, code, meter)
        if ruling.passed and (reference.asserts or reference.check):
            return self._tested(reference, code, meter)
        return ruling

    def _tested(self, reference: Reference, code: str, meter: Meter) -> Ruling:
        result, exchange = self._judged(reference, code, meter)
        meter.repeatable &= not result.late
        if result.kind == "broken":
            raise UnsupportedTests(result.detail)
        if result.kind in ("ended", "missing") or (result.kind == "failed" and result.path == "handles"):
            self._blame(reference, result)
        candidate = exchange.candidate
        detail = f"{result.detail} ({ending(candidate)})" if candidate.timed_out or candidate.flooded else result.detail
        slow = result.late and candidate.cpu_s >= self._candidate_limits.cpu_s / 2
        if result.kind == "silent" and not (candidate.timed_out or slow or candidate.exit_status in CRASHES):
            if result.late:
                got = f"a completion got {candidate.cpu_s:.1f} s of processor time before it was parsed"
                raise EnvironmentFault(f"the machine is too busy: {got}")
            raise EnvironmentFault(f"the Python in the sandbox does not answer: {ending(candidate)}")
        if result.kind in ("syntax", "silent"):
            return Ruling(0.0, passed=False, stage=Stage.COMPILE, detail=detail)
        if result.kind == "load":
            return Ruling(VALID, passed=False, stage=Stage.RUN, detail=detail)
        if result.kind in ("failed", "missing", "ended"):
            return Ruling(LOADED, passed=False, stage=Stage.TESTS, detail=f"failed: {detail}", path=result.path)
        if not reference.has_tests:
            return Ruling(LOADED, passed=True, stage=Stage.RUN, detail=detail)
        return Ruling(1.0, passed=True, stage=Stage.TESTS, detail="all tests pass", path=result.path)

    def _judged(self, reference: Reference, code: str, meter: Meter) -> tuple[Result, Exchange]:
        prepared = self._prepared(reference)
        if prepared.refusal:
            raise UnsupportedTests(prepared.refusal)
        program = wire.framed(prepared.program + b', "code": ' + json.dumps(code).encode() + b"}")
        result, exchange = self._exchanged(program + prepared.tests, meter, inline=prepared.harmless)
        if result.kind == "ended" and prepared.harmless:
            result, exchange = self._exchanged(program + prepared.tests, meter, inline=False)
        if result.kind == "again":
            result, exchange = self._exchanged(program + prepared.tests_unforeseen, meter, inline=False)
        return result, exchange

    def _exchanged(self, payload: bytes, meter: Meter, *, inline: bool) -> tuple[Result, Exchange]:
        judge = judge_job(payload, self._judge_limits, inline=inline)
        exchange = meter.converse(judge, candidate_job(self._candidate_limits))
        lines = exchange.judge.report.splitlines()
        called = link.BEGUN.strip() not in lines or link.CALLED.strip() in lines
        if not lines or not lines[-1].startswith(b"["):
            detail = f"the tests did not come to an end: {ending(exchange.judge)}"
            return Result("ended", detail, called=called), exchange
        kind, detail, path, late = json.loads(lines[-1])
        return Result(kind, detail, path, late, called), exchange

    def _prepare(self, reference: Reference) -> Prepared:
        helpers = helpers_of(standalone(reference.stub), reference.entry_point)
        program = {"entry_point": reference.entry_point, "stub": reference.stub, "helpers": helpers}
        tests: dict[str, object] = reference.model_dump(include={"setup", "asserts", "entry_point"})
        tests |= {"check": reference.check or "", "helpers": helpers, "timeout_s": self._answer_s, "calls": []}
        seen = outline(reference)
        foreseen = foresee(reference, seen)._asdict() if seen else {}
        return Prepared(
            program=json.dumps(program).encode().removesuffix(b"}"),
            tests=json.dumps(tests | foreseen).encode(),
            tests_unforeseen=json.dumps(tests).encode(),
            harmless=seen is not None and harmless(seen, helpers),
            refusal=refusal(seen) if seen else None,
        )

    def _blame(self, reference: Reference, result: Result) -> None:
        """Find out whether tests that neither passed nor failed are themselves at fault.

        They are if they hang before the completion is called, or do the same with the known solution. Otherwise a value
        of the completion's has led them astray, or a definition is missing, which is its own doing.

        Raises:
            UnsupportedTests: they are.
        """
        if (result.kind == "ended" and not result.called) or self._solution_result(reference) == result.kind:
            raise UnsupportedTests(result.detail)

    def _result_of_solution(self, reference: Reference) -> str | None:
        if reference.solution is None:
            return None
        result, _ = self._judged(reference, reference.solution, Meter(self._sandbox))
        return result.kind

    def _cases(self, reference: Reference, code: str, meter: Meter) -> Ruling:
        source = code.encode(errors="replace")
        job = script_job(source, self._candidate_limits)
        result = run_cases(meter, job, reference.cases)
        if result.ran:
            return Ruling(1.0 if result.correct else LOADED, result.correct, Stage.TESTS, result.detail)
        if meter.run(script_job(source, self._candidate_limits, compile_only=True)).exit_status != 0:
            return Ruling(0.0, passed=False, stage=Stage.COMPILE, detail=result.detail)
        return Ruling(VALID, passed=False, stage=Stage.RUN, detail=result.detail)
