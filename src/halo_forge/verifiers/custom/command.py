"""The verifier behind `custom`: lays out the files, runs the commands, and says who is to blame for their end."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING

from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.protocols import Job, Outcome, Sandbox
from halo_forge.core.types import Reference, Stage
from halo_forge.verifiers.batch import Meter, ProgramVerifier, Ruling
from halo_forge.verifiers.custom.files import (
    FOLDER,
    SYSTEM_PATH,
    existing_folder,
    fingerprint,
    require_files,
    require_program,
    resolved,
)
from halo_forge.verifiers.custom.result import exit_ruling, killed, report_ruling
from halo_forge.verifiers.extract import extract_code
from halo_forge.verifiers.program_io import ending

if TYPE_CHECKING:
    from halo_forge.verifiers.custom.config import CustomConfig

RULES = 1
ENVIRONMENT = {"PATH": SYSTEM_PATH, "HOME": "/work", "TMPDIR": "/tmp", "LC_ALL": "C.UTF-8"}
REPORT = "descriptor 3"
CACHED_REFERENCES = 4096


class CommandVerifier(ProgramVerifier):
    """Judges by a command.

    Args:
        config: the options.
        sandbox: where the commands run.
        workers: submissions judged at the same time.

    Raises:
        EnvironmentFault: a folder or a program is missing, or the sandbox does not show it.
    """

    def __init__(self, config: CustomConfig, sandbox: Sandbox, workers: int) -> None:
        self._config = config
        shown = {**config.mounts, **({FOLDER: config.folder} if config.folder is not None else {})}
        self._mounts = {inside: existing_folder(host) for inside, host in shown.items()}
        self._mounts_of_answer = {inside: host for inside, host in self._mounts.items() if inside != FOLDER}
        require_files(config.command, self._mounts.get(FOLDER))
        self._command = resolved(config.command, config.file)
        self._run = resolved(config.run, config.file)
        require_program(sandbox, self._command[0], self._mounts)
        if self._run:
            require_program(sandbox, self._run[0], self._mounts_of_answer)
        super().__init__("custom", f"custom rules {RULES}; {config!r}; {fingerprint(self._mounts)}", sandbox, workers)
        self._solution_is_killed = lru_cache(CACHED_REFERENCES)(self._kills_solution)

    def judge(self, reference: Reference, text: str, meter: Meter) -> Ruling:
        """Judge one completion.

        Raises:
            EnvironmentFault: the machine or the checker failed.
        """
        code = self._code(text)
        if not code:
            return Ruling(0.0, passed=False, stage=Stage.PARSE, detail="the answer is empty")
        outcome = self._checked(reference, code, text, meter)
        if killed(outcome):
            if not self._config.blames_answer or self._solution_is_killed(reference):
                raise EnvironmentFault(f"the checker was killed: {ending(outcome)}")
            return Ruling(0.0, passed=False, stage=Stage.TESTS, detail=ending(outcome))
        if self._config.result == "exit":
            return exit_ruling(outcome, self._config.rejected)
        if self._config.result == "json":
            return report_ruling(outcome, outcome.report, REPORT)
        return report_ruling(outcome, outcome.stdout, "standard output")

    def _code(self, text: str) -> str:
        if not self._config.language:
            return text if text.strip() else ""
        return extract_code(text, self._config.language).code

    def _checked(self, reference: Reference, code: str, text: str, meter: Meter) -> Outcome:
        answer = {self._config.file: code.encode(errors="replace"), "completion.txt": text.encode(errors="replace")}
        judged = self._captured(reference, answer, meter) if self._run else answer
        files = {**judged, "reference.json": reference.model_dump_json().encode()}
        job = Job(self._command, self._config.limits(), files=files, mounts=self._mounts, env=self._environment())
        return meter.run(job._replace(report=self._config.result == "json"))

    def _captured(self, reference: Reference, answer: dict[str, bytes], meter: Meter) -> dict[str, bytes]:
        """Run the completion by itself, once a case up to the first that is out of time, and keep what it did."""
        job = Job(
            self._run, self._config.limits(), files=answer, mounts=self._mounts_of_answer, env=self._environment()
        )
        outcomes: list[Outcome] = []
        for given in [case.input for case in reference.cases] or [""]:
            outcomes.append(meter.run(job._replace(stdin=given.encode())))
            if outcomes[-1].timed_out:
                break
        runs = json.dumps([_record(outcome) for outcome in outcomes]).encode()
        return {"runs.json": runs, "stdout.txt": outcomes[0].stdout}

    def _kills_solution(self, reference: Reference) -> bool:
        """Tell whether the command is killed on the known solution too, and so whatever the answer."""
        solution = reference.solution
        return solution is not None and killed(self._checked(reference, solution, solution, Meter(self._sandbox)))

    def _environment(self) -> dict[str, str]:
        return {**ENVIRONMENT, **self._config.env}


def _record(outcome: Outcome) -> dict[str, object]:
    return {
        "exit_status": outcome.exit_status,
        "timed_out": outcome.timed_out,
        "flooded": outcome.flooded,
        "stdout": outcome.stdout.decode(errors="replace"),
        "stderr": outcome.stderr.decode(errors="replace"),
    }
