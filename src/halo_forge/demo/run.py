"""The demo: SFT -> RAFT -> benchmark on a tiny model, through the same commands as anything else, with two controls.

Nothing but verification can make the difference between the arms: `control` takes as many further steps on the SFT
corpus as RAFT took, `unfiltered` runs the same cycles and ignores the rewards. The prompts that are reported are apart
from those trained on and from those by which RAFT's cycle is chosen.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from halo_forge.config.demo import DemoConfig
from halo_forge.config.load import Loaded
from halo_forge.core.events import Listener
from halo_forge.demo.jobs import Job, arguments, run_jobs
from halo_forge.demo.recipe import Recipe, write_settings
from halo_forge.demo.recipes import RECIPES
from halo_forge.demo.summary import differences, figures, raft_steps, summary_labels, test_prompts, unseen_figures
from halo_forge.rollout.records import write_atomically
from halo_forge.runs.run_dir import SUMMARY_FILE, Run, check_output, is_complete, open_run
from halo_forge.runs.summary import DEMO_ARMS, DemoSummary

SLOTS = 2


def run_demo(loaded: Loaded[DemoConfig], listeners: tuple[Listener, ...] = ()) -> DemoSummary:
    """Run the demo, or go on with it.

    Raises:
        HaloError: one of its commands failed; the text says which and why.
    """
    config = loaded.config
    context = check_output(config.output, "demo", config, {})
    if context is not None and is_complete(config.output):
        return DemoSummary.model_validate_json((config.output / SUMMARY_FILE).read_bytes())
    with open_run("demo", loaded, config.output, {}, listeners=listeners) as run:
        begun = time.perf_counter()
        recipe = RECIPES[config.domain]
        _prepare(recipe, config)
        settings = write_settings(recipe, config.output / "configs", quick=config.quick)
        slots = min(SLOTS, os.cpu_count() or 1)
        logs = config.output / "logs"
        first = _first_jobs(recipe, config.output, settings, config.seed)
        seconds = run_jobs(first, slots, logs, run.events, run.stop)
        second = _second_jobs(recipe, config.output, settings, config.seed)
        seconds |= run_jobs(second, slots, logs, run.events, run.stop)
        summary = _summarise(run, recipe, config, [*first, *second], seconds, time.perf_counter() - begun)
        write_atomically(run.path / SUMMARY_FILE, summary.model_dump_json(indent=2) + "\n")
        return summary


def _prepare(recipe: Recipe, config: DemoConfig) -> None:
    """Write the corpus and the model from random weights, unless they are there."""
    data, base = config.output / "data", config.output / "base"
    if (base / "config.json").exists():
        return
    recipe.prepare(data, base, config.seed)


def _first_jobs(recipe: Recipe, output: Path, settings: dict[str, Path], seed: int) -> list[Job]:
    """SFT, then RAFT and the unfiltered cycles side by side."""
    sft, prompts = output / "sft", output / "data" / "raft_prompts.jsonl"
    train = arguments(
        recipe.commands.sft,
        config=settings["sft"],
        model=output / "base",
        data=output / "data" / "sft.jsonl",
        output=sft,
        seed=seed,
    )
    jobs = [Job(name="sft", arguments=train, output=sft)]
    for name in ("raft", "unfiltered"):
        words = arguments(
            recipe.commands.train, config=settings[name], model=sft, prompts=prompts, output=output / name, seed=seed
        )
        jobs.append(Job(name=name, arguments=words, output=output / name, after=("sft",)))
    return [*jobs, _benchmark(recipe, output, settings, "sft", seed, after=("sft",))]


def _second_jobs(recipe: Recipe, output: Path, settings: dict[str, Path], seed: int) -> list[Job]:
    """The control, whose length RAFT has set, and the measurements."""
    control = output / "control"
    words = arguments(
        recipe.commands.sft,
        config=settings["control"],
        model=output / "sft",
        data=output / "data" / "sft.jsonl",
        output=control,
        max_steps=raft_steps(output / "raft"),
        seed=seed + 1,
    )
    return [
        Job(name="control", arguments=words, output=control),
        _benchmark(recipe, output, settings, "raft", seed),
        _benchmark(recipe, output, settings, "unfiltered", seed),
        _benchmark(recipe, output, settings, "control", seed, after=("control",)),
    ]


def _benchmark(
    recipe: Recipe, output: Path, settings: dict[str, Path], arm: str, seed: int, after: tuple[str, ...] = ()
) -> Job:
    folder = output / f"benchmark_{arm}"
    words = arguments(
        recipe.commands.benchmark,
        config=settings["benchmark"],
        model=output / arm,
        prompts=output / "data" / "test_prompts.jsonl",
        output=folder,
        seed=seed,
    )
    return Job(name=folder.name, arguments=words, output=folder, after=after)


def _summarise(
    run: Run, recipe: Recipe, config: DemoConfig, jobs: list[Job], seconds: dict[str, float], wall_s: float
) -> DemoSummary:
    folders = {arm: config.output / f"benchmark_{arm}" for arm in DEMO_ARMS}
    return DemoSummary(
        run_id=run.context.run_id,
        domain=recipe.domain,
        primary_metric=recipe.primary,
        higher_is_better=recipe.higher_is_better,
        labels=summary_labels(recipe),
        seed=config.seed,
        quick=config.quick,
        test_prompts=len(test_prompts(folders["sft"])),
        control_steps=raft_steps(config.output / "raft"),
        sft=figures(recipe, folders["sft"]),
        raft=figures(recipe, folders["raft"]),
        control=figures(recipe, folders["control"]),
        unfiltered=figures(recipe, folders["unfiltered"]),
        unseen={arm: unseen_figures(recipe, folder) for arm, folder in folders.items()},
        differences=differences(recipe, folders),
        seconds=seconds,
        commands={job.name: job.command for job in jobs},
        wall_s=wall_s,
    )
