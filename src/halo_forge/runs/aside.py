"""Removing with a way back: what is set aside lies in a hidden folder of its run, until it is put back or erased."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from halo_forge.core.errors import RunConflictError
from halo_forge.core.types import Record
from halo_forge.runs.housekeeping import Cleaning, size_of
from halo_forge.runs.lock import hold_lock

FOLDER = ".set-aside"


class SetAside(Record):
    """Something that can be put back.

    Args:
        name: its path within the run.
        size: bytes that erasing it gives back.
    """

    name: str
    size: int


class _Move(NamedTuple):
    path: Path
    goal: Path


def set_aside(plan: Cleaning) -> int:
    """Move what was planned to be removed out of the way; nothing of the run reads it there.

    Returns:
        Bytes that erasing it will give back.

    Raises:
        RunLockedError: the run was started meanwhile.
    """
    if not plan.leftovers:
        return 0
    with hold_lock(plan.folder):
        for item in plan.leftovers:
            goal = _home(plan.folder) / item.path.relative_to(plan.folder)
            goal.parent.mkdir(parents=True, exist_ok=True)
            if not goal.parent.resolve().is_relative_to(plan.folder.resolve() / FOLDER):
                raise RunConflictError(f"{goal.parent} is a link; nothing is moved through it")
            if os.path.lexists(goal):
                _erase(goal)
            item.path.rename(goal)
    return sum(item.size for item in plan.leftovers)


def list_set_aside(folder: Path) -> tuple[SetAside, ...]:
    """What of a run lies aside."""
    return tuple(SetAside(name=str(m.goal.relative_to(folder)), size=size_of(m.path)) for m in _moves(folder))


def put_back(folder: Path) -> int:
    """Undo.

    Returns:
        How many things were put back.

    Raises:
        RunConflictError: the run has made one of them again; nothing is put back then.
        RunLockedError: the run is running.
    """
    with hold_lock(folder):
        moves = list(_moves(folder))
        there = [move.goal for move in moves if os.path.lexists(move.goal)]
        if there:
            raise RunConflictError(
                f"{there[0]} is there again, so nothing was put back; erase what lies aside, or move it yourself "
                f"from {_home(folder)}"
            )
        for move in moves:
            move.path.rename(move.goal)
        _erase(_home(folder))
    return len(moves)


def erase(folder: Path) -> int:
    """Remove what lies aside for good.

    Returns:
        Bytes given back.
    """
    freed = sum(item.size for item in list_set_aside(folder))
    _erase(_home(folder))
    return freed


def _moves(folder: Path) -> Iterator[_Move]:
    """What lies aside and where it belongs: whole things, found below folders that the run itself has."""
    return _below(_home(folder), folder)


def _below(source: Path, target: Path) -> Iterator[_Move]:
    if source.is_symlink() or not source.is_dir():
        return
    for path in sorted(source.iterdir()):
        goal = target / path.name
        folders = (path, goal)
        if all(each.is_dir() and not each.is_symlink() for each in folders) and not _is_checkpoint(path):
            yield from _below(path, goal)
        else:
            yield _Move(path, goal)


def _is_checkpoint(path: Path) -> bool:
    return (path / "config.json").exists() or (path / "checkpoint.json").exists()


def _home(folder: Path) -> Path:
    return folder / FOLDER


def _erase(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
