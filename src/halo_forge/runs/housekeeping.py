"""Removing runs, and freeing the space of what no run will need again."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from halo_forge.core.errors import DataError, RunConflictError
from halo_forge.core.types import Record
from halo_forge.rollout.records import read_records
from halo_forge.runs.launch import LAUNCH_FILE, LaunchContext
from halo_forge.runs.lock import LOCK_FILE, hold_lock, read_holder
from halo_forge.runs.overview import list_runs
from halo_forge.runs.run_dir import CYCLES_FILE, SUMMARY_FILE, is_complete, read_launch
from halo_forge.runs.summary import CycleSummary, RaftSummary

CHECKPOINT = re.compile(r"cycle_(\d+)_final")
PARTIAL = "*.partial"


class Leftover(Record):
    """Something that can be removed.

    Args:
        size: bytes that removing it gives back; files also kept elsewhere (hard links) give back nothing.
        why: what makes it needless.
    """

    path: Path
    size: int
    why: str


class Cleaning(NamedTuple):
    """What of a run can be removed, and what was left in place and why."""

    folder: Path
    leftovers: tuple[Leftover, ...]
    spared: tuple[str, ...]


def plan_cleaning(folder: Path, *, checkpoints: bool, root: Path) -> Cleaning:
    """Find what of a run can be removed without changing what it could still become.

    Half-written files are needless as soon as nobody writes them, and a training state when the run has finished.
    Checkpoints go only from a finished run, and the last one, the published one and those that another run started
    from are kept: the run could still be given more cycles.

    Args:
        checkpoints: also look at the checkpoints of cycles.
        root: where to look for runs that started from this one.
    """
    if read_holder(folder) is not None:
        return Cleaning(folder, (), ("it is running",))
    found = [
        _leftover(path, "half-written") for pattern in ("", "*/") for path in sorted(folder.glob(pattern + PARTIAL))
    ]
    spared: list[str] = []
    finished = is_complete(folder)
    state = folder / "training_state"
    if state.is_dir():
        if finished:
            found = [item for item in found if item.path.parent != state]
            found.append(_leftover(state, "the training it belongs to is over"))
        else:
            spared.append("training_state: the run has not finished")
    if checkpoints:
        candidates = {int(match[1]): path for path in folder.iterdir() if (match := CHECKPOINT.fullmatch(path.name))}
        if candidates and not finished:
            spared.append("checkpoints: the run has not finished")
        elif candidates:
            kept = _kept_checkpoints(folder, candidates, root)
            spared += [f"cycle_{number}_final: {why}" for number, why in sorted(kept.items())]
            found += [
                _leftover(path, "neither the best cycle nor the last")
                for number, path in sorted(candidates.items())
                if number not in kept
            ]
    return Cleaning(folder, tuple(found), tuple(spared))


def clean(plan: Cleaning) -> int:
    """Remove what was planned, while no other process can start to write the run.

    Returns:
        Bytes given back.

    Raises:
        RunLockedError: the run was started meanwhile.
    """
    if not plan.leftovers:
        return 0
    with hold_lock(plan.folder):
        for item in plan.leftovers:
            _remove(item.path)
    return sum(item.size for item in plan.leftovers)


def remove_run(folder: Path) -> None:
    """Remove a run and everything in its folder.

    The launch context goes last, so that a removal that was cut short can be repeated.

    Raises:
        RunConflictError: the folder holds no run, or a run within it is running.
        RunLockedError: the run is running.
    """
    if read_launch_or_none(folder) is None and not (folder / LAUNCH_FILE).is_file():
        raise RunConflictError(f"{folder} holds no run (there is no {LAUNCH_FILE}); nothing was removed")
    for run in list_runs(folder).runs:
        if (holder := read_holder(run.path)) is not None:
            raise RunConflictError(f"{run.path} is running ({holder.description}); stop it first. Nothing was removed")
    with hold_lock(folder):
        for path in sorted(folder.iterdir()):
            if path.name not in (LAUNCH_FILE, LOCK_FILE):
                _remove(path)
        (folder / LAUNCH_FILE).unlink()
        (folder / LOCK_FILE).unlink(missing_ok=True)
    folder.rmdir()


def dependants(folder: Path, root: Path) -> list[Path]:
    """Runs below `root`, outside the folder, that started from a model in it."""
    inside = folder.resolve()
    return [
        run.path
        for run in list_runs(root).runs
        if not run.path.resolve().is_relative_to(inside)
        and any(path.is_relative_to(inside) for path in _start_folders(run.path))
    ]


def size_of(path: Path) -> int:
    """Bytes on disk that removing the path would give back."""
    files = [path] if not path.is_dir() or path.is_symlink() else [p for p in path.rglob("*") if p.is_file()]
    total = 0
    for file in files:
        state = file.lstat()
        if state.st_nlink == 1:
            total += state.st_blocks * 512
    return total


def read_launch_or_none(folder: Path) -> LaunchContext | None:
    """Return the launch context, or None where there is none that can be read."""
    try:
        return read_launch(folder)
    except RunConflictError:
        return None


def _kept_checkpoints(folder: Path, candidates: dict[int, Path], root: Path) -> dict[int, str]:
    kept: dict[int, str] = {}
    try:
        summary = RaftSummary.model_validate_json((folder / SUMMARY_FILE).read_bytes())
        cycles = [cycle.cycle for cycle in read_records(folder / CYCLES_FILE, CycleSummary)]
    except (OSError, ValueError) as error:
        raise DataError(f"the cycles of {folder} cannot be read, so none of its checkpoints is removed") from error
    last = max([*cycles, *candidates])
    kept[last] = "the last cycle"
    kept[summary.best_cycle] = "the best cycle"
    starts = [path for other in dependants(folder, root) for path in _start_folders(other)]
    for number, path in candidates.items():
        if any(start.is_relative_to(path.resolve()) for start in starts):
            kept[number] = "another run started from it"
    return {number: why for number, why in kept.items() if number in candidates}


def _start_folders(run: Path) -> Iterator[Path]:
    """Folders that a run's settings name as models."""
    context = read_launch_or_none(run)
    if context is None:
        return
    for key in ("checkpoint", "model", "base"):
        name = context.params.get(key)
        if isinstance(name, str):
            yield (Path(context.cwd) / Path(name).expanduser()).resolve()


def _leftover(path: Path, why: str) -> Leftover:
    return Leftover(path=path, size=size_of(path), why=why)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def total(plans: Sequence[Cleaning]) -> int:
    """Bytes that the plans would give back."""
    return sum(item.size for plan in plans for item in plan.leftovers)
