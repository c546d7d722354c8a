"""Measuring a model on prompts with tests: sampled, and on request greedy, with intervals."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from halo_forge.config.benchmark import BenchmarkRunConfig
from halo_forge.config.load import Loaded
from halo_forge.core.errors import DataError
from halo_forge.core.events import EventType, Listener
from halo_forge.core.protocols import Generator
from halo_forge.core.seeds import derive
from halo_forge.core.types import Prompt, Sampling
from halo_forge.data import load_asked, prompts_hash
from halo_forge.generation.choice import check_generator, open_generator
from halo_forge.models.check import Checked, check_model, count_reasons
from halo_forge.models.resolve import ModelRef, resolve_model
from halo_forge.rollout.checking import Checker, open_checker
from halo_forge.rollout.collect import Collected, CollectPlan, collect
from halo_forge.rollout.metrics import Metrics, measure
from halo_forge.rollout.records import write_atomically
from halo_forge.runs.contamination import contamination_of
from halo_forge.runs.launch import InputFile, Judge, model_inputs, prompts_input
from halo_forge.runs.plan import Plan
from halo_forge.runs.run_dir import SUMMARY_FILE, Run, check_output, is_complete, open_run
from halo_forge.runs.summary import BenchmarkSummary


def run_benchmark(loaded: Loaded[BenchmarkRunConfig], listeners: tuple[Listener, ...] = ()) -> BenchmarkSummary:
    """Measure, or go on from the last whole chunk.

    Raises:
        HaloError: see `core.errors`.
    """
    config = loaded.config
    output = output_folder(config)
    model = resolve_model(config.model, config.base)
    prompts, inputs = _load(config, model)
    context = check_output(output, "benchmark", config, inputs)
    if context is not None and is_complete(output):
        return BenchmarkSummary.model_validate_json((output / SUMMARY_FILE).read_bytes())
    checked = _check(model, config, prompts)
    prompts = checked.usable(prompts)
    with (
        open_checker(config) as checker,
        open_run(
            "benchmark", loaded, output, inputs, judge=Judge(checker.tier, checker.version), listeners=listeners
        ) as run,
    ):
        run.write_prompts(prompts)
        for notice in _notices(checked):
            run.events.notice(notice)
        return _measure(run, config, prompts, model, checker)


def plan_benchmark(loaded: Loaded[BenchmarkRunConfig]) -> Plan:
    """Check everything `run_benchmark` needs, write nothing, and say how much work it would be."""
    config = loaded.config
    output = output_folder(config)
    model = resolve_model(config.model, config.base)
    prompts, inputs = _load(config, model)
    context = check_output(output, "benchmark", config, inputs)
    prompts = _check(model, config, prompts).usable(prompts)
    with open_checker(config) as checker:
        return Plan(
            (
                ("model", model.name),
                ("prompts", str(len(prompts))),
                ("verifier", f"{checker.name}, sandbox {checker.tier}"),
                ("completions", str(len(prompts) * (config.samples + config.greedy))),
                ("output", f"{output} ({'continues ' + context.run_id if context else 'new'})"),
            )
        )


def output_folder(config: BenchmarkRunConfig) -> Path:
    """The folder asked for, or one named after the model, the prompts and the seed."""
    if config.output is not None:
        return config.output
    model = "-".join(part for part in Path(config.model).parts[-2:] if part not in ("/", "."))
    return Path("results") / f"{model}-{config.prompts_name}-seed{config.seed}"


def _load(config: BenchmarkRunConfig, model: ModelRef) -> tuple[list[Prompt], dict[str, InputFile]]:
    prompts = load_asked(config, "benchmark", config.seed, config.system_prompt)
    return prompts, {"prompts": prompts_input(config, prompts), **model_inputs(model, config)}


def _check(model: ModelRef, config: BenchmarkRunConfig, prompts: Sequence[Prompt]) -> Checked:
    """Refuse prompts that do not fit: to leave them out would make the figures those of another set.

    Only what nobody could answer is left out, since its image or audio is broken.

    Raises:
        DataError: some prompts leave no room for an answer, or none is left.
        ModelError: see `check_model`.
    """
    checked = check_model(model, config, prompts)
    overlong = checked.overlong
    if overlong:
        raise DataError(
            f"{len(overlong)} prompts fill the context of '{model.name}' and leave no room for an answer "
            f"(such as {min(overlong)}): leave them out of the file, or take a model with a longer context"
        )
    usable = checked.usable(prompts)
    if not usable:
        raise DataError(f"no prompt is left to measure: {count_reasons(checked.bad)}")
    check_generator(model, config, config, usable, trains=False)
    return checked


def _notices(checked: Checked) -> Iterator[str]:
    """What a reader of the figures should know of the prompts."""
    if checked.bad:
        yield (
            f"{len(checked.bad)} prompts are left out, so these are figures of a smaller set: "
            f"{count_reasons(checked.bad)} (such as {min(checked.bad)})"
        )
    if checked.cut:
        yield (
            f"{len(checked.cut)} prompts are cut to what the model takes in, and count as they are: "
            f"{count_reasons(checked.cut)} (such as {min(checked.cut)})"
        )


def _measure(
    run: Run, config: BenchmarkRunConfig, prompts: Sequence[Prompt], model: ModelRef, checker: Checker
) -> BenchmarkSummary:
    begun = time.perf_counter()
    generator = _open_generator(run, config, model)
    drawn = _collect(run, config, prompts, generator, checker, greedy=False)
    decoded = _collect(run, config, prompts, generator, checker, greedy=True) if config.greedy else None
    groups: dict[str, tuple[Metrics, Metrics | None]] = {}
    for group in sorted({prompt.group for prompt in prompts if prompt.group is not None}):
        ids = {prompt.id for prompt in prompts if prompt.group == group}
        groups[group] = (_figures(drawn, config, ids), _figures(decoded, config, ids) if decoded else None)
    timing = drawn.timing
    summary = BenchmarkSummary(
        run_id=run.context.run_id,
        model=model.name,
        verifier=checker.name,
        verifier_version=checker.version,
        seed=config.seed,
        temperature=config.temperature,
        samples=config.samples,
        prompts_hash=prompts_hash(list(prompts)),
        sampled=_figures(drawn, config),
        greedy=_figures(decoded, config) if decoded else None,
        groups=groups,
        reuse=checker.reuse,
        contamination=contamination_of(config.model, prompts_hash(_whole_set(config))),
        tokens_per_s=timing.tokens / timing.generate_s if timing.generate_s else None,
        wall_s=time.perf_counter() - begun,
    )
    write_atomically(run.path / SUMMARY_FILE, summary.model_dump_json(indent=2) + "\n")
    run.events.emit(EventType.RESULT, **_headline(summary))
    return summary


def _open_generator(run: Run, config: BenchmarkRunConfig, model: ModelRef) -> Generator:
    if config.executor == "local" or config.generator == "server":
        return open_generator(model, config, config, run.context.run_id, run.events, run.stop)
    from halo_forge.rollout.ray_generator import open_ray_generator, start_weights

    replicas = run.resources.enter_context(open_ray_generator(config.ray_address, config, start_weights(model)))
    run.events.notice(f"{replicas.lanes} replicas of the model draw on Ray")
    return replicas


def _whole_set(config: BenchmarkRunConfig) -> list[Prompt]:
    """Every prompt of the file or dataset, as it was looked for in training rows."""
    return load_asked(config.model_copy(update={"max_prompts": None}), "benchmark", config.seed)


def _headline(summary: BenchmarkSummary) -> dict[str, Any]:
    """The figures of the whole run in one event, each with the ends of its interval."""
    found: dict[str, Any] = {}
    for prefix, metrics in (("", summary.sampled), ("greedy_", summary.greedy)):
        if metrics is None:
            continue
        estimates = {f"pass_at_{k}": value for k, value in metrics.pass_at.items()}
        estimates |= {"compile_rate": metrics.compile_rate, "mean_reward": metrics.mean_reward}
        for name, estimate in estimates.items():
            low, high = estimate.ci95 or (None, None)
            found |= {prefix + name: estimate.value, f"{prefix}{name}_low": low, f"{prefix}{name}_high": high}
        found[f"{prefix}unverifiable"] = sum(metrics.unverifiable.values())
    return found


def _collect(
    run: Run,
    config: BenchmarkRunConfig,
    prompts: Sequence[Prompt],
    generator: Generator,
    checker: Checker,
    *,
    greedy: bool,
) -> Collected:
    name = "greedy" if greedy else "sampled"
    sampling = Sampling(
        n=1 if greedy else config.samples,
        temperature=0.0 if greedy else config.temperature,
        top_p=config.top_p,
        top_k=config.top_k,
        max_new_tokens=config.max_new_tokens,
    )
    plan = CollectPlan(
        path=run.rollouts(name),
        sampling=sampling,
        rows_per_chunk=config.generation_batch,
        seed=derive(config.seed, name),
        policy=config.model,
        cycle=0,
        phase=name,
        max_fault_rate=config.max_fault_rate,
    )
    return collect(prompts, generator, checker, plan, run.events, run.stop)


def _figures(collected: Collected, config: BenchmarkRunConfig, ids: set[str] | None = None) -> Metrics:
    rollouts = [r for r in collected.rollouts if ids is None or r.prompt_id in ids]
    n = max((r.number for r in rollouts), default=0) + 1
    return measure(rollouts, [k for k in sorted({1, *config.k}) if k <= n], config.seed)
