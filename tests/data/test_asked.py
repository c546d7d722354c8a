"""Prompts by file or by dataset, with the split that fits the use."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from halo_forge.config.shared import PromptOptions, file_named
from halo_forge.core.errors import DataError
from halo_forge.data import load_asked

ASK = """
import json, sys
from halo_forge.config.shared import PromptOptions
from halo_forge.data import load_asked
found = load_asked(PromptOptions(dataset="gsm8k", max_prompts=int(sys.argv[2])), sys.argv[1], 0)
print(json.dumps([[prompt.messages[0].text, prompt.reference.answer] for prompt in found]))
"""
LEARN = """
import json
from halo_forge.data import load_catalogue_conversations
rows = load_catalogue_conversations("xlam_sft").conversations
print(json.dumps([row.messages[1].tool_calls[0].name for row in rows]))
"""


def ask(hub: Any, folder: Path, code: str, *words: str) -> Any:
    """Run a program that knows this Hub alone, and return what it prints."""
    environment = hub.environment(folder / "home") | {"XDG_CACHE_HOME": str(folder / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", code, *words], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_what_is_a_file_and_what_a_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert [file_named(name) for name in (None, "gsm8k")] == [None, None]
    assert file_named("rows.jsonl") == Path("rows.jsonl")
    assert file_named("data/rows") == Path("data/rows")
    Path("gsm8k").write_text("")
    assert file_named("gsm8k") == Path("gsm8k")


def test_a_file_under_either_name(tmp_path: Path) -> None:
    rows = [
        {"prompt": "48 + 24?", "answer": 72},
        {"prompt": "Half of 1?", "answer": "\\frac{1}{2}"},
        {"prompt": "Clips?", "answer": "48/2 = 24\n#### 1,072"},
        {"prompt": "Weather?", "calls": [{"name": "weather", "arguments": {"city": "Oslo"}}]},
        {"prompt": "Poem?", "calls": []},
        {"prompt": "Code?"},
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = load_asked(PromptOptions(dataset=str(path)), "rlvr", 0)
    assert found == load_asked(PromptOptions(prompts=path), "benchmark", 5)
    assert [prompt.reference.answer for prompt in found] == ["72", "\\frac{1}{2}", "1072", None, None, None]
    calls = [prompt.reference.calls for prompt in found]
    assert calls[3] is not None and calls[3][0].name == "weather"
    assert calls[4:] == [(), None]
    assert len(load_asked(PromptOptions(dataset=str(path), max_prompts=2), "rlvr", 0)) == 2


def test_a_benchmark_is_not_trained_on() -> None:
    with pytest.raises(DataError, match="would make its scores worthless"):
        load_asked(PromptOptions(dataset="aime"), "rlvr", 0)


def test_training_and_measuring_take_different_splits_of_a_dataset(hub: Any, tmp_path: Path) -> None:
    folder = hub.folder("datasets", "openai/gsm8k")
    (folder / "main").mkdir(parents=True)
    (folder / "README.md").write_text(
        "---\nconfigs:\n- config_name: main\n  data_files:\n  - split: train\n    path: main/train-*\n"
        "  - split: test\n    path: main/test-*\n---\n"
    )
    import pyarrow as pa
    import pyarrow.parquet as pq

    for split, answer in (("train", "24\n#### 1,024"), ("test", "7\n#### 7")):
        rows = pa.table({"question": [f"{split} {n}?" for n in range(4)], "answer": [answer] * 4})
        pq.write_table(rows, folder / "main" / f"{split}-00000-of-00001.parquet")

    train, test = (ask(hub, tmp_path, ASK, use, "3") for use in ("rlvr", "benchmark"))
    assert len(train) == len(test) == 3
    assert all(text.startswith("train") and "\\boxed{}" in text and answer == "1024" for text, answer in train)
    assert all(text.startswith("test") and answer == "7" for text, answer in test)


def test_the_parts_of_a_set_without_splits_share_no_tools(hub: Any, tmp_path: Path) -> None:
    folder = hub.folder("datasets", "Salesforce/xlam-function-calling-60k")
    folder.mkdir(parents=True)
    (folder / "README.md").write_text("---\nconfigs:\n- config_name: dataset\n  data_files: '*.json'\n---\n")
    rows = [
        {
            "id": n,
            "query": f"ask {n}",
            "answers": json.dumps([{"name": f"tool_{n}", "arguments": {"a": n}}]),
            "tools": json.dumps([{"name": f"tool_{n}", "description": "", "parameters": {"a": {"type": "int"}}}]),
        }
        for n in range(120)
    ]
    (folder / "xlam_function_calling_60k.json").write_text(json.dumps(rows))
    asking = ASK.replace("gsm8k", "xlam").replace("prompt.reference.answer", "prompt.reference.calls[0].name")
    found = {use: {name for _, name in ask(hub, tmp_path, asking, use, "200")} for use in ("rlvr", "benchmark")}
    found["sft"] = set(ask(hub, tmp_path, LEARN))
    assert sum(map(len, found.values())) == len(set.union(*found.values())) == 120
    assert all(found.values())
