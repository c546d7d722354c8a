"""`halo-forge benchmark`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from halo_forge.cli.compare import compare
from halo_forge.cli.comparison_tables import show_full
from halo_forge.cli.console import results_console
from halo_forge.cli.launch import Job, run_command
from halo_forge.cli.tables import column_table, show_benchmark
from halo_forge.config.benchmark import BenchmarkEvalConfig, BenchmarkFullConfig, BenchmarkRunConfig
from halo_forge.config.load import Loaded
from halo_forge.core.events import Listener

if TYPE_CHECKING:
    from halo_forge.runs.comparison import FullSummary
    from halo_forge.runs.plan import Plan
    from halo_forge.runs.summary import BenchmarkSummary


def _run(loaded: Loaded[BenchmarkRunConfig], listeners: tuple[Listener, ...]) -> BenchmarkSummary:
    from halo_forge.benchmark.loop import run_benchmark

    return run_benchmark(loaded, listeners)


def _folder(config: BenchmarkRunConfig) -> Path:
    from halo_forge.benchmark.loop import output_folder

    return output_folder(config)


def _plan(loaded: Loaded[BenchmarkRunConfig]) -> Plan:
    from halo_forge.benchmark.loop import plan_benchmark

    return plan_benchmark(loaded)


def _run_eval(loaded: Loaded[BenchmarkEvalConfig], listeners: tuple[Listener, ...]) -> BenchmarkSummary:
    from halo_forge.benchmark.named import run_eval

    return run_eval(loaded, listeners)


def _eval_folder(config: BenchmarkEvalConfig) -> Path:
    from halo_forge.benchmark.named import eval_folder

    return eval_folder(config)


def _plan_eval(loaded: Loaded[BenchmarkEvalConfig]) -> Plan:
    from halo_forge.benchmark.named import plan_eval

    return plan_eval(loaded)


def _listing(command: click.Command) -> click.Command:
    """Give the command the flag `--list`."""

    def show(ctx: click.Context, param: click.Parameter, value: bool) -> None:
        from halo_forge.benchmark.named import BENCHMARKS
        from halo_forge.data.catalog import find_dataset

        if value:
            table = column_table("Benchmarks", "name", "problems", "verifier", "samples", "temperature", "protocol")
            for name, named in BENCHMARKS.items():
                dataset = find_dataset(named.dataset)
                rows = f"{dataset.rows_of(dataset.benchmark_split):,}"
                own = (named.verifier, str(named.samples), f"{named.temperature:g}", named.protocol)
                table.add_row(name, rows, *own)
            results_console().print(table)
            ctx.exit()

    command.params.append(
        click.Option(
            ["--list"], is_flag=True, is_eager=True, expose_value=False, callback=show, help="List the benchmarks."
        )
    )
    return command


def _run_full(loaded: Loaded[BenchmarkFullConfig], listeners: tuple[Listener, ...]) -> FullSummary:
    from halo_forge.benchmark.full import run_full

    return run_full(loaded, listeners)


def _full_folder(config: BenchmarkFullConfig) -> Path:
    from halo_forge.benchmark.full import full_folder

    return full_folder(config)


def _plan_full(loaded: Loaded[BenchmarkFullConfig]) -> Plan:
    from halo_forge.benchmark.full import plan_full

    return plan_full(loaded)


RUN = Job(BenchmarkRunConfig, _run, _folder, show_benchmark, _plan)
benchmark = click.Group(
    "benchmark",
    help="Measure a model.",
    commands=[
        run_command("run", RUN),
        _listing(run_command("eval", Job(BenchmarkEvalConfig, _run_eval, _eval_folder, show_benchmark, _plan_eval))),
        run_command("full", Job(BenchmarkFullConfig, _run_full, _full_folder, show_full, _plan_full)),
        compare,
    ],
)
