"""Sending a run that is over to a tracker."""

from __future__ import annotations

from pathlib import Path

from halo_forge.config.shared import TrackingOptions
from halo_forge.core.errors import DataError, EnvironmentFault
from halo_forge.runs.lock import hold_lock
from halo_forge.runs.run_dir import read_launch
from halo_forge.tracking.process import TrackerProcess
from halo_forge.tracking.registry import check_trackers


def export_run(folder: Path, name: str, project: str | None = None) -> None:
    """Replay a run's events to a tracker, as they would have gone there live; a second export replaces the first.

    Args:
        project: by default the one that the run was started with.

    Raises:
        DataError: the folder holds no run.
        RunLockedError: the run is going on.
        EnvironmentFault: the tracker's library or key is missing, or it failed.
    """
    context = read_launch(folder)
    if context is None or not (folder / "events.jsonl").is_file():
        raise DataError(f"{folder} holds no run to export; name a run folder")
    check_trackers([name])
    default = TrackingOptions.model_fields["tracking_project"].default
    named = project or str(context.params.get("tracking_project") or default)
    with hold_lock(folder):
        process = TrackerProcess(name, named, folder, "fresh")
        try:
            reason = process.finish(None)
        except BaseException:
            process.kill()
            raise
    if reason is not None:
        raise EnvironmentFault(f"tracker '{name}' failed: {reason} (see {process.log})")
