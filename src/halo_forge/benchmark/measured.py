"""What a finished run measured, prompt by prompt: a benchmark, or the held-out slice of a RAFT cycle."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from halo_forge.core.errors import DataError
from halo_forge.core.types import Prompt
from halo_forge.data import prompts_hash
from halo_forge.rollout.metrics import Estimate, Metrics, by_prompt, pass_values
from halo_forge.rollout.records import read_records
from halo_forge.rollout.rollout_file import RolloutFile
from halo_forge.rollout.sketch import Sketch
from halo_forge.runs.launch import LaunchContext
from halo_forge.runs.run_dir import SUMMARY_FILE, read_launch
from halo_forge.runs.summary import BenchmarkSummary, CycleSummary, RaftSummary

SAMPLING = ("temperature", "top_p", "top_k", "max_new_tokens")


@dataclass(frozen=True)
class Measured:
    """One side of a comparison.

    Args:
        name: how the user named it.
        prompts: prompt id -> hash of its messages and reference.
        prompts_hash: of all of them.
        verifier: name and version.
        sampling: setting -> value, of everything that decides how completions are drawn.
        figures: metric -> estimate, as the run's summary has it.
        values: metric -> prompt id -> the figure of that prompt alone.
        caveat: what a reader has to know of these figures, or "".
    """

    name: str
    model: str
    run_id: str
    prompts: dict[str, str]
    prompts_hash: str
    verifier: tuple[str, str]
    sampling: dict[str, str]
    figures: dict[str, Estimate]
    values: dict[str, dict[str, float]]
    caveat: str = ""


def read_measured(name: str) -> Measured:
    """Read a benchmark's folder, its `summary.json`, or a RAFT run's folder.

    Args:
        name: a RAFT run stands for its published cycle; `FOLDER@2` names another, `FOLDER@0` the start model.

    Raises:
        DataError: there is no finished run, or its files do not belong together.
    """
    folder, _, cycle = name.partition("@") if not Path(name).exists() else (name, "", "")
    path = Path(folder).expanduser()
    path = path.parent if path.name == SUMMARY_FILE else path
    context = read_launch(path)
    if context is None:
        raise DataError(f"{name} holds no run (there is no launch_context.json); name the folder of a benchmark")
    summary = path / SUMMARY_FILE
    if not summary.is_file():
        raise DataError(f"the {context.kind} run in {path} has not finished: there are no figures to compare yet")
    try:
        if context.kind == "benchmark" and not cycle:
            return _benchmark(name, path, context, BenchmarkSummary.model_validate_json(summary.read_bytes()))
        if context.kind == "raft":
            return _holdout(name, path, context, RaftSummary.model_validate_json(summary.read_bytes()), cycle)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise DataError(
            f"a file of the run in {path} is broken or of another version of halo-forge ({where}: {first['msg']}); "
            "run it again in another folder"
        ) from error
    if cycle:
        raise DataError(f"'{name}' names a cycle, and only a raft run has cycles; this is a {context.kind} run")
    raise DataError(f"{path} holds a {context.kind} run; only benchmark and raft runs can be compared")


def _benchmark(name: str, folder: Path, context: LaunchContext, summary: BenchmarkSummary) -> Measured:
    parts = {"sampled": ("", summary.sampled), "greedy": ("greedy ", summary.greedy)}
    measured = {file: (prefix, metrics) for file, (prefix, metrics) in parts.items() if metrics is not None}
    prompts = list(read_records(folder / "prompts.jsonl", Prompt))
    if prompts_hash(prompts) != summary.prompts_hash:
        raise DataError(f"{folder}/prompts.jsonl is not what summary.json was measured on; run the benchmark again")
    return _measured(
        name,
        folder,
        context,
        prompts,
        measured,
        model=summary.model,
        verifier=(summary.verifier, summary.verifier_version),
        samples=summary.samples,
    )


def _holdout(name: str, folder: Path, context: LaunchContext, summary: RaftSummary, asked: str) -> Measured:
    cycle = _find_cycle(name, summary, asked)
    held = cycle.holdout
    if held is None:
        raise DataError(f"the raft run in {folder} held no prompts out, so there is nothing to compare; benchmark it")
    file = f"holdout_{cycle.cycle}"
    ids = _groups(folder, file).keys()
    prompts = [prompt for prompt in read_records(folder / "prompts.jsonl", Prompt) if prompt.id in ids]
    caveat = ""
    if cycle.cycle == summary.best_cycle and len(summary.cycles) > 2:
        caveat = f"{name}: these held-out prompts also chose this cycle, which flatters it; a benchmark would not"
    return _measured(
        name,
        folder,
        context,
        prompts,
        {file: ("", held)},
        model=f"{folder}, cycle {cycle.cycle}" if cycle.cycle else summary.model,
        verifier=(summary.verifier, summary.verifier_version),
        samples=int(str(context.params["samples_per_prompt"])),
        caveat=caveat,
    )


def _find_cycle(name: str, summary: RaftSummary, asked: str) -> CycleSummary:
    number = asked or str(summary.best_cycle)
    for cycle in summary.cycles:
        if str(cycle.cycle) == number:
            return cycle
    raise DataError(f"'{name}': this run has the cycles 0 to {summary.cycles[-1].cycle}, where 0 is the start model")


def _measured(
    name: str,
    folder: Path,
    context: LaunchContext,
    prompts: list[Prompt],
    measured: dict[str, tuple[str, Metrics]],
    *,
    model: str,
    verifier: tuple[str, str],
    samples: int,
    caveat: str = "",
) -> Measured:
    """Gather the figures of a run from its summary and its rollouts.

    Args:
        measured: file of rollouts -> prefix of its metrics' names and its figures.
    """
    figures: dict[str, Estimate] = {}
    values: dict[str, dict[str, float]] = {}
    for file, (prefix, metrics) in measured.items():
        groups = _groups(folder, file)
        _same_prompts(folder, file, prompts, groups, sum(map(len, groups.values())) == metrics.completions)
        for k, found in sorted(metrics.pass_at.items(), key=lambda item: int(item[0])):
            figures[f"{prefix}pass@{k}"] = found
            values[f"{prefix}pass@{k}"] = pass_values(groups, int(k))
    return Measured(
        name=name,
        model=model,
        run_id=context.run_id,
        prompts={prompt.id: prompts_hash([prompt]) for prompt in prompts},
        prompts_hash=prompts_hash(prompts),
        verifier=verifier,
        sampling={"samples": str(samples), **{key: str(context.params.get(key)) for key in SAMPLING}},
        figures=figures,
        values=values,
        caveat=caveat,
    )


def _groups(folder: Path, file: str) -> dict[str, list[Sketch]]:
    return by_prompt(RolloutFile(folder / "rollouts" / f"{file}.jsonl").sketches())


def _same_prompts(folder: Path, file: str, prompts: list[Prompt], drawn: Iterable[str], whole: bool) -> None:
    """Raise unless the rollouts are those that the summary speaks of."""
    if not whole or set(drawn) != {prompt.id for prompt in prompts}:
        raise DataError(
            f"{folder}/rollouts/{file}.jsonl does not hold the completions that summary.json was made from; "
            "run the benchmark again in another folder"
        )
