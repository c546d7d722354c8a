"""The verifier behind `python`, `humaneval` and `mbpp`: a judge and a candidate, each in a sandbox, joined by pipes."""

from __future__ import annotations

import json
import signal
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.protocols import Exchange, Sandbox
from halo_forge.core.types import Reference, Stage
from halo_forge.verifiers import python_candidate, python_judge, python_remote, python_wire
from halo_forge.verifiers.batch import Meter, ProgramVerifier, Ruling, UnsupportedTests
from halo_forge.verifiers.extract import extract_code
from halo_forge.verifiers.interpreter import find_interpreter
from halo_forge.verifiers.program_io import ending, run_cases

if TYPE_CHECKING:
    from halo_forge.verifiers.python_tests import PythonConfig

RULES = 1
PACKAGE = "halo_forge/verifiers"
FENCES = {"python", "py", "python3", "py3"}
LOADED, VALID = 0.5, 0.3
CACHED_REFERENCES = 4096
CRASHES = (-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS)
COMPILE_ONLY = (
    b"compile(open('/job/program.py'.replace('/job', __file__.rpartition('/')[0])).read(), 'program', 'exec')\n"
)


class Result(NamedTuple):
    """What the judge reports, or `ended` when it ended without a report.

    Args:
        kind: `passed`, `failed`, `missing` (a name the tests read), `load`, `syntax`, `silent` (it ended or hung while
            it was being parsed), `broken` (the tests are) or `ended`.
        detail: the test that failed, or why.
        called: the tests had begun to call the completion.
    """

    kind: str
    detail: str
    called: bool


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
        self._python = find_interpreter(sandbox)
        self._candidate_limits = config.candidate_limits()
        self._judge_limits = config.judge_limits()
        self._answer_s = 2 * config.timeout_s
        wire = {f"{PACKAGE}/python_wire.py": _source(python_wire)}
        remote = {f"{PACKAGE}/python_remote.py": _source(python_remote)}
        self._candidate_files = {**wire, "candidate.py": _source(python_candidate)}
        self._judge_files = {**wire, **remote, "judge.py": _source(python_judge)}
        limits = f"{self._candidate_limits!r}; {self._judge_limits!r}"
        super().__init__(name, f"{name} rules {RULES}; python {self._python.version}; {limits}", sandbox, workers)
        self._solution_result = lru_cache(CACHED_REFERENCES)(self._result_of_solution)

    def judge(self, reference: Reference, text: str, meter: Meter) -> Ruling:
        """Judge one completion.

        Raises:
            EnvironmentFault: the machine failed.
            UnsupportedTests: the tests cannot be run.
        """
        code = extract_code(text, FENCES).code
        if not code:
            return Ruling(0.0, passed=False, stage=Stage.PARSE, detail="the answer holds no code")
        if not reference.cases:
            return self._tested(reference, code, meter)
        ruling = self._cases(reference, code, meter)
        if ruling.passed and (reference.asserts or reference.check):
            return self._tested(reference, code, meter)
        return ruling

    def _tested(self, reference: Reference, code: str, meter: Meter) -> Ruling:
        result, exchange = self._judged(reference, code, meter)
        if result.kind == "broken":
            raise UnsupportedTests(result.detail)
        if result.kind in ("ended", "missing"):
            self._blame(reference, result)
        candidate = exchange.candidate
        detail = f"{result.detail} ({ending(candidate)})" if candidate.timed_out or candidate.flooded else result.detail
        if result.kind == "silent" and not (candidate.timed_out or candidate.exit_status in CRASHES):
            raise EnvironmentFault(f"the Python in the sandbox does not answer: {ending(candidate)}")
        if result.kind in ("syntax", "silent"):
            return Ruling(0.0, passed=False, stage=Stage.COMPILE, detail=detail)
        if result.kind == "load":
            return Ruling(VALID, passed=False, stage=Stage.RUN, detail=detail)
        if result.kind in ("failed", "missing", "ended"):
            return Ruling(LOADED, passed=False, stage=Stage.TESTS, detail=f"failed: {detail}")
        if not reference.has_tests:
            return Ruling(LOADED, passed=True, stage=Stage.RUN, detail=detail)
        return Ruling(1.0, passed=True, stage=Stage.TESTS, detail="all tests pass")

    def _judged(self, reference: Reference, code: str, meter: Meter) -> tuple[Result, Exchange]:
        program = {"stub": reference.stub, "code": code, "entry_point": reference.entry_point}
        tests = reference.model_dump(include={"stub", "setup", "asserts", "check", "entry_point"})
        tests["timeout_s"] = self._answer_s
        candidate_files = {**self._candidate_files, "program.json": json.dumps(program).encode()}
        judge_files = {**self._judge_files, "tests.json": json.dumps(tests).encode()}
        exchange = meter.converse(
            self._python.job("judge.py", judge_files, self._judge_limits, report=True),
            self._python.job("candidate.py", candidate_files, self._candidate_limits),
        )
        lines = exchange.judge.report.splitlines()
        called = python_remote.CALLED.strip() in lines[:1]
        if not lines or not lines[-1].startswith(b"["):
            return Result("ended", f"the tests did not come to an end: {ending(exchange.judge)}", called), exchange
        kind, detail = json.loads(lines[-1])
        return Result(kind, detail, called), exchange

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
        job = self._python.job("program.py", {"program.py": code.encode(errors="replace")}, self._candidate_limits)
        result = run_cases(meter, job, reference.cases)
        if result.ran:
            return Ruling(1.0 if result.correct else LOADED, result.correct, Stage.TESTS, result.detail)
        files = {**job.files, "compile.py": COMPILE_ONLY}
        if meter.run(self._python.job("compile.py", files, self._candidate_limits)).exit_status != 0:
            return Ruling(0.0, passed=False, stage=Stage.COMPILE, detail=result.detail)
        return Ruling(VALID, passed=False, stage=Stage.RUN, detail=result.detail)


def _source(module: object) -> bytes:
    return Path(str(vars(module)["__file__"])).read_bytes()
