"""TensorBoard: event files in `tracking/tensorboard` of the run folder, read by `tensorboard --logdir`.

Scalars in the form of the TensorBoard protocol (https://github.com/tensorflow/tensorboard, `event.proto` and
`summary.proto`), each with the time of its own event. Neither TensorFlow nor torch is needed.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_STRING
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from halo_forge.runs.run_dir import TRACKING_FOLDER
from halo_forge.tracking.points import Point
from halo_forge.tracking.protocol import Ending, TrackedRun

FOLDER = "tensorboard"


class TensorBoard:
    """Writes event files."""

    def open(self, run: TrackedRun, handle: str | None) -> str:
        """Begin a file of this attempt; an export replaces what is there."""
        folder = run.folder / TRACKING_FOLDER / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        if run.fresh:
            for file in folder.glob("events.out.tfevents.*"):
                file.unlink()
        self._writer = EventFileWriter(str(folder))
        if handle is None:
            rows = "".join(f"| {key} | {value} |\n" for key, value in run.settings.items())
            self._add(_text("settings", f"| {run.run_id} | |\n| --- | --- |\n{rows}"), 0, time.time())
        return FOLDER

    def send(self, points: Sequence[Point]) -> None:
        """Write scalars, and push them to the disk."""
        for point in points:
            values = [
                Summary.Value(tag=f"{point.axis}/{key}", simple_value=value) for key, value in point.values.items()
            ]
            self._add(Summary(value=values), point.step, point.t)
        self._writer.flush()

    def close(self, ending: Ending) -> None:
        """End the file."""
        self._writer.close()

    def _add(self, summary: Summary, step: int, t: float) -> None:
        self._writer.add_event(Event(wall_time=t, step=step, summary=summary))


def _text(tag: str, text: str) -> Summary:
    metadata = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text"))
    shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)])
    tensor = TensorProto(dtype=DT_STRING, string_val=[text.encode()], tensor_shape=shape)
    return Summary(value=[Summary.Value(tag=f"{tag}/text_summary", metadata=metadata, tensor=tensor)])
