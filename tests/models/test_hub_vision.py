"""A model that sees by its Hub name, from a Hub of our own: its whole course in processes that know no other."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hub_server import HubServer
from seen import COLOURS, build_vision_model, picture_prompt, picture_row
from warm import warm_process


@pytest.mark.parametrize("family", ["qwen2_vl", pytest.param("qwen2_5_vl", marks=pytest.mark.slow)])
def test_sft_then_benchmark_by_hub_name(family: str, hub: HubServer, tmp_path: Path) -> None:
    shutil.copytree(build_vision_model(tmp_path / "base", family), hub.folder("models", "org/sees"))
    rows = [picture_row(tmp_path, colour, noise).model_dump_json() for noise in range(3) for colour in COLOURS]
    (tmp_path / "sft.jsonl").write_text("\n".join(rows))
    prompts = [picture_prompt(tmp_path, colour, noise=9).model_dump_json() for colour in COLOURS]
    (tmp_path / "test.jsonl").write_text("\n".join(prompts))

    def run(*words: str) -> dict[str, object]:
        done = warm.tell("vlm", *words, "--threads", "1", "--json", cwd=tmp_path)
        assert done.code == 0, done.err
        found: dict[str, object] = json.loads(done.out)
        return found

    with warm_process(tmp_path, environment=hub.environment(tmp_path / "home")) as warm:
        run("sft", "--model", "org/sees", "--dataset", "sft.jsonl", "--output", "one", "--max-steps", "2")
        config = json.loads((tmp_path / "one" / "final_model" / "adapter_config.json").read_text())
        assert config["base_model_name_or_path"] == "org/sees"
        assert "language_model" in config["target_modules"]
        words = ("--model", "one", "--dataset", "test.jsonl", "--output", "two", "--max-new-tokens", "4")
        measured = run("benchmark", *words)
    assert measured["verifier"] == "vqa"
    assert measured["sampled"]["completions"] == 3  # type: ignore[index]
    assert "accuracy" in measured["sampled"]["scores"]  # type: ignore[index]
