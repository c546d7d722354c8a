from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "web.py"


@pytest.mark.slow
def test_the_benchmark_of_the_page_runs_on_a_little() -> None:
    small = ["--runs", "3", "--rollouts", "60", "--log-mb", "1", "--points", "50", "--repeats", "1"]
    done = subprocess.run([sys.executable, SCRIPT, *small], check=True, timeout=300, capture_output=True, text=True)
    result = json.loads(done.stdout)
    assert result["lists"]["idle_mb"] > 0 and result["lists"]["dashboard"]["second_ms"] > 0
    assert result["run"]["chart"]["update_ms"] > 0 and result["run"]["samples"]["search_ms"] > 0
    assert {"load_before", "load_after", "chromium"} <= result["machine"].keys()
