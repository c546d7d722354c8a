"""Any command as the judge, in the sandbox: its exit status, or a JSON object that it writes, is the verdict.

| `result` | the command says |
| --- | --- |
| `exit` | status 0: 1.0 and passed; a status of `rejected`: 0.0; any other: a fault |
| `json` | one object on descriptor 3: `{"reward": 0 to 1 or null, "passed": …, "detail": …, "stage": …}` |
| `stdout` | the same object on standard output, and nothing else there |

The command finds the code in `/job/<file>`, the whole completion in `/job/completion.txt`, the row's ground truth in
`/job/reference.json`, and the user's own folder in `/checker`. Words of the command may name these places as `{code}`,
`{completion}`, `{reference}` and `{folder}`.

The command is trusted, the completion is not. A command that runs the completion shares its sandbox with it: the
completion can then read the reference and the folder and, in the same process, end with status 0 or write the object
itself. With `run`, the completion runs in a sandbox of its own, where neither reference nor folder is, and the command
judges what was captured: `{runs}`, a JSON list of `exit_status`, `timed_out`, `flooded`, `stdout` and `stderr` for each
case of the row (one entry, with empty input, for a row without cases), and `{stdout}`, the first run's bare output.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import Field, field_validator, model_validator

from halo_forge.core.plugins import VerifierConfig
from halo_forge.core.protocols import Limits, Sandbox, Verifier

ANY_STATUS = tuple(range(1, 126))
RESERVED_NAMES = {"completion.txt", "reference.json", "runs.json", "stdout.txt"}
TAKEN_PLACES = ("/bin", "/checker", "/dev", "/job", "/lib", "/lib64", "/proc", "/sbin", "/tmp", "/usr", "/work")
ANSWER_PLACES = {"{code}", "{completion}"}
CAPTURED_PLACES = {"{runs}", "{stdout}"}
PLACES = {*ANSWER_PLACES, *CAPTURED_PLACES, "{reference}", "{folder}"}


class CustomConfig(VerifierConfig):
    """Any command: judges by its exit status or by a JSON object that it writes.

    Args:
        command: program and arguments; a text is split as a shell would, but no shell runs.
        run: program and arguments that run the completion apart from the judge; empty: the command has the completion.
        file: name of the file with the code.
        language: fence languages whose block is the code; none takes the whole completion.
        folder: the host folder that is shown read-only as `/checker`.
        mounts: path inside -> further host folder, shown read-only to both commands.
        env: environment of both commands, beside PATH, HOME, TMPDIR and LC_ALL.
        result: how the command tells its verdict.
        rejected: with `exit`, the statuses that mean a wrong answer, 1 to 125; `any` is all of those.
        blame: who is at fault when the command is killed by a signal or a limit; `auto` is the answer where the command
            has it, since it may be running it, and else the checker.
        timeout_s: processor seconds of one command; twice as long on the clock.
        memory_mb: memory of each of its processes, MiB.
        checker_version: a word to change when something that the command uses elsewhere has changed.
    """

    command: tuple[str, ...] = Field(min_length=1)
    run: tuple[str, ...] = ()
    file: str = Field(default="answer.txt", pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")
    language: tuple[str, ...] = ()
    folder: Path | None = None
    mounts: dict[str, Path] = {}
    env: dict[str, str] = {}
    result: Literal["exit", "json", "stdout"] = "exit"
    rejected: tuple[int, ...] = (1,)
    blame: Literal["auto", "answer", "checker"] = "auto"
    timeout_s: float = Field(default=10.0, gt=0)
    memory_mb: int = Field(default=1024, ge=16)
    checker_version: str = ""

    @field_validator("command", "run", mode="before")
    @classmethod
    def _words(cls, value: object) -> object:
        return tuple(shlex.split(value)) if isinstance(value, str) else value

    @field_validator("language", mode="before")
    @classmethod
    def _one_text(cls, value: object) -> object:
        return tuple(word.strip() for word in value.split(",")) if isinstance(value, str) else value

    @field_validator("language")
    @classmethod
    def _lower_case(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(word.lower() for word in value)

    @field_validator("rejected", mode="before")
    @classmethod
    def _statuses(cls, value: object) -> object:
        if value == "any":
            return ANY_STATUS
        return (value,) if isinstance(value, int) else value

    @field_validator("rejected")
    @classmethod
    def _rejections(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        wrong = [status for status in value if status not in ANY_STATUS]
        if wrong:
            raise ValueError(f"{wrong[0]} cannot mean a wrong answer: choose statuses from 1 to 125")
        return value

    @field_validator("file")
    @classmethod
    def _free_name(cls, value: str) -> str:
        if value in RESERVED_NAMES:
            raise ValueError(f"{value} is the name of another file in /job: choose one such as answer.py")
        return value

    @field_validator("mounts")
    @classmethod
    def _free_places(cls, value: dict[str, Path]) -> dict[str, Path]:
        for inside in value:
            path = PurePosixPath(inside)
            if not path.is_absolute() or ".." in path.parts or path == PurePosixPath("/"):
                raise ValueError(f"'{inside}' is not an absolute path inside the sandbox, such as /opt/tool")
            if any(path.is_relative_to(taken) for taken in TAKEN_PLACES):
                raise ValueError(f"'{inside}' is the sandbox's own: choose another place, such as /opt/tool")
        return value

    @model_validator(mode="after")
    def _places_exist(self) -> CustomConfig:
        available = {"{reference}", *(CAPTURED_PLACES if self.run else ANSWER_PLACES)}
        if self.folder is not None:
            available.add("{folder}")
        _check_places("command", self.command, available)
        _check_places("run", self.run, ANSWER_PLACES)
        return self

    @property
    def blames_answer(self) -> bool:
        """Whether a command that is killed counts against the answer."""
        return self.blame == "answer" or (self.blame == "auto" and not self.run)

    def limits(self) -> Limits:
        """Return what one command may use."""
        return Limits(cpu_s=self.timeout_s, wall_s=2 * self.timeout_s, memory_mb=self.memory_mb)

    def build(self, sandbox: Sandbox, workers: int) -> Verifier:
        """Make the verifier.

        Raises:
            EnvironmentFault: a folder or a program is missing, or the sandbox does not show it.
        """
        from halo_forge.verifiers.custom.command import CommandVerifier

        return CommandVerifier(self, sandbox, workers)


def _check_places(option: str, words: tuple[str, ...], available: set[str]) -> None:
    for place in (place for word in words for place in re.findall(r"\{[a-z]+\}", word)):
        if place in PLACES - available:
            reason = "needs the option folder" if place == "{folder}" else "is not there"
            raise ValueError(f"{place} {reason}: {option} may name {', '.join(sorted(available))}")
        if place in words and place not in PLACES:
            raise ValueError(
                f"{place} names no place: {option} may name {', '.join(sorted(available))}; "
                "braces that mean something else need a space inside"
            )
