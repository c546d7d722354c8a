"""Every run below a folder, one short record each: what a list of runs shows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

from pydantic import ValidationError

from halo_forge.core.errors import RunConflictError
from halo_forge.core.types import Record
from halo_forge.runs.launch import LAUNCH_FILE, LaunchContext
from halo_forge.runs.run_dir import SUMMARY_FILE, read_launch
from halo_forge.runs.state import Progress, RunState, read_status
from halo_forge.runs.summary import BenchmarkSummary, DemoSummary, RaftSummary, SftSummary

DEPTH = 5
INSIDE_A_RUN = frozenset({"rollouts", "kept", "plots", "training_state", "final_model", "logs", "data", "base"})
NO_RUNS = frozenset({"node_modules", "__pycache__", "site-packages"})


class Headline(Record):
    """The one figure by which a run is judged."""

    name: str
    value: float


class Overview(Record):
    """A run at a glance.

    Args:
        name: the folder, as seen from where the search began.
        path: the folder, absolute.
        ended: what was said when it stopped or failed.
        model: what it started from.
    """

    name: str
    path: Path
    run_id: str
    kind: str
    state: RunState
    created_at: float
    model: str
    parent: str | None = None
    progress: Progress | None = None
    headline: Headline | None = None
    ended: str = ""


class Listing(Record):
    """The runs below a folder, the newest first, and the folders that hold one which cannot be read."""

    runs: tuple[Overview, ...]
    unreadable: tuple[str, ...] = ()


def list_runs(root: Path) -> Listing:
    """Find every run below a folder, five levels deep; hidden folders and links are not entered.

    Raises:
        RunConflictError: there is no such folder.
    """
    if not root.is_dir():
        raise RunConflictError(f"--root {root} is no folder; name one that holds runs")
    runs: list[Overview] = []
    unreadable: list[str] = []
    for folder in _run_folders(str(root), DEPTH):
        try:
            runs.append(overview(Path(folder), root))
        except RunConflictError as error:
            unreadable.append(str(error))
    return Listing(
        runs=tuple(sorted(runs, key=lambda run: (-run.created_at, run.name))), unreadable=tuple(sorted(unreadable))
    )


def overview(folder: Path, root: Path | None = None) -> Overview:
    """Look at one run.

    Raises:
        RunConflictError: the folder holds no run, or its launch context cannot be read.
    """
    context = read_launch(folder)
    if context is None:
        raise RunConflictError(f"{folder} holds no run (there is no {LAUNCH_FILE})")
    status = read_status(folder)
    name = os.path.relpath(folder, root) if root is not None else str(folder)
    return Overview(
        name=folder.resolve().name if name == "." else name,
        path=folder.absolute(),
        run_id=context.run_id,
        kind=context.kind,
        state=status.state,
        created_at=context.created_at,
        model=start_model(context),
        parent=context.parent,
        progress=status.progress,
        headline=_headline(folder, context.kind, status.progress),
        ended=status.message,
    )


def find_run(name: str, root: Path) -> Path:
    """Find the run that a user means.

    Args:
        name: its folder, its id, or the beginning of either that fits one run only.

    Raises:
        RunConflictError: no run or several fit; the text names those that come close.
    """
    folder = Path(name).expanduser()
    if (folder / LAUNCH_FILE).is_file():
        return folder
    if folder.is_dir():
        inside = [run.name for run in list_runs(folder).runs]
        hint = f"; it holds the runs {_some(inside)}" if inside else ""
        raise RunConflictError(f"{name} is a folder but no run (there is no {LAUNCH_FILE}){hint}")
    runs = list_runs(root).runs
    exact = [run for run in runs if name in (run.run_id, run.name)]
    fitting = exact or [run for run in runs if run.run_id.startswith(name) or run.name.startswith(name)]
    if len(fitting) == 1:
        return fitting[0].path
    if fitting:
        choices = _some([f"{run.run_id} ({run.name})" for run in fitting])
        raise RunConflictError(f"'{name}' fits {len(fitting)} runs below {root}: {choices}; give more of one")
    names = {key: f"{run.run_id} ({run.name})" for run in runs for key in (run.run_id, run.name, run.path.name)}
    close = [*dict.fromkeys(names[key] for key in get_close_matches(name, names, n=3, cutoff=0.5))]
    hint = f"did you mean {_some(close)}?" if close else f"there are {len(runs)} runs below it; --root names another"
    raise RunConflictError(f"no run '{name}' below {root.absolute()}; {hint}")


def start_model(context: LaunchContext) -> str:
    """The model a run started from, as it was named."""
    for key in ("checkpoint", "model"):
        value = context.params.get(key)
        if isinstance(value, str):
            return value
    return "random weights" if context.kind == "demo" else "unknown"


def _run_folders(folder: str, depth: int) -> Iterator[str]:
    entries = []
    is_run = False
    try:
        with os.scandir(folder) as found:
            for entry in found:
                if entry.name == LAUNCH_FILE:
                    is_run = True
                elif depth and entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
                    entries.append(entry)
    except OSError:
        return  # not ours to read, or removed meanwhile
    if is_run:
        yield folder
    for entry in entries:
        skipped = entry.name in NO_RUNS
        if is_run:
            skipped |= entry.name in INSIDE_A_RUN or entry.name.endswith(("_final", ".partial"))
        if not skipped:
            yield from _run_folders(entry.path, depth - 1)


def _headline(folder: Path, kind: str, progress: Progress | None) -> Headline | None:
    """The figure of the summary; of an unfinished RAFT run, that of its last cycle."""
    try:
        content = (folder / SUMMARY_FILE).read_bytes()
        found = _from_summary(kind, content)
    except FileNotFoundError:
        found = None
    except ValidationError:
        return None  # of another version of halo-forge, or of several demos, which have no one figure
    if found is None and progress is not None and progress.holdout_pass_at_1 is not None:
        return Headline(name="held-out pass@1", value=progress.holdout_pass_at_1)
    return found


def _from_summary(kind: str, content: bytes) -> Headline | None:
    name, value = "", None
    if kind == "raft":
        raft = RaftSummary.model_validate_json(content)
        best = next((cycle for cycle in raft.cycles if cycle.cycle == raft.best_cycle), None)
        measured = (best.holdout or best.rollouts) if best is not None else None
        name = "held-out pass@1" if best is not None and best.holdout is not None else "pass@1, drawn"
        value = measured.pass_at["1"].value if measured is not None and "1" in measured.pass_at else None
    elif kind == "benchmark":
        pass_at = BenchmarkSummary.model_validate_json(content).sampled.pass_at
        name, value = "pass@1", pass_at["1"].value if "1" in pass_at else None
    elif kind == "sft":
        name, value = "last loss", SftSummary.model_validate_json(content).training.last_loss
    elif kind == "demo":
        demo = DemoSummary.model_validate_json(content)
        measure = demo.raft.get(demo.primary_metric)
        name, value = f"{demo.primary_metric} after RAFT", measure.value if measure is not None else None
    return None if value is None else Headline(name=name, value=value)


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown
