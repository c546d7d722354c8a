import pytest

from halo_forge.sandbox import Tier, open_sandbox
from halo_forge.sandbox.check import MISDEEDS, check_sandbox


@pytest.mark.parametrize("tier", ["bubblewrap", "landlock"])
def test_isolation_stops_every_misdeed(tier: Tier) -> None:
    with open_sandbox(tier) as sandbox:
        findings = list(check_sandbox(sandbox))
    assert len(findings) == len(MISDEEDS)
    assert [finding for finding in findings if not finding.stopped] == []


def test_limits_alone_stop_accidents_only_and_the_check_says_so() -> None:
    with open_sandbox("limits") as sandbox:
        stopped = {finding.misdeed: finding.stopped for finding in check_sandbox(sandbox)}
    assert not stopped["connect to the network"]
    assert not stopped["read a file of the host"]
    assert stopped["take 512 MB of memory"]
    assert stopped["start 100 processes"]
