from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from halo_forge.benchmark.named import BENCHMARKS, NOT_JUDGED, eval_folder, plan_eval, run_eval
from halo_forge.cli.app import run
from halo_forge.config.benchmark import BenchmarkEvalConfig
from halo_forge.config.load import Loaded, load
from halo_forge.core.errors import ConfigError, DataError
from halo_forge.core.plugins import verifier_config
from halo_forge.core.types import Prompt
from halo_forge.data.catalog import find_dataset
from halo_forge.rollout.records import read_records
from halo_forge.runs.run_dir import read_launch
from halo_forge.runs.summary import BenchmarkSummary

Configure = Callable[..., Loaded[BenchmarkEvalConfig]]


def humaneval_row(number: int) -> dict[str, Any]:
    return {
        "task_id": f"HumanEval/{number}",
        "prompt": f'def add_{number}(n):\n    """Add {number} to n."""\n',
        "entry_point": f"add_{number}",
        "canonical_solution": f"    return n + {number}\n",
        "test": f"def check(candidate):\n    assert candidate(1) == {number + 1}\n",
    }


@pytest.fixture
def configure(tmp_path: Path, nano_model: Path, write_jsonl: Callable[..., Path]) -> Configure:
    data = write_jsonl("rows.jsonl", *(humaneval_row(n) for n in range(164)))

    def make(**changes: Any) -> Loaded[BenchmarkEvalConfig]:
        settings = {"benchmark": "humaneval", "model": str(nano_model), "data": data, "output": tmp_path / "out"}
        return load(BenchmarkEvalConfig, settings | {"max_new_tokens": 4, "max_prompts": 5, **changes})

    return make


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_has_its_dataset_and_its_verifier(name: str) -> None:
    dataset = find_dataset(BENCHMARKS[name].dataset)
    assert dataset.use != "sft" and dataset.benchmark_split == "test"
    verifier_config(BENCHMARKS[name].verifier, {})


@pytest.mark.parametrize("name", NOT_JUDGED)
def test_a_set_that_cannot_be_judged_is_refused_with_the_reason(name: str, configure: Configure) -> None:
    assert find_dataset(name).use == "benchmark"
    with pytest.raises(ConfigError, match=f"'{name}' cannot be judged as it was published: .* numpy"):
        plan_eval(configure(benchmark=name))


def test_the_protocol_is_the_benchmarks_own(configure: Configure, tmp_path: Path) -> None:
    summary = run_eval(configure())
    context = read_launch(tmp_path / "out")
    assert context is not None and context.kind == "benchmark"
    assert {key: context.params[key] for key in ("verifier", "samples", "k", "temperature", "max_new_tokens")} == {
        "verifier": "humaneval",
        "samples": 1,
        "k": [1],
        "temperature": 0.0,
        "max_new_tokens": 4,
    }
    assert (summary.verifier, summary.sampled.prompts, summary.sampled.completions) == ("humaneval", 5, 5)
    assert not summary.sampled.unverifiable
    prompts = list(read_records(tmp_path / "out" / "prompts.jsonl", Prompt))
    assert "Complete the Python function below" in prompts[0].messages[0].content
    assert prompts[0].reference.check


def test_sampling_can_be_asked_for(configure: Configure) -> None:
    plan = dict(plan_eval(configure(samples=10, temperature=0.8)).lines)
    assert plan["completions"] == "50"
    with pytest.raises(ConfigError, match="--samples 10 needs a --temperature above 0"):
        configure(samples=10)


def test_other_rows_than_the_benchmarks_are_refused(configure: Configure, write_jsonl: Callable[..., Path]) -> None:
    few = write_jsonl("few.jsonl", *(humaneval_row(n) for n in range(20)))
    with pytest.raises(DataError, match=r"humaneval has 164 problems, but .*few.jsonl gives 20"):
        run_eval(configure(data=few))


def test_an_unknown_name_lists_those_that_exist(configure: Configure) -> None:
    with pytest.raises(ConfigError, match="did you mean 'humaneval'"):
        run_eval(configure(benchmark="human-eval"))


def test_the_default_output_is_named_after_model_and_benchmark() -> None:
    config = load(BenchmarkEvalConfig, {"model": "org/model", "benchmark": "mbpp", "seed": 3}).config
    assert eval_folder(config) == Path("results/org-model-mbpp-seed3")


def test_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["benchmark", "eval", "--list"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in BENCHMARKS) and "164" in out


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("mbpp", {"text": "Write a function to square n.", "test_setup_code": "", "challenge_test_list": []}),
        ("mbpp_sanitized", {"prompt": "Write a function to square n.", "test_imports": ["import math"]}),
    ],
)
def test_mbpp_rows_of_either_part(name: str, row: dict[str, Any]) -> None:
    values = {"task_id": 17, "code": "def sq(n):\n    return n * n", "test_list": ["assert sq(3) == 9"], **row}
    assert set(find_dataset(name).columns) <= values.keys()
    prompt = find_dataset(name).convert(values, "mbpp-0")
    assert isinstance(prompt, Prompt)
    assert prompt.id == "17" and prompt.reference.asserts == ("assert sq(3) == 9",)
    assert "square n" in prompt.messages[0].content and "assert sq(3) == 9" in prompt.messages[0].content


def test_the_rows_come_from_the_hub(hub: Any, nano_model: Path, tmp_path: Path) -> None:
    folder = hub.folder("datasets", "openai/openai_humaneval")
    folder.mkdir(parents=True)
    (folder / "README.md").write_text("---\nlicense: mit\n---\nRows made for a test.\n", encoding="utf-8")
    rows = "".join(json.dumps(humaneval_row(n)) + "\n" for n in range(164))
    (folder / "test.jsonl").write_text(rows, encoding="utf-8")
    flags = ["--model", str(nano_model), "--output", str(tmp_path / "out"), "--max-prompts", "4", "--json"]
    command = [sys.executable, "-m", "halo_forge", "benchmark", "eval", "--benchmark", "humaneval", *flags]
    done = subprocess.run(
        [*command, "--max-new-tokens", "4"],
        env=hub.environment(tmp_path / "hf_home"),
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    assert BenchmarkSummary.model_validate_json(done.stdout).sampled.prompts == 4
    assert read_launch(tmp_path / "out").params["prompts"].endswith(".jsonl")  # type: ignore[union-attr]
