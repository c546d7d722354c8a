"""Benchmarks by name: one small record each; the prompts come from the catalogue, or from a file of their rows.

Every one is asked in the chat form that instruction-tuned models are published with: one user turn that holds the task,
an answer in a fenced block (`data.references` has the wording), greedy decoding, one completion a problem. With
`--samples` and `--temperature` it is sampled instead.

- **HumanEval** (Chen et al. 2021, arXiv 2107.03374): 164 problems. The paper lets a base model continue the stub with
  200 samples at top-p 0.95 and the best of several temperatures for each k (0.2 for pass@1, 0.8 for pass@100), cut at
  stop words. Scores of instruct models, such as those of EvalPlus (https://github.com/evalplus/evalplus), are greedy
  pass@1 in a chat form as here; wordings differ, so a point or two beside a published score says nothing.
- **MBPP** (Austin et al. 2021, arXiv 2108.07732): the test split, 500 problems, and the 257 of its `sanitized` part.
  The paper gives three solved examples and all three asserts; here there is no example, and one assert is shown.
- **LiveCodeBench** (Jain et al. 2024, arXiv 2403.07974): the problems of release_v6, whole programs and methods of a
  class; ten samples a problem at temperature 0.2 and 2,000 tokens, as its authors do. Scores hold for a release and a
  range of contest dates: compare those of the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path

from halo_forge.benchmark.loop import output_folder, plan_benchmark, run_benchmark
from halo_forge.config.benchmark import BenchmarkEvalConfig, BenchmarkRunConfig
from halo_forge.config.load import Loaded
from halo_forge.core.errors import ConfigError, DataError
from halo_forge.core.events import Listener
from halo_forge.core.folders import cache_folder
from halo_forge.data import load_catalogue_prompts, load_prompts
from halo_forge.data.catalog import find_dataset
from halo_forge.rollout.records import write_atomically
from halo_forge.runs.plan import Plan
from halo_forge.runs.summary import BenchmarkSummary

LARGER_K = (1, 5, 10, 100)


@dataclass(frozen=True)
class NamedBenchmark:
    """A benchmark.

    Args:
        dataset: its prompts' name in the catalogue.
        protocol: how it is asked, in a few words.
    """

    dataset: str
    verifier: str
    protocol: str
    samples: int = 1
    temperature: float = 0.0
    max_new_tokens: int = 1024


BENCHMARKS = {
    "humaneval": NamedBenchmark("humaneval", "humaneval", "chat, the stub to complete"),
    "mbpp": NamedBenchmark("mbpp", "mbpp", "chat, the first assert shown"),
    "mbpp_sanitized": NamedBenchmark("mbpp_sanitized", "mbpp", "chat, the first assert shown"),
    "livecodebench": NamedBenchmark(
        "livecodebench", "python", "chat, the whole program or class", samples=10, temperature=0.2, max_new_tokens=2000
    ),
}

# Sets of the catalogue that are asked for as benchmarks, and why no score here would be theirs.
NOT_JUDGED = {
    "humaneval_plus": (
        "its tests compare with numpy, which the Python that judges does not have; "
        "'--benchmark humaneval' has the same problems with fewer tests"
    ),
}


def run_eval(loaded: Loaded[BenchmarkEvalConfig], listeners: tuple[Listener, ...] = ()) -> BenchmarkSummary:
    """Fetch the prompts and measure the model on them.

    Raises:
        HaloError: see `core.errors`.
    """
    return run_benchmark(_settings(loaded), listeners)


def plan_eval(loaded: Loaded[BenchmarkEvalConfig]) -> Plan:
    """Check everything `run_eval` needs, write no run, and say how much work it would be."""
    return plan_benchmark(_settings(loaded))


def eval_folder(config: BenchmarkEvalConfig) -> Path:
    """The folder asked for, or one named after the model, the benchmark and the seed."""
    if config.output is not None:
        return config.output
    named = BenchmarkRunConfig(model=config.model, prompts=Path(config.benchmark), seed=config.seed)
    return output_folder(named)


def find_benchmark(name: str) -> NamedBenchmark:
    """Return a benchmark.

    Raises:
        ConfigError: there is none of that name.
    """
    if name in NOT_JUDGED:
        raise ConfigError(f"--benchmark '{name}' cannot be judged as it was published: {NOT_JUDGED[name]}")
    if name not in BENCHMARKS:
        close = get_close_matches(name, BENCHMARKS, n=1)
        hint = f"did you mean '{close[0]}'? " if close else ""
        raise ConfigError(f"--benchmark '{name}': {hint}choose one of {', '.join(BENCHMARKS)}")
    return BENCHMARKS[name]


def _settings(loaded: Loaded[BenchmarkEvalConfig]) -> Loaded[BenchmarkRunConfig]:
    """Put the benchmark's own settings where the user gave none."""
    config = loaded.config
    named = find_benchmark(config.benchmark)
    samples = config.samples or named.samples
    own = {
        "prompts": _prompts(config, named),
        "verifier": named.verifier,
        "samples": samples,
        "k": config.k or tuple(k for k in LARGER_K if k <= samples),
        "temperature": named.temperature if config.temperature is None else config.temperature,
        "max_new_tokens": config.max_new_tokens or named.max_new_tokens,
        "output": eval_folder(config),
    }
    shared = set(BenchmarkRunConfig.model_fields.keys() & BenchmarkEvalConfig.model_fields.keys()) - own.keys()
    run = BenchmarkRunConfig.model_validate(config.model_dump(include=shared) | own)
    origins = {key: loaded.origins.get(key, "default") for key in BenchmarkRunConfig.model_fields}
    return Loaded(run, origins)


def _prompts(config: BenchmarkEvalConfig, named: NamedBenchmark) -> Path:
    """The file of the prompts: the user's, or one written from the catalogue into the cache, named by its content.

    Raises:
        DataError: these are not all of the benchmark's problems, so a score would not be its score.
    """
    dataset = find_dataset(named.dataset)
    expected = dataset.rows_of(dataset.benchmark_split)
    prompts = load_catalogue_prompts(named.dataset) if config.data is None else load_prompts(config.data)
    if len(prompts) != expected:
        where = config.data or "the Hub"
        raise DataError(
            f"{config.benchmark} has {expected} problems, but {where} gives {len(prompts)}: a score on these would "
            f"not be its score; 'benchmark run --verifier {named.verifier} --prompts FILE' measures on any prompts"
        )
    if config.data is not None:
        return config.data
    content = "".join(prompt.model_dump_json() + "\n" for prompt in prompts)
    path = cache_folder() / "benchmarks" / f"{named.dataset}-{sha256(content.encode()).hexdigest()[:12]}.jsonl"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)
    return path
