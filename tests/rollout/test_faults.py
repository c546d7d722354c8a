from __future__ import annotations

import pytest

from halo_forge.core.errors import TooManyFaults
from halo_forge.core.types import Stage, Verdict
from halo_forge.rollout.faults import MOST_CAUSES, OTHER_CAUSES, FaultCount, tally_cause

RIGHT = Verdict(reward=1.0, passed=True, stage=Stage.TESTS)


def fault(cause: str = "g++ is gone") -> Verdict:
    return Verdict(reward=None, passed=False, stage=Stage.PARSE, fault=cause)


def test_a_share_above_the_limit_stops_and_names_the_commonest_cause() -> None:
    count = FaultCount(0.05)
    count.count([RIGHT] * 95 + [fault("rare")] + [fault()] * 4)
    with pytest.raises(TooManyFaults, match=r"^6 of 101 .*more than the 5% allowed; most often: g\+\+ is gone\. Mend"):
        count.count([fault()])


def test_a_few_verdicts_decide_only_if_no_others_could_make_up_for_them() -> None:
    count = FaultCount(0.1)
    count.count([fault()] * 2)
    with pytest.raises(TooManyFaults, match=r"^3 of 3 "):
        count.count([fault()])


@pytest.mark.parametrize("number", [1, 2, 19])
def test_verdicts_that_are_all_without_a_reward_are_too_few_to_go_on(number: int) -> None:
    count = FaultCount(0.95)
    count.require_some()
    count.count([fault()] * number)
    with pytest.raises(TooManyFaults, match=rf"^{number} of {number} .*95% allowed"):
        count.require_some()
    count.count([RIGHT])
    count.require_some()


def test_who_allows_every_fault_gets_none() -> None:
    count = FaultCount(1.0)
    count.count([fault()] * 30)
    count.require_some()


def test_a_wrong_answer_is_no_fault() -> None:
    FaultCount(0.0).count([Verdict(reward=0.0, passed=False, stage=Stage.COMPILE)] * 100)


def test_the_table_of_causes_stays_small() -> None:
    causes: dict[str, int] = {}
    for number in range(1000):
        tally_cause(causes, f"cause {number}")
    assert len(causes) == MOST_CAUSES + 1
    assert causes[OTHER_CAUSES] == 1000 - MOST_CAUSES
