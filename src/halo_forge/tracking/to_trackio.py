"""trackio (https://github.com/gradio-app/trackio): a local database, shown by `trackio show`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import trackio

from halo_forge.tracking.points import Point
from halo_forge.tracking.protocol import Ending, TrackedRun


class Trackio:
    """Logs to the project's database; a Space or a server where trackio's own variables name one."""

    def open(self, run: TrackedRun, handle: str | None) -> str:
        """Begin a run, or go on with it; an export replaces the export before it, where that is stored here."""
        name = handle or f"{run.name}-{run.run_id}" + ("-export" if run.fresh else "")
        if run.fresh:
            with suppress(ValueError):  # no such project yet
                for old in trackio.Api().runs(run.project):
                    if old.name == name:
                        old.delete()
        self._run: Any = trackio.init(
            project=run.project,
            name=name,
            group=run.kind,
            config=dict(run.settings),
            resume="allow" if handle else "never",
            embed=False,
            auto_log_cpu=False,
            auto_log_gpu=False,
        )
        return name

    def send(self, points: Sequence[Point]) -> None:
        """Log each point at its step."""
        for point in points:
            values = {f"{point.axis}/{key}": value for key, value in point.values.items()}
            self._run.log(values, step=point.step)

    def close(self, ending: Ending) -> None:
        """Wait until all is stored."""
        self._run.finish()
