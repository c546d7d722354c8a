"""The demos of all domains, one after the other: each is a command of its own, in a folder below the output."""

from __future__ import annotations

import time
from pathlib import Path

from halo_forge.config.demo import DemoConfig
from halo_forge.config.load import Loaded
from halo_forge.core.events import Listener
from halo_forge.demo.jobs import Job, arguments, run_jobs
from halo_forge.demo.recipes import RECIPES
from halo_forge.rollout.records import write_atomically
from halo_forge.runs.run_dir import SUMMARY_FILE, check_output, is_complete, open_run
from halo_forge.runs.summary import DemosSummary, DemoSummary


def run_every_demo(loaded: Loaded[DemoConfig], listeners: tuple[Listener, ...] = ()) -> DemosSummary:
    """Run the demos, or go on with them.

    Raises:
        HaloError: a demo failed; the text says which and why, and those after it have not begun.
    """
    config = loaded.config
    context = check_output(config.output, "demo", config, {})
    if context is not None and is_complete(config.output):
        return DemosSummary.model_validate_json((config.output / SUMMARY_FILE).read_bytes())
    with open_run("demo", loaded, config.output, {}, listeners=listeners) as run:
        begun = time.perf_counter()
        jobs = [_job(domain, config) for domain in RECIPES]
        # A demo runs two commands at a time itself.
        run_jobs(jobs, 1, config.output / "logs", run.events, run.stop)
        summary = DemosSummary(
            run_id=run.context.run_id,
            seed=config.seed,
            quick=config.quick,
            demos={job.name: _found(job.output) for job in jobs},
            wall_s=time.perf_counter() - begun,
        )
        write_atomically(run.path / SUMMARY_FILE, summary.model_dump_json(indent=2) + "\n")
        return summary


def _job(domain: str, config: DemoConfig) -> Job:
    output = config.output / domain
    words = arguments("demo", domain=domain, output=output, seed=config.seed)
    return Job(name=domain, arguments=(*words, "--quick") if config.quick else words, output=output)


def _found(demo: Path) -> DemoSummary:
    return DemoSummary.model_validate_json((demo / SUMMARY_FILE).read_bytes())
