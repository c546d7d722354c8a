"""`data decontaminate --against humaneval,mbpp,gsm8k` fetches the benchmarks by name and finds what is planted."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

from hub_repositories import parquet
from hub_server import HubServer

MBPP_COLUMNS = ("task_id", "text", "code", "test_list", "test_setup_code", "challenge_test_list")
NAMES = ["Ada", "Ben", "Cleo", "Dan", "Eve", "Finn", "Gil", "Hana", "Ida", "Jon"]
THINGS = ["apples", "pears", "plums", "kites", "coins", "books", "stamps", "shells", "boxes", "pens"]


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def word_problem(number: int) -> dict[str, Any]:
    """A made-up problem as GSM8K has them, of more than 13 words that no other shares."""
    who, what, most = NAMES[number % 10], THINGS[number // 10 % 10], 7 * number + 3
    asked = (
        f"{who} has {most} {what} and gives {number} of these {what} away on day {number}; on the way home {who} finds "
        f"{number + 2} more. How many {what} does {who} have left in the evening of day {number}?"
    )
    return {"question": asked, "answer": f"{most}-{number}=<<{most}-{number}={most - number}>>\n#### {most + 2}"}


def publish(hub: HubServer, shared: Path) -> dict[str, list[dict[str, Any]]]:
    """Put three repositories on the Hub, laid out as the real ones are; return their rows by the benchmark's name."""
    read = {name: rows_of(shared / f"{name}.jsonl") for name in ("humaneval", "mbpp_train")}
    mbpp = [{column: row.get(column) for column in MBPP_COLUMNS} for row in read["mbpp_train"]]
    rows = {"humaneval": read["humaneval"], "mbpp": mbpp, "gsm8k": [word_problem(number) for number in range(100)]}
    files = {
        "humaneval": "openai/openai_humaneval/openai_humaneval/test-00000-of-00001.parquet",
        "mbpp": "google-research-datasets/mbpp/full/test-00000-of-00001.parquet",
        "gsm8k": "openai/gsm8k/main/test-00000-of-00001.parquet",
    }
    for name, file in files.items():
        path = hub.root / "datasets" / file
        path.parent.mkdir(parents=True)
        path.write_bytes(parquet(rows[name], {}))
    return rows


def test_benchmarks_by_name(hub: HubServer, shared_data: Path, tmp_path: Path) -> None:
    published = publish(hub, shared_data)
    rng = random.Random(3)
    planted = {
        "humaneval": [row["prompt"] for row in published["humaneval"]],
        "mbpp": [row["text"] for row in published["mbpp"] if len(row["text"].split()) >= 8],
        "gsm8k": [row["question"] for row in published["gsm8k"]],
    }
    guilty = [(name, text) for name, texts in planted.items() for text in rng.sample(texts, 40)]
    innocent = rows_of(shared_data / "codeforces_cpp_sample.jsonl")
    mixed = [(None, row) for row in innocent]
    mixed += [(name, {"prompt": f"Please: {text}", "completion": "Sure."}) for name, text in guilty]  # type: ignore[misc]
    rng.shuffle(mixed)
    path, out = tmp_path / "rows.jsonl", tmp_path / "clean.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for _, row in mixed))
    command = ["data", "decontaminate", str(path), "--against", "humaneval,mbpp,gsm8k", "--output", str(out), "--json"]
    environment = {**hub.environment(tmp_path / "home"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    for more in ({}, {"HF_HUB_OFFLINE": "1"}):  # at second from the cache
        done = subprocess.run(
            [sys.executable, "-m", "halo_forge", *command],
            env=environment | more,
            capture_output=True,
            text=True,
            timeout=200,
        )
        assert done.returncode == 0, done.stderr
        summary = json.loads(done.stdout)
        assert [(one["name"], one["items"]) for one in summary["benchmarks"]] == [
            ("humaneval", 164), ("mbpp", len(published["mbpp"])), ("gsm8k", 100),
        ]  # fmt: skip
        assert summary["kept"] == len(innocent) == 250
        found = {(hit["line"], hit["benchmark"]) for hit in rows_of(Path(summary["report"]))}
        assert {(line, name) for line, (name, _) in enumerate(mixed, 1) if name is not None} <= found
        assert {line for line, _ in found} == {line for line, (name, _) in enumerate(mixed, 1) if name is not None}
    asked = [request for request in hub.requests if request.startswith("GET") and "/resolve/" in request]
    assert asked and all("test-00000" in request for request in asked)
