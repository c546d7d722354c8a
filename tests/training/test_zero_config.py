"""What of DeepSpeed's config is used, and what is refused by name; accelerate's own variables and files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from halo_forge.core.errors import ConfigError
from halo_forge.training.zero_config import read_zero


def test_flags_of_accelerate_give_the_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_DEEPSPEED_ZERO_STAGE", "1")
    assert read_zero() == {"stage": 1}


def test_of_a_file_what_is_auto_is_left_to_deepspeed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    zero = {"stage": 3, "overlap_comm": False, "reduce_bucket_size": "auto", "offload_param": {"device": "none"}}
    saving = {"stage3_gather_16bit_weights_on_model_save": True}
    auto = dict.fromkeys(("train_batch_size", "train_micro_batch_size_per_gpu", "gradient_clipping"), "auto")
    content = {"zero_optimization": {**zero, **saving}, **auto, "bf16": {"enabled": "auto"}, "steps_per_print": 5}
    monkeypatch.setenv("ACCELERATE_DEEPSPEED_CONFIG_FILE", write(tmp_path, content))
    assert read_zero() == {"stage": 3, "overlap_comm": False}


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ({"DEEPSPEED_ZERO_STAGE": "0"}, "ZeRO stage 0: give 1, 2 or 3"),
        ({"DEEPSPEED_OFFLOAD_OPTIMIZER_DEVICE": "cpu"}, "offload_optimizer, which is not done here: give none"),
        ({"DEEPSPEED_ZERO_STAGE": "3", "DEEPSPEED_OFFLOAD_PARAM_DEVICE": "nvme"}, "offload_param, which is not done"),
        ({"GRADIENT_CLIPPING": "0.5"}, "gradient_clipping to 0.5, which --max-grad-norm is for"),
        ({"GRADIENT_ACCUMULATION_STEPS": "4"}, "gradient_accumulation_steps to 4, which --batch-size and --micro"),
        ({"DEEPSPEED_MOE_LAYER_CLS_NAMES": "QwenMoe"}, "mixture-of-experts layers"),
        ({"DEEPSPEED_CONFIG_FILE": "/nowhere.json"}, "DeepSpeed config cannot be read"),
    ],
)
def test_variables_that_are_refused(monkeypatch: pytest.MonkeyPatch, asked: dict[str, str], answer: str) -> None:
    for name, value in asked.items():
        monkeypatch.setenv(f"ACCELERATE_{name}", value)
    with pytest.raises(ConfigError, match=answer):
        read_zero()


@pytest.mark.parametrize(
    ("content", "answer"),
    [
        ({"optimizer": {"type": "AdamW"}}, "section 'optimizer', and halo-forge brings its own"),
        ({"scheduler": {"type": "WarmupLR"}}, "section 'scheduler'"),
        ({"fp16": {"enabled": True}}, "turns fp16 on, which --dtype is for"),
        ({"bf16": {"enabled": True}}, "turns bf16 on"),
        ({"train_micro_batch_size_per_gpu": 4}, "train_micro_batch_size_per_gpu to 4, which --micro-batch is for"),
        ({"zero_optimization": {"stage": 2, "round_robin_gradients": True}}, "zero_optimization.round_robin_gradients"),
        ({"zero_optimization": {"stage": 3, "zero_quantized_weights": True}}, "zero_optimization.zero_quantized"),
        ({"communication_data_type": "fp16"}, "sets communication_data_type, which is not done here"),
        ({"zero_optimization": None}, "cannot be read"),
    ],
)
def test_what_a_file_may_not_ask_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: dict[str, object], answer: str
) -> None:
    content = {"zero_optimization": {"stage": 2}, **content}
    content = {key: value for key, value in content.items() if value is not None}
    monkeypatch.setenv("ACCELERATE_DEEPSPEED_CONFIG_FILE", write(tmp_path, content))
    with pytest.raises(ConfigError, match=answer):
        read_zero()


def write(folder: Path, content: dict[str, object]) -> str:
    (folder / "zero.json").write_text(json.dumps(content))
    return str(folder / "zero.json")
