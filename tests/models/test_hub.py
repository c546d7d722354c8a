"""Models by Hub name, from a Hub of our own: the commands in processes that know no other."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hub_server import HubServer
from warm import Told, warm_process

Run = Callable[..., Told]


@pytest.fixture
def run(hub: HubServer, tmp_path: Path, nano_model: Path) -> Iterator[Run]:
    shutil.copytree(nano_model, hub.folder("models", "org/nano"))
    with warm_process(tmp_path, environment=hub.environment(tmp_path / "home")) as warm:
        yield lambda *words: warm.tell(*words, cwd=tmp_path)


def test_sft_then_benchmark_by_hub_name(
    run: Run, hub: HubServer, write_jsonl: Callable[..., Path], tmp_path: Path
) -> None:
    data = write_jsonl("sft.jsonl", *[{"prompt": f"double {i}", "completion": f"return {2 * i};"} for i in range(8)])
    trained = run("sft", "train", "--model", "org/nano", "--data", str(data), "--output", "sft", "--max-steps", "2")
    assert trained.code == 0, trained.err
    config = json.loads((tmp_path / "sft" / "final_model" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "org/nano"
    inputs = json.loads((tmp_path / "sft" / "launch_context.json").read_text())["inputs"]
    assert inputs["model"]["sha256"] == hub.revision(hub.folder("models", "org/nano"))
    prompts = write_jsonl("test.jsonl", {"prompt": "double n", "tests": ["assert(f(2) == 4);"], "entry_point": "f"})
    words = ("benchmark", "run", "--model", "sft", "--prompts", str(prompts), "--samples", "2", "--k", "1", "--json")
    measured = run(*words, "--max-new-tokens", "8", "--base", "org/nano")
    assert measured.code == 0, measured.err
    assert json.loads(measured.out)["sampled"]["completions"] == 2
    other = run(*words, "--base", "org/other")
    assert other.code == 2
    assert "is an adapter of 'org/nano', not of 'org/other'" in other.err


@pytest.mark.parametrize(
    ("model", "gated", "message"),
    [
        ("org/nothing", False, "no such folder here and no such model on the Hub"),
        ("org/nano", True, "is gated: accept its terms on its Hub page, then set HF_TOKEN"),
    ],
)
def test_what_the_hub_refuses_is_one_clear_line(
    run: Run, hub: HubServer, write_jsonl: Callable[..., Path], tmp_path: Path, model: str, gated: bool, message: str
) -> None:
    if gated:
        hub.gated.add(model)
    data = write_jsonl("sft.jsonl", {"prompt": "a", "completion": "b"})
    done = run("sft", "train", "--model", model, "--data", str(data), "--output", "sft")
    assert done.code == 2
    assert message in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert not (tmp_path / "sft").exists()
