"""What a tracker is, and what it is told of a run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from pydantic import JsonValue

from halo_forge.runs.launch import LaunchContext
from halo_forge.tracking.points import Point

Ending = Literal["finished", "stopped", "failed", "lost"]
HIDDEN = "(hidden)"
_SECRET = re.compile(r"(^|_)(key|token|secret|password|passwd|credentials?|auth)$", re.IGNORECASE)
_USER_IN_URL = re.compile(r"(?<=://)[^/@\s]+@")


class TrackedRun(NamedTuple):
    """A run as a tracker sees it.

    Args:
        folder: the run folder.
        settings: the validated settings, secrets hidden.
        fresh: whether everything is sent anew (an export) and not continued.
    """

    run_id: str
    name: str
    kind: str
    folder: Path
    project: str
    settings: dict[str, str]
    fresh: bool


class Tracker(Protocol):
    """One tracker, in a process of its own. What its methods raise ends the tracking and not the run."""

    def open(self, run: TrackedRun, handle: str | None) -> str:
        """Begin, or with a handle of an earlier attempt go on with, the tracker's own record of the run.

        Returns:
            The handle by which to find that record again.
        """
        ...

    def send(self, points: Sequence[Point]) -> None:
        """Hand on some points."""
        ...

    def close(self, ending: Ending) -> None:
        """Bring everything to where it belongs, and say how the run ended."""
        ...


def tracked_run(context: LaunchContext, folder: Path, project: str, *, fresh: bool) -> TrackedRun:
    """Describe a run to a tracker."""
    return TrackedRun(
        run_id=context.run_id,
        name=folder.resolve().name,
        kind=context.kind,
        folder=folder,
        project=project,
        settings=shown_settings(context.params),
        fresh=fresh,
    )


def shown_settings(params: Mapping[str, JsonValue], prefix: str = "") -> dict[str, str]:
    """Flatten settings to text; what may be a key, a token or a password is left out, inside URLs too."""
    shown: dict[str, str] = {}
    for key, value in params.items():
        if isinstance(value, dict):
            shown |= shown_settings(value, f"{prefix}{key}.")
        elif _SECRET.search(key) and value is not None:
            shown[prefix + key] = HIDDEN
        else:
            shown[prefix + key] = _USER_IN_URL.sub(f"{HIDDEN}@", str(value))
    return shown
