"""`halo-forge runs`: what ran, what runs, and what to do with it."""

from __future__ import annotations

import json
import math
import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from halo_forge.cli.console import results_console
from halo_forge.cli.errors import debug_option
from halo_forge.cli.flags import KeyValue
from halo_forge.cli.run_tables import show_cleaning, show_detail, show_runs, size
from halo_forge.config.shared import Tracker
from halo_forge.core.errors import ConfigError

if TYPE_CHECKING:
    from halo_forge.runs.housekeeping import Cleaning
    from halo_forge.runs.relaunch import Relaunch


_root = click.option(
    "--root", type=click.Path(path_type=Path), default=Path(), help="Folder to look for runs in.  [default: here]"
)
_json = click.option("--json", "as_json", is_flag=True, help="Write the result to stdout as JSON, and nothing else.")
_run = click.argument("run", metavar="RUN")
_set = click.option(
    "--set", "changes", type=KeyValue(), multiple=True, help="A setting to change, as key=value; may be repeated."
)


def _find(name: str, root: Path) -> Path:
    from halo_forge.runs.overview import find_run

    return find_run(name, root)


@click.command("list")
@_root
@click.option("--kind", help="Only runs of this kind: sft, raft, benchmark or demo.")
@click.option("--state", help="Only runs in this state: queued, running, finished, stopped, failed or lost.")
@_json
def list_(root: Path, kind: str | None, state: str | None, as_json: bool) -> None:
    """List the runs below a folder, the newest first."""
    from halo_forge.runs.overview import list_runs
    from halo_forge.runs.state import RunState

    if state is not None and state not in set(RunState):
        raise ConfigError(f"--state {state}: there is {', '.join(RunState)}")
    listing = list_runs(root)
    runs = [r for r in listing.runs if kind in (None, r.kind) and state in (None, r.state)]
    if as_json:
        click.echo(listing.model_copy(update={"runs": tuple(runs)}).model_dump_json(indent=2))
        return
    for problem in listing.unreadable:
        click.echo(f"note: {problem}", err=True)
    show_runs(runs, root, results_console())


@click.command("show")
@_run
@_root
@_json
def show(run: str, root: Path, as_json: bool) -> None:
    """Show one run: settings, inputs, cycles, where things are, and how to go on.

    RUN is a run's folder, its id, or the beginning of either.
    """
    from halo_forge.runs.detail import read_detail

    detail = read_detail(_find(run, root))
    if as_json:
        click.echo(detail.model_dump_json(indent=2))
    else:
        show_detail(detail, results_console())


@click.command("logs")
@_run
@_root
@click.option("-f", "--follow", is_flag=True, help="Go on until the run ends.")
@click.option("-n", "--lines", type=click.IntRange(min=0), help="Begin with this many lines from the end.")
@click.option("--json", "as_json", is_flag=True, help="The run's events, one line of JSON each.")
def logs(run: str, root: Path, follow: bool, lines: int | None, as_json: bool) -> None:
    """Print what a run has reported; with --json its events."""
    from halo_forge.runs.follow import follow_lines
    from halo_forge.runs.state import RunState, read_status

    folder = _find(run, root)
    events, console = folder / "events.jsonl", folder / "console.log"

    def goes_on() -> bool:
        return follow and read_status(folder).state is RunState.RUNNING

    if as_json or console.is_file():
        for line in follow_lines(events if as_json else console, lines, goes_on):
            click.echo(line)
        return
    for line in _narrated(follow_lines(events, None, goes_on), lines):
        click.echo(line)


def _narrated(events: Iterator[str], last: int | None) -> Iterator[str]:
    """Put events into words, for a run that was not started from the command line and keeps no log."""
    from halo_forge.cli.lines import Narrator
    from halo_forge.core.events import Event

    narrator = Narrator(math.inf)
    told = (narrator.tell(Event.model_validate_json(event)) for event in events)
    lines = (line.text for line in told if line is not None)
    yield from lines if last is None else deque(lines, maxlen=last)


@click.command("stop")
@_run
@_root
@click.option("--kill", is_flag=True, help="End it at once; what it has in flight is lost.")
@click.option(
    "--wait-s", type=click.FloatRange(min=0), help="Seconds to wait at most; by default until it has stopped."
)
@_json
def stop(run: str, root: Path, kill: bool, wait_s: float | None, as_json: bool) -> None:
    """Stop a run at its next safe point, from which it can go on."""
    from halo_forge.runs.control import kill_run, stop_run
    from halo_forge.runs.overview import overview

    folder = _find(run, root)
    if kill:
        kill_run(folder)
    else:
        click.echo(f"asking {folder} to stop at its next safe point", err=True)
        stop_run(folder, wait_s)
    seen = overview(folder)
    click.echo(seen.model_dump_json(indent=2) if as_json else f"{folder} is {seen.state}")


@click.command("resume")
@_run
@_root
@_set
@_json
def resume(run: str, root: Path, changes: tuple[tuple[str, object], ...], as_json: bool) -> None:
    """Go on with a run that was stopped, failed or killed, with the settings that it was started with."""
    from halo_forge.runs.relaunch import plan_resume

    _launch(plan_resume(_find(run, root), dict(changes)), as_json)


@click.command("rerun")
@_run
@_root
@click.option("--output", type=click.Path(path_type=Path), help="Folder of the new run; by default a numbered one.")
@_set
@_json
def rerun(run: str, root: Path, output: Path | None, changes: tuple[tuple[str, object], ...], as_json: bool) -> None:
    """Start a new run with the settings of another one."""
    from halo_forge.runs.relaunch import plan_rerun

    _launch(plan_rerun(_find(run, root), output, dict(changes)), as_json)


def _launch(plan: Relaunch, as_json: bool) -> None:
    from halo_forge.cli.launch import JobCommand, execute

    for name, (then, now) in plan.changed_environment.items():
        click.echo(
            f"note: {name} was {then or 'not set'} when the run was started, and is {now or 'not set'}", err=True
        )
    if plan.cwd.is_dir():
        os.chdir(plan.cwd)  # relative paths among the settings count from there
    else:
        click.echo(f"note: {plan.cwd}, where the run was started, is gone; paths count from here", err=True)
    command = _command(plan.command)
    assert isinstance(command, JobCommand)
    execute(command.job, plan.loaded, as_json=as_json)


def _command(path: str) -> click.Command:
    from halo_forge.cli.app import app
    from halo_forge.cli.deferred import Deferred

    command: click.Command = app
    for name in path.split():
        assert isinstance(command, click.Group)
        command = command.commands[name]
        command = command.load() if isinstance(command, Deferred) else command
    return command


@click.command("rm")
@click.argument("runs", metavar="RUN...", nargs=-1, required=True)
@_root
@click.option("--yes", is_flag=True, help="Do not ask.")
@_json
def rm(runs: tuple[str, ...], root: Path, yes: bool, as_json: bool) -> None:
    """Remove runs with everything in their folders."""
    from halo_forge.runs.housekeeping import dependants, remove_run, size_of

    removed = []
    for folder in dict.fromkeys(_find(name, root) for name in runs):
        freed = size_of(folder)
        for other in dependants(folder, root):
            click.echo(f"note: {other} started from a model in {folder} and cannot go on without it", err=True)
        if not yes:
            click.confirm(f"Remove {folder} ({size(freed)})?", abort=True, err=True)
        remove_run(folder)
        removed.append({"path": str(folder), "bytes": freed})
        if not as_json:
            click.echo(f"removed {folder} ({size(freed)})")
    if as_json:
        click.echo(json.dumps(removed, indent=2))


@click.command("gc")
@click.argument("runs", metavar="[RUN]...", nargs=-1)
@_root
@click.option("--checkpoints", is_flag=True, help="Of finished runs also the cycles that are neither best nor last.")
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and remove nothing.")
@_json
def gc(runs: tuple[str, ...], root: Path, checkpoints: bool, dry_run: bool, as_json: bool) -> None:
    """Free the space of what no run needs again: half-written files, training states, on request checkpoints.

    Without RUN every run below --root is looked at. A run that has not finished keeps all that it goes on from.
    """
    from halo_forge.runs.housekeeping import clean, plan_cleaning
    from halo_forge.runs.overview import list_runs

    folders = [_find(name, root) for name in runs] or [run.path for run in list_runs(root).runs]
    plans = [plan_cleaning(folder, checkpoints=checkpoints, root=root) for folder in dict.fromkeys(folders)]
    if not dry_run:
        for plan in plans:
            clean(plan)
    if as_json:
        click.echo(json.dumps({"dry_run": dry_run, "runs": [_cleaning(plan) for plan in plans]}, indent=2))
    else:
        show_cleaning(plans, dry_run, results_console())


def _cleaning(plan: Cleaning) -> dict[str, object]:
    return {
        "path": str(plan.folder),
        "leftovers": [item.model_dump(mode="json") for item in plan.leftovers],
        "spared": list(plan.spared),
    }


@click.command("export")
@_run
@_root
@click.option(
    "--to",
    "tracker",
    type=click.Choice(get_args(Tracker)),
    required=True,
    help="Tracker that gets what the run has reported.",
)
@click.option("--project", help="Project of the tracker; by default the run's own --tracking-project.")
def export(run: str, root: Path, tracker: str, project: str | None) -> None:
    """Send a run that is over to a tracker, as it would have gone there live."""
    from halo_forge.tracking.export import export_run

    folder = _find(run, root)
    export_run(folder, tracker, project)
    click.echo(f"{folder} is in {tracker}; {folder / 'tracking' / tracker}.log has what it said")


_COMMANDS = (list_, show, logs, stop, resume, rerun, export, rm, gc)
for _each in _COMMANDS:
    _each.params.append(debug_option())
runs = click.Group("runs", help="What ran, what runs, and what to do with it.", commands=_COMMANDS)
