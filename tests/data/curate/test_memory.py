"""A million rows fit into 1 GB: what each step holds grows by a few hundred bytes a row."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
FEW, MANY, MOST = 20_000, 120_000, 1_000_000
LIMIT_MB = 1024


@pytest.fixture(scope="module")
def benchmark() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "benchmarks" / "data.py"))


@pytest.mark.slow
@pytest.mark.parametrize("step", ["validate", "dedup", "decontaminate", "split"])
def test_memory_at_a_million_rows(benchmark: dict[str, Any], step: str, tmp_path: Path, shared_data: Path) -> None:
    peaks = {}
    for rows in (FEW, MANY):
        path = tmp_path / f"{rows}.jsonl"
        benchmark["make_rows"](path, rows)
        result = benchmark["measure"]("ours", step, path, shared_data / "humaneval.jsonl")
        assert result["rows"] == rows and result["kept"] > 0.8 * rows
        peaks[rows] = result["peak_mb"]
    a_row = (peaks[MANY] - peaks[FEW]) / (MANY - FEW)
    assert peaks[MANY] + a_row * (MOST - MANY) < LIMIT_MB, peaks
