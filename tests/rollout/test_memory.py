from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "rollouts.py"


@pytest.mark.slow
def test_memory_stays_flat_at_100_000_rollouts_a_cycle(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCHMARK), "--rollouts", "100000", "--tokens", "100", "--work", str(tmp_path / "w")]
    measured = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    attempts = [measured[name] for name in ("drawn", "resumed", "resumed_without_index")]
    assert {attempt["rollouts"] for attempt in attempts} == {100_000}
    assert len({attempt["kept"] for attempt in attempts}) == 1
    assert max(attempt["peak_rss_mb"] for attempt in attempts) < 500
