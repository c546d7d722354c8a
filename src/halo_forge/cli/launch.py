"""What the commands that make a run have in common: load the settings, run, show the summary, write the report."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

import click
from rich.console import Console

from halo_forge.cli.console import progress_console, results_console
from halo_forge.cli.errors import debug_option, session
from halo_forge.cli.flags import SettingsCommand, given_settings, settings
from halo_forge.cli.libraries import quiet_libraries
from halo_forge.cli.tables import show_plan
from halo_forge.cli.together import is_first, start_processes, training_team
from halo_forge.cli.view import ConsoleLog, open_view
from halo_forge.config.load import Loaded, load
from halo_forge.config.options import CommandConfig
from halo_forge.config.shared import TrackingOptions
from halo_forge.core.errors import HaloError, RunConflictError
from halo_forge.core.events import Listener
from halo_forge.core.types import Record

if TYPE_CHECKING:
    from halo_forge.runs.plan import Plan

C = TypeVar("C", bound=CommandConfig)
S = TypeVar("S", bound=Record)


@dataclass(frozen=True)
class Job(Generic[C, S]):
    """A kind of run.

    Args:
        schema: its settings; the docstring is the command's help.
        run: does the work.
        folder: where the run of these settings lives.
        show: writes the summary for a person.
        plan: what `--dry-run` prints, if the command has that flag.
        resumable: whether the command has the flag `--resume`.
    """

    schema: type[C]
    run: Callable[[Loaded[C], tuple[Listener, ...]], S]
    folder: Callable[[C], Path]
    show: Callable[[S, Console], None]
    plan: Callable[[Loaded[C]], Plan] | None = None
    resumable: bool = False


class JobCommand(SettingsCommand, Generic[C, S]):
    """The command of a job; `runs resume` and `runs rerun` start the job with settings of their own."""

    job: Job[C, S]


def run_command(name: str, job: Job[C, S], shorthands: Sequence[click.Option] = ()) -> click.Command:
    """Make the command of a job.

    Args:
        shorthands: options of its own for entries of its settings.
    """
    extra = [
        *shorthands,
        click.Option(
            ["--config", "config_file"],
            type=click.Path(path_type=Path),
            help="YAML file of settings; flags override it.",
        ),
        click.Option(
            ["--json", "as_json"], is_flag=True, help="Write the summary to stdout as JSON, and nothing else."
        ),
    ]
    if job.plan is not None:
        extra.append(click.Option(["--dry-run"], is_flag=True, help="Check everything and say what would run."))
    if job.resumable:
        extra.append(
            click.Option(["--resume"], is_flag=True, help="Insist that --output holds a run, which is then continued.")
        )
    command = JobCommand[C, S](
        name,
        params=[*settings(job.schema), *extra, debug_option()],
        callback=lambda **_: _execute(click.get_current_context(), job),
        help=job.schema.__doc__,
        short_help=job.schema.__doc__,
    )
    command.job = job
    return command


def _execute(ctx: click.Context, job: Job[C, S]) -> None:
    loaded = load(job.schema, given_settings(ctx), ctx.params["config_file"])
    as_json = bool(ctx.params["as_json"])
    if ctx.params.get("resume"):
        _require_run(job.folder(loaded.config))
    if job.plan is not None and ctx.params["dry_run"]:
        _trackers(loaded.config)
        with quiet_libraries(debug=session().debug):
            if is_first():
                _show_plan(loaded, job.plan(loaded), as_json)
        return
    start_processes(loaded.config, sys.argv[1:])
    execute(job, loaded, as_json=as_json)


def execute(job: Job[C, S], loaded: Loaded[C], *, as_json: bool) -> None:
    """Run a job with these settings, show its summary and write its report; or help the process that does."""
    with training_team(loaded.config) as leads:
        if leads:
            _lead(job, loaded, as_json=as_json)


def _lead(job: Job[C, S], loaded: Loaded[C], *, as_json: bool) -> None:
    from halo_forge.tracking.live import open_trackers

    trackers, project = _trackers(loaded.config)
    with quiet_libraries(debug=session().debug):
        log, complaints = ConsoleLog(), list[str]()
        try:
            with open_view() as view, open_trackers(trackers, project, complaints) as followers:
                summary = job.run(loaded, (view, log, *followers))
        except HaloError:
            _report_what_there_is(log.folder)
            raise
        finally:
            for complaint in complaints:
                click.echo(f"note: {complaint}", err=True)
        if as_json:
            click.echo(summary.model_dump_json(indent=2))
        else:
            job.show(summary, results_console())
        if log.folder is None:
            click.echo("This run was complete already; nothing had to be done.", err=True)
        _finish(job.folder(loaded.config), progress_console() if as_json else results_console())


def _trackers(config: CommandConfig) -> tuple[tuple[str, ...], str]:
    """Names of the trackers and their project; a tracker that cannot work here is an error before anything starts."""
    if not isinstance(config, TrackingOptions):
        return (), ""
    from halo_forge.tracking.registry import check_trackers

    check_trackers(config.report_to)
    return config.report_to, config.tracking_project


def _require_run(folder: Path) -> None:
    from halo_forge.runs.run_dir import read_launch

    if read_launch(folder) is None:
        raise RunConflictError(f"--resume: {folder} holds no run to continue; leave --resume out to start one")


def _show_plan(loaded: Loaded[C], plan: Plan, as_json: bool) -> None:
    if as_json:
        content = {"settings": loaded.config.model_dump(mode="json"), "plan": dict(plan.lines)}
        click.echo(json.dumps(content, indent=2))
        return
    click.echo(loaded.to_yaml())
    show_plan(plan, results_console())


def _report_what_there_is(folder: Path | None) -> None:
    """Write the page of a run that stopped or failed; a full disk must not hide why it did."""
    from halo_forge.report import write_report

    if folder is not None:
        with suppress(OSError, HaloError):
            write_report(folder)


def _finish(folder: Path, console: Console) -> None:
    from halo_forge.report import write_report

    report = write_report(folder)
    places = {
        "run": folder,
        "model": folder / "final_model",
        "plots": folder / "plots",
        "report": report,
        "tracked": folder / "tracking",
    }
    console.print()
    for name, place in places.items():
        if place is not None and place.exists():
            console.print(f"{name:<8}{place}", soft_wrap=True)
