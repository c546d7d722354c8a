"""Datasets and models of the domains by their Hub names, through the commands, in processes that know no other Hub.

Speech has the same in `tests/cli/test_audio.py`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_repositories import write_repositories
from hub_server import HubServer
from seen import build_vision_model
from warm import warm_process

from halo_forge.models.nano import NanoShape, build_nano_model

Run = Callable[..., dict[str, Any]]
TEXTS = ["Call 1", "tool_1", '{"name": "tool_1", "arguments": {"x": 1}}', "What is 2 plus 1?"]


@pytest.fixture
def call(hub: HubServer, tmp_path: Path) -> Iterator[Run]:
    """Run a command of a domain beside a Hub that has every dataset, and return its summary."""
    write_repositories(hub.root)
    hub.gated.add("Salesforce/xlam-function-calling-60k")

    def start(*words: str, **variables: str) -> dict[str, Any]:
        done = warm.tell(*words, "--threads", "1", "--json", cwd=tmp_path, **variables)
        if done.code:
            return {"code": done.code, "said": done.err}
        found: dict[str, Any] = json.loads(done.out)
        return found

    with warm_process(tmp_path, environment=hub.environment(tmp_path / "home")) as warm:
        yield start


def base_of(folder: Path) -> str:
    config = json.loads((folder / "final_model" / "adapter_config.json").read_text())
    return str(config["base_model_name_or_path"])


def test_reasoning(call: Run, hub: HubServer, nano_model: Path, tmp_path: Path) -> None:
    shutil.copytree(nano_model, hub.folder("models", "org/writes"))
    sft = call("reasoning", "sft", "--dataset", "metamath", "--model", "org/writes", "--output", "one",
               "--max-steps", "1", "--lora-rank", "2")  # fmt: skip
    assert sft["rows"] == 5
    assert base_of(tmp_path / "one") == "org/writes"
    found = call("reasoning", "benchmark", "--dataset", "gsm8k", "--model", "one", "--max-new-tokens", "4")
    assert found["sampled"]["prompts"] == 6
    assert {"gsm8k flexible", "gsm8k strict"} <= found["sampled"]["scores"].keys()


def test_tool_calling_and_its_gated_dataset(call: Run, hub: HubServer, tmp_path: Path) -> None:
    build_nano_model(hub.folder("models", "org/calls"), TEXTS * 50, 0, NanoShape(vocabulary=400), with_tools=True)
    words = ["agentic", "sft", "--dataset", "xlam_sft", "--model", "org/calls", "--output", "one",
             "--max-steps", "1", "--lora-rank", "2"]  # fmt: skip
    refused = call(*words, HF_TOKEN="hf_of_somebody_else")
    assert refused["code"] == 2 and "is gated: accept its terms" in refused["said"]
    sft = call(*words, HF_TOKEN=hub.token)
    assert sft["rows"] > 0
    assert base_of(tmp_path / "one") == "org/calls"
    found = call("agentic", "benchmark", "--dataset", "xlam", "--model", "one", "--max-new-tokens", "4",
                 HF_TOKEN=hub.token)  # fmt: skip
    assert found["sampled"]["prompts"] > 0
    assert found["sampled"]["scores"]["name accuracy"]["value"] == 0.0


def test_images(call: Run, hub: HubServer, tmp_path: Path) -> None:
    build_vision_model(hub.folder("models", "org/sees"))
    words = ["vlm", "train", "--dataset", "textvqa", "--model", "org/sees", "--output", "one"]
    assert "to train on" in call(*words, "--dry-run")["plan"]["prompts"]
    for name, metric in (("textvqa", "VQA accuracy"), ("docvqa", "ANLS"), ("chartqa", "relaxed accuracy")):
        found = call("vlm", "benchmark", "--dataset", name, "--model", "org/sees", "--max-new-tokens", "4")
        assert found["sampled"]["prompts"] == 6 and metric in found["sampled"]["scores"]
