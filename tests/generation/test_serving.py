from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from halo_forge.cli.app import run
from halo_forge.config.load import load
from halo_forge.config.serve import ServeConfig
from halo_forge.core.errors import ModelError
from halo_forge.generation.serving import Hardware, ServeCommand, Served, serve_command

MODEL = Served("models/a b", True, 4096, 64)


def command(model: Served = MODEL, gpus: int = 0, memory_gib: float = 10.0, **settings: Any) -> ServeCommand:
    config = load(ServeConfig, {"model": model.base, **settings}).config
    return serve_command(config, model, Hardware(gpus, memory_gib))


def value(of: ServeCommand, flag: str) -> str:
    return of.words[of.words.index(flag) + 1]


def test_on_a_processor() -> None:
    made = command(lora_rank=10, threads=3)
    assert made.environment == {
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "3",
        "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True",
        "VLLM_CPU_KVCACHE_SPACE": "2",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    }
    wanted = {"--dtype": "float32", "--max-model-len": "4096", "--max-lora-rank": "16", "--model": "models/a b"}
    assert {flag: value(made, flag) for flag in wanted} == wanted
    assert "--enforce-eager" in made.words and "--gpu-memory-utilization" not in made.words


def test_one_gpu_is_shared_with_training_and_of_several_one_is_the_servers() -> None:
    alone, last = command(gpus=1), command(gpus=4)
    assert (value(alone, "--gpu-memory-utilization"), value(alone, "--dtype")) == ("0.45", "bfloat16")
    assert "CUDA_VISIBLE_DEVICES" not in alone.environment
    assert any("share one GPU" in remark for remark in alone.remarks)
    assert (value(last, "--gpu-memory-utilization"), last.environment["CUDA_VISIBLE_DEVICES"]) == ("0.9", "3")
    assert value(command(gpus=1, gpu_memory_fraction=0.3), "--gpu-memory-utilization") == "0.3"
    assert "--enforce-eager" in command(gpus=1, device="cpu").words


def test_sglang_gets_its_own_words() -> None:
    made = command(gpus=1, engine="sglang", max_model_len=1024)
    wanted = {"--context-length": "1024", "--mem-fraction-static": "0.45", "--sampling-defaults": "openai"}
    assert {flag: value(made, flag) for flag in wanted} == wanted
    assert value(command(engine="sglang"), "--device") == "cpu"


def test_heads_that_the_processor_engine_lacks_are_refused() -> None:
    with pytest.raises(ModelError, match="attention heads of 24"):
        command(MODEL._replace(head_size=24))
    assert command(MODEL._replace(head_size=24), gpus=1).words
    assert command(MODEL._replace(head_size=None)).words


def test_an_open_address_is_remarked_upon() -> None:
    assert any("lets others reach it" in remark for remark in command(host="0.0.0.0").remarks)


def test_the_line_is_one_for_a_shell_and_alone_on_stdout(nano_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["serve", "--model", str(nano_model), "--device", "cpu", "--dtype", "bfloat16"]) == 0
    captured = capsys.readouterr()
    words = shlex.split(captured.out)
    assert captured.out.count("\n") == 1
    assert words[words.index("--model") + 1] == str(nano_model)
    assert words[words.index("--dtype") + 1] == "bfloat16"
    assert words[words.index("--max-model-len") + 1] == "512"
    assert "--generator server --base-url http://127.0.0.1:8000/v1" in captured.err
