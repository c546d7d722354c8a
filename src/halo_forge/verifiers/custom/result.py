"""Reading what a user's command says about an answer; whatever it does not say clearly is its fault, not a reward."""

from __future__ import annotations

from collections.abc import Collection

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.protocols import Outcome
from halo_forge.core.types import Stage
from halo_forge.verifiers.batch import Ruling
from halo_forge.verifiers.program_io import ending

SIGNALLED_FROM = 128


class CheckerReport(BaseModel):
    """The JSON object that a command writes.

    Args:
        reward: 0 to 1; null when the command could not judge, which is a fault.
        passed: whether the answer is right; by default, whether the reward is 1.
        detail: for a person.
        stage: how far the answer came.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    reward: float | None = Field(ge=0, le=1, allow_inf_nan=False)
    passed: bool | None = None
    detail: str = ""
    stage: Stage = Stage.TESTS


def killed(outcome: Outcome) -> bool:
    """Tell whether a command did not come to an end of its own; a shell gives its child's signal as a high status."""
    return outcome.timed_out or outcome.flooded or not 0 <= outcome.exit_status <= SIGNALLED_FROM


def exit_ruling(outcome: Outcome, rejected: Collection[int]) -> Ruling:
    """Judge by the exit status of a command that was not killed.

    Raises:
        EnvironmentFault: the status is neither 0 nor a rejection.
    """
    if outcome.exit_status == 0:
        return Ruling(1.0, passed=True, stage=Stage.TESTS, detail="accepted")
    if outcome.exit_status in rejected:
        return Ruling(0.0, passed=False, stage=Stage.TESTS, detail=f"rejected: {_last_words(outcome)}")
    raise EnvironmentFault(
        f"the checker failed: {ending(outcome)} (a status that means a wrong answer belongs into the option rejected)"
    )


def report_ruling(outcome: Outcome, written: bytes, where: str) -> Ruling:
    """Judge by the object that a command, which was not killed, has written.

    Args:
        outcome: how the command ended.
        written: everything it wrote to the place of the object.
        where: that place, for the message.

    Raises:
        EnvironmentFault: it failed, wrote nothing or something else, or says that it could not judge.
    """
    if outcome.exit_status != 0:
        raise EnvironmentFault(f"the checker failed: {ending(outcome)}")
    if not written.strip():
        raise EnvironmentFault(f"the checker is broken: it wrote nothing to {where}")
    try:
        report = CheckerReport.model_validate_json(written)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "the object"
        raise EnvironmentFault(f"the checker is broken: what it wrote to {where}: {key}: {first['msg']}") from error
    if report.reward is None:
        raise EnvironmentFault(f"the checker could not judge: {report.detail or 'it gives no reason'}")
    passed = report.reward == 1.0 if report.passed is None else report.passed
    return Ruling(report.reward, passed, report.stage, report.detail)


def _last_words(outcome: Outcome) -> str:
    said = (outcome.stdout.strip() or outcome.stderr.strip()).decode(errors="replace").splitlines()
    return said[-1] if said else f"exit status {outcome.exit_status}"
