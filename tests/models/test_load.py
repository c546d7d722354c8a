from __future__ import annotations

from pathlib import Path

import pytest
import torch

from halo_forge.config.shared import LoadingOptions
from halo_forge.config.tuning import TuningOptions
from halo_forge.core.errors import ConfigError, EnvironmentFault, ModelError
from halo_forge.models.hardware import pick_device, pick_dtype, set_threads
from halo_forge.models.load import load_policy
from halo_forge.models.resolve import ModelRef, resolve_model

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
FULL, LORA = TuningOptions(tuning="full"), TuningOptions(tuning="lora")


@pytest.mark.parametrize(
    ("name", "device", "tuning", "expected"),
    [
        ("auto", CPU, None, (torch.float32, None)),
        ("auto", CPU, FULL, (torch.float32, None)),
        ("bfloat16", CPU, None, (torch.bfloat16, None)),
        ("bfloat16", CPU, LORA, (torch.bfloat16, torch.bfloat16)),
        ("bfloat16", CUDA, FULL, (torch.float32, torch.bfloat16)),
        ("float16", CUDA, None, (torch.float16, None)),
        ("float16", CUDA, FULL, (torch.float32, torch.float16)),
        ("float16", CUDA, LORA, (torch.float16, torch.float16)),
        ("float32", CUDA, LORA, (torch.float32, None)),
    ],
)
def test_weights_and_arithmetic_suit_the_hardware(
    name: str, device: torch.device, tuning: TuningOptions | None, expected: tuple[torch.dtype, torch.dtype | None]
) -> None:
    assert pick_dtype(name, device, tuning) == expected


def test_devices_that_are_not_there_are_named() -> None:
    with pytest.raises(ConfigError, match="--device tpu9 is not a device"):
        pick_device("tpu9")
    if not torch.cuda.is_available():
        with pytest.raises(EnvironmentFault, match="this machine has 0 CUDA devices"):
            pick_device("cuda:1")


def test_adapters_in_four_bits_need_their_hardware(nano_model: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has it")
    with pytest.raises(EnvironmentFault, match="qlora needs a CUDA device"):
        load_policy(ModelRef(str(nano_model)), LoadingOptions(), TuningOptions(tuning="qlora"))


def test_fused_kernels_need_their_hardware(nano_model: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has it")
    with pytest.raises(EnvironmentFault, match="--use-liger needs a CUDA device"):
        load_policy(ModelRef(str(nano_model)), LoadingOptions(), TuningOptions(use_liger=True))


def test_training_in_bfloat16_on_any_hardware(nano_model: Path) -> None:
    policy = load_policy(resolve_model(str(nano_model)), LoadingOptions(dtype="bfloat16"), LORA)
    trained = {p.dtype for p in policy.model.parameters() if p.requires_grad}
    frozen = {p.dtype for p in policy.model.parameters() if not p.requires_grad}
    assert (trained, frozen) == ({torch.float32}, {torch.bfloat16})


def test_a_target_that_is_no_module_is_an_error(nano_model: Path) -> None:
    with pytest.raises(ConfigError, match="--lora-targets nothing"):
        load_policy(ModelRef(str(nano_model)), LoadingOptions(), TuningOptions(lora_targets=("nothing",)))


def test_broken_weights_are_one_line(nano_model: Path, tmp_path: Path) -> None:
    import shutil

    folder = tmp_path / "broken"
    shutil.copytree(nano_model, folder)
    (folder / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(ModelError, match=r"model '.*broken' cannot be loaded") as caught:
        load_policy(ModelRef(str(folder)), LoadingOptions())
    assert "\n" not in str(caught.value)


def test_a_tiny_model_gets_one_thread_unless_told() -> None:
    before = torch.get_num_threads()
    try:
        set_threads(None, 1_000_000)
        assert torch.get_num_threads() == 1
        set_threads(2, 1_000_000)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
