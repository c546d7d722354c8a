from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "gpu.py"


@pytest.mark.slow
def test_the_benchmark_of_an_accelerator_runs_on_a_toy_without_one(tmp_path: Path) -> None:
    output = tmp_path / "gpu.json"
    subprocess.run(
        [sys.executable, SCRIPT, "--tiny", "--peak-tflops", "0.5", "--output", output], check=True, timeout=300
    )
    result = json.loads(output.read_text())
    toy = result["models"]["tiny"]
    assert toy["generation"]["static_generate"]["tokens"] == toy["generation"]["halo_forge"]["tokens"] == 2 * 2 * 8
    training = toy["training"]
    assert training["steps"] == 2
    # Two layers of 64 x (64 + 32 + 32 + 64) and 3 x 64 x 128 weights, 1,024 x 64 at the output, rank 16.
    linear = 2 * (64 * (64 + 32 + 32 + 64) + 3 * 64 * 128)
    adapter = 2 * 16 * (2 * (64 + 64) + 2 * (64 + 32) + 3 * (64 + 128))
    least = 4 * linear + 6 * adapter
    most = least + 4 * 1024 * 64 + 6 * 2 * 64 * 48
    per_token = training["tflops_per_s"] * 1e12 / training["tokens_per_s"]
    assert 0.99 * least < per_token < 1.01 * most
    assert training["mfu"] == pytest.approx(training["tflops_per_s"] / 0.5, rel=2e-3)
