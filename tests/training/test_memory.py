from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from halo_forge.config.shared import LoadingOptions, ProcessOptions
from halo_forge.config.tuning import TuningOptions
from halo_forge.core.errors import EnvironmentFault
from halo_forge.models.resolve import ModelRef
from halo_forge.training import memory
from halo_forge.training.memory import GIB, Generation, check_memory, estimate, read_shape

QWEN_3B = {
    "vocab_size": 151936,
    "hidden_size": 2048,
    "intermediate_size": 11008,
    "num_hidden_layers": 36,
    "num_attention_heads": 16,
    "num_key_value_heads": 2,
    "tie_word_embeddings": True,
}
TOLERANCE = 0.3  # of the measured peak; stated in docs/training.md


@pytest.fixture(scope="module")
def qwen(tmp_path_factory: pytest.TempPathFactory) -> ModelRef:
    from transformers import Qwen2Config

    folder = tmp_path_factory.mktemp("qwen")
    Qwen2Config(**QWEN_3B).save_pretrained(folder)
    return ModelRef(str(folder))


def test_a_models_size_is_read_from_its_config(qwen: ModelRef) -> None:
    shape = read_shape(qwen)
    assert shape is not None
    assert shape.parameters == 3_085_938_688  # as published for Qwen2.5-3B
    full = estimate(shape, TuningOptions(tuning="full"), torch.float32, torch.bfloat16)
    assert full.gradients == 4 * shape.parameters and full.optimiser == 8 * shape.parameters
    lora = estimate(shape, TuningOptions(), torch.bfloat16, torch.bfloat16)
    a_layer = 2 * (2048 + 2048) + 2 * (2048 + 256) + 3 * (2048 + 11008)
    assert lora.gradients == 4 * 16 * 36 * a_layer
    assert estimate(shape, TuningOptions(tuning="qlora"), torch.bfloat16, torch.bfloat16).weights < 0.5 * lora.weights


def test_each_setting_moves_what_it_should(qwen: ModelRef) -> None:
    shape = read_shape(qwen)
    assert shape is not None

    def need(drawing: Generation | None = None, **changes: Any) -> memory.Demand:
        return estimate(shape, TuningOptions(**changes), torch.bfloat16, torch.bfloat16, drawing)

    assert need(micro_batch=4).activations == need().activations / 4
    assert need(gradient_checkpointing=True).activations < need().activations / 10
    assert need(max_length=1024).activations == need().activations / 2
    assert need().logits < 0.5 * GIB  # whatever the vocabulary
    drawing = need(Generation(64, reference=True))
    assert drawing.cache == pytest.approx(64 * (2048 * 36 * 2 * 256 * 2 + 151936 * 8))
    assert drawing.reference == drawing.gradients


def test_advice_is_the_gentlest_change_that_fits(qwen: ModelRef, monkeypatch: pytest.MonkeyPatch) -> None:
    loading = LoadingOptions(device="cpu")

    def advice(free: float, **changes: Any) -> str:
        monkeypatch.setattr(memory, "_memory", lambda device: (int(free * GIB), 400 * GIB))
        fit = check_memory(qwen, loading, TuningOptions(**changes))
        assert fit is not None
        return fit.advice

    assert advice(300.0) == ""
    assert advice(100.0).startswith("--micro-batch 4 would take about")
    assert advice(18.0).startswith("--micro-batch 4 --gradient-checkpointing would take about")
    assert advice(18.0, tuning="full").startswith("--tuning lora --micro-batch 4 --gradient-checkpointing would")
    assert "smaller model" in advice(5.0)


def test_what_can_never_fit_is_refused(qwen: ModelRef, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_memory", lambda device: (24 * GIB, 32 * GIB))
    with pytest.raises(EnvironmentFault, match=r"--tuning full of .* takes 46\.\d GiB before the first row"):
        check_memory(qwen, LoadingOptions(device="cpu"), TuningOptions(tuning="full"))


def test_of_a_model_in_parts_each_process_holds_less(qwen: ModelRef, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "pick_device", lambda name: torch.device("cuda", 0))
    monkeypatch.setattr(memory, "_memory", lambda device: (40 * GIB, 40 * GIB))
    loading, tuning = LoadingOptions(device="cuda", dtype="bfloat16"), TuningOptions(tuning="full")
    with pytest.raises(EnvironmentFault, match="before the first row"):
        check_memory(qwen, loading, tuning)
    eight = ProcessOptions(launcher="accelerate", num_processes=8, sharding="fsdp")
    fit = check_memory(qwen, loading, tuning, processes=eight)
    assert fit is not None
    shape = read_shape(qwen)
    assert shape is not None
    whole = estimate(shape, tuning, torch.float32, torch.bfloat16)
    assert (fit.demand.optimiser, fit.demand.weights) == (whole.optimiser // 8, whole.weights)
    with_copy = (whole.optimiser + whole.optimiser // 2) // 8  # DeepSpeed steps on a float32 copy
    for stage, gradients in (("zero1", whole.gradients), ("zero3", whole.gradients // 8)):
        fit = check_memory(qwen, loading, tuning, processes=eight.model_copy(update={"sharding": stage}))
        assert fit is not None and (fit.demand.optimiser, fit.demand.gradients) == (with_copy, gradients)


MEASURED = """
import json, resource, sys, torch
from pathlib import Path
from halo_forge.config.shared import LoadingOptions, ProcessOptions
from halo_forge.config.tuning import TuningOptions
from halo_forge.core.protocols import TrainingRow
from halo_forge.models import load
from halo_forge.models.adapter import with_adapter
from halo_forge.training.settings import LossSettings
from halo_forge.training.step import Stepper
from transformers import AutoModelForCausalLM

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

class Chat:
    pad_id = 0

torch.set_num_threads(1)
folder, settings = sys.argv[1], json.loads(sys.argv[2])
tuning = TuningOptions(**settings)
model = AutoModelForCausalLM.from_config(__import__("transformers").Qwen2Config.from_pretrained(folder))
from halo_forge.models.resolve import ModelRef
model, _ = with_adapter(model, ModelRef(folder), tuning, 0)
model.train()
policy = load.Policy(model, Chat(), torch.device("cpu"), folder, tuning.tuning != "full", None)
rows = [TrainingRow(tuple(range(tuning.max_length)), (False,) + (True,) * (tuning.max_length - 1))] * tuning.batch_size
weights = sum(p.numel() * 4 for p in model.parameters())
stepper = Stepper(policy, LossSettings())
if tuning.gradient_checkpointing:
    model.activation_checkpointing_enable()
    model.enable_input_require_grads()
stepper.gradients(rows[:1], 1, 0)  # thread pools and code that is loaded late
model.zero_grad(set_to_none=True)
now = int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
for file in [Path("/proc/self/clear_refs")]:
    file.write_text("5")  # the peak starts again from here
stepper.begin(1e-4, 0.0)
for _ in range(2):
    stepper.gradients(rows, tuning.batch_size, 0)
    stepper.move(1e-4, 1.0)
line = next(l for l in open("/proc/self/status") if l.startswith("VmHWM"))
print(json.dumps({"peak": int(line.split()[1]) * 1024 - now + weights}))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {"tuning": "full"},
        {"tuning": "full", "gradient_checkpointing": True},
        {"tuning": "lora"},
    ],
)
def test_the_estimate_is_near_what_a_process_takes(tmp_path: Path, settings: dict[str, Any]) -> None:
    from transformers import Qwen2Config

    shape = {"vocab_size": 8192, "hidden_size": 384, "intermediate_size": 1536, "num_hidden_layers": 6}
    heads = {"num_attention_heads": 6, "num_key_value_heads": 2, "tie_word_embeddings": True}
    Qwen2Config(**shape, **heads).save_pretrained(tmp_path)
    settings = {"batch_size": 8, "max_length": 256, **settings}
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(tmp_path), json.dumps(settings)], check=True, capture_output=True
    )
    measured = json.loads(done.stdout)["peak"]
    found = read_shape(ModelRef(str(tmp_path)))
    assert found is not None
    expected = estimate(found, TuningOptions(**settings), torch.float32, None).total
    assert expected == pytest.approx(measured, rel=TOLERANCE), (expected / 2**20, measured / 2**20)
