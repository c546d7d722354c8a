"""MLflow (https://mlflow.org/docs): the store that MLFLOW_TRACKING_URI names, else MLflow's own default."""

from __future__ import annotations

from collections.abc import Sequence

from mlflow import MlflowClient
from mlflow.entities import Metric, Param

from halo_forge.tracking.points import Point
from halo_forge.tracking.protocol import Ending, TrackedRun

# Limits of MLflow's REST interface, https://mlflow.org/docs/latest/rest-api.html, "Log Batch" and "Log Param".
MOST_METRICS, MOST_PARAMS, LONGEST_PARAM = 1000, 100, 6000
STATUS = {"finished": "FINISHED", "stopped": "KILLED", "failed": "FAILED", "lost": "KILLED"}


class Mlflow:
    """One MLflow run in the experiment that is named as the project."""

    def open(self, run: TrackedRun, handle: str | None) -> str:
        """Begin a run, or go on with it; an export deletes the export before it."""
        self._client = MlflowClient()
        tags = {"halo_forge.run_id": run.run_id, "halo_forge.kind": run.kind, "halo_forge.export": str(run.fresh)}
        found = self._client.get_experiment_by_name(run.project)
        experiment = found.experiment_id if found else self._client.create_experiment(run.project)
        if run.fresh:
            mine = f"tags.`halo_forge.run_id` = '{run.run_id}' AND tags.`halo_forge.export` = 'True'"
            for old in self._client.search_runs([experiment], filter_string=mine):
                self._client.delete_run(old.info.run_id)
        if handle is not None:
            self._id = handle
            self._client.update_run(handle, status="RUNNING")
            return handle
        self._id = self._client.create_run(experiment, tags=tags, run_name=run.name).info.run_id
        params = [Param(key, value[:LONGEST_PARAM]) for key, value in run.settings.items()]
        for start in range(0, len(params), MOST_PARAMS):
            self._client.log_batch(self._id, params=params[start : start + MOST_PARAMS])
        return self._id

    def send(self, points: Sequence[Point]) -> None:
        """Log each value with the time and the step of its point."""
        metrics = [
            Metric(f"{point.axis}/{key}", value, int(point.t * 1000), point.step)
            for point in points
            for key, value in point.values.items()
        ]
        for start in range(0, len(metrics), MOST_METRICS):
            self._client.log_batch(self._id, metrics=metrics[start : start + MOST_METRICS])

    def close(self, ending: Ending) -> None:
        """Say how the run ended."""
        self._client.set_terminated(self._id, STATUS[ending])
