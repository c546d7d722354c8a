"""What two processes do by DeepSpeed alone, beside one; what they do in every way is in test_team.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from launched import (
    COMMAND,
    NEEDS_DEEPSPEED,
    ROWS,
    TOLD,
    ZERO,
    finish,
    losses,
    processes_of,
    said,
    sft,
    start,
    wait_until,
    zero_apart,
)

from halo_forge.runs.state import RunState, read_status

pytestmark = [pytest.mark.slow, NEEDS_DEEPSPEED]


@pytest.fixture
def data(write_jsonl: Callable[..., Path]) -> Path:
    return write_jsonl("data.jsonl", *ROWS)


def test_layers_in_parts_can_be_computed_twice(nano_model: Path, data: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    twice = "--gradient-checkpointing"
    finish([str(TOLD), *sft(nano_model, data, one, "full"), twice], one)
    finish([*zero_apart(tmp_path), str(TOLD), *sft(nano_model, data, two, "full"), twice, "--micro-batch", "2"], two)
    alone, together = losses(one), losses(two)
    assert alone.keys() == together.keys()
    assert max(abs(alone[step] - together[step]) for step in alone) < 1e-4


def test_layers_in_parts_can_be_computed_in_16_bits(nano_model: Path, data: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    half = ["--dtype", "bfloat16", "--max-steps", "10"]
    finish([str(TOLD), *sft(nano_model, data, one, "lora"), *half], one)
    finish([*zero_apart(tmp_path), str(TOLD), *sft(nano_model, data, two, "lora"), *half], two)
    alone, together = losses(one), losses(two)
    assert sorted(alone) == sorted(together) == [(0, step) for step in range(1, 11)]
    assert max(abs(alone[step] - together[step]) for step in alone) < 5e-3


def test_a_step_that_deepspeed_leaves_out_ends_the_run(nano_model: Path, data: Path, tmp_path: Path) -> None:
    output = tmp_path / "run"
    words = [word if word != "1e-3" else "1e38" for word in sft(nano_model, data, output, "full")]
    assert start([*ZERO[2], str(COMMAND), *words], output).wait(120) == 1
    assert "DeepSpeed leaves such a step out" in said(output)
    assert read_status(output).state is RunState.FAILED
    wait_until(lambda: not processes_of(output), 10)
