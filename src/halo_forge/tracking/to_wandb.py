"""Weights & Biases (https://docs.wandb.ai): online; with WANDB_MODE=offline, `tracking/wandb` of the run folder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import wandb

from halo_forge.runs.run_dir import TRACKING_FOLDER
from halo_forge.tracking.points import RESULT, Point
from halo_forge.tracking.protocol import Ending, TrackedRun


class Wandb:
    """One wandb run, by our run's id; each axis counts by its own metric, as wandb's own step can only grow."""

    def open(self, run: TrackedRun, handle: str | None) -> str:
        """Begin a run, or go on with it; an export replaces the export before it."""
        name = handle or run.run_id + ("-export" if run.fresh else "")
        self._axes: set[str] = set()
        self._run: Any = wandb.init(
            project=run.project,
            id=name,
            name=run.name,
            group=run.kind,
            config=dict(run.settings),
            dir=str(run.folder / TRACKING_FOLDER),
            resume=None if run.fresh else "allow",
            save_code=False,
            settings=wandb.Settings(
                console="off", disable_git=True, x_disable_stats=True, x_disable_meta=True, x_save_requirements=False
            ),
        )
        return name

    def send(self, points: Sequence[Point]) -> None:
        """Log each point with the count of its axis."""
        for point in points:
            if point.axis == RESULT:
                self._run.summary.update({f"{point.axis}/{key}": value for key, value in point.values.items()})
                continue
            if point.axis not in self._axes:
                self._axes.add(point.axis)
                self._run.define_metric(f"{point.axis}/*", step_metric=f"{point.axis}/step")
            values = {f"{point.axis}/{key}": value for key, value in point.values.items()}
            self._run.log({**values, f"{point.axis}/step": point.step})

    def close(self, ending: Ending) -> None:
        """Wait until all is sent."""
        self._run.finish(exit_code=0 if ending == "finished" else 1)
