"""A run folder as one typed view, whatever of it is there yet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from halo_forge.core.errors import DataError
from halo_forge.core.events import Event
from halo_forge.core.types import Record
from halo_forge.report.history import History, read_history
from halo_forge.report.wording import moment, visible
from halo_forge.rollout.records import read_records
from halo_forge.rollout.rollout_file import RolloutFile
from halo_forge.rollout.sketch import Sketch
from halo_forge.runs.comparison import FullSummary
from halo_forge.runs.launch import LaunchContext
from halo_forge.runs.run_dir import SUMMARY_FILE, Exit, read_launch
from halo_forge.runs.summary import BenchmarkSummary, DemosSummary, DemoSummary, RaftSummary, SftSummary

Summary = SftSummary | RaftSummary | BenchmarkSummary | FullSummary | DemoSummary | DemosSummary
SUMMARIES: dict[str, type[Summary]] = {
    "sft": SftSummary,
    "raft": RaftSummary,
    "benchmark": BenchmarkSummary,
    "full": FullSummary,
    "demo": DemoSummary,
}
_SETTING = re.compile(r"(\w+): (.*)", re.DOTALL)
_ORIGIN = re.compile(r"  # (default|flag|file .*)$")

R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class Setting:
    """One line of `config.yaml`."""

    section: str
    name: str
    value: str
    origin: str


@dataclass(frozen=True)
class RunView:
    """What a run folder holds.

    Args:
        summary: of the finished run; None while it is unfinished, and when the run went on after it was written.
        exit: how the last attempt ended; None if it has not, or was killed.
    """

    folder: Path
    context: LaunchContext
    settings: tuple[Setting, ...]
    history: History
    summary: Summary | None
    exit: Exit | None

    @property
    def finished(self) -> bool:
        """Whether the run came to its end."""
        return self.exit.status == "succeeded" if self.exit else self.summary is not None

    @property
    def ending(self) -> str:
        """How it ended, in words."""
        if self.finished:
            return "finished"
        if self.exit is not None:
            said = visible(self.exit.message)
            return said if said.startswith(self.exit.status) else f"{self.exit.status}: {said}".removesuffix(": ")
        seen = self.history.last_seen
        last = f"; the last event is of {moment(seen)}" if seen is not None else ""
        return f"no end recorded: it is still running or was killed{last}"

    def param(self, name: str) -> str | None:
        """Return a setting of the launch as text, or None if it has none of that name."""
        value = self.context.params.get(name)
        return None if value is None else str(value)

    @property
    def model(self) -> str:
        """The model the run started from."""
        if isinstance(self.summary, DemoSummary | DemosSummary) or self.context.kind == "demo":
            return "tiny models" if self.param("domain") == "all" else "a tiny model from random weights"
        if self.summary is not None:
            return self.summary.model
        return self.param("checkpoint") or self.param("model") or "unknown"

    @property
    def seed(self) -> int:
        """The run's seed, which also draws the samples shown."""
        seed = self.context.params.get("seed")
        return seed if isinstance(seed, int) else 0


def read_run(folder: Path) -> RunView:
    """Read everything of a run but its rollouts.

    Raises:
        DataError: the folder holds no run, or one of its files is broken.
    """
    context = read_launch(folder)
    if context is None:
        raise DataError(f"{folder} holds no run (there is no launch_context.json); name a run folder")
    history = read_history(read_lines(folder / "events.jsonl", Event))
    schema = _summary_schema(context)
    summary = _read_record(folder / SUMMARY_FILE, schema) if schema else None
    if isinstance(summary, RaftSummary) and history.reached > max((c.cycle for c in summary.cycles), default=0):
        summary = None
    return RunView(
        folder=folder,
        context=context,
        settings=read_settings(folder / "config.yaml"),
        history=history,
        summary=summary,
        exit=_read_record(folder / "exit.json", Exit),
    )


def _summary_schema(context: LaunchContext) -> type[Summary] | None:
    if context.kind == "demo" and context.params.get("domain") == "all":
        return DemosSummary
    return SUMMARIES.get(context.kind)


def read_settings(path: Path) -> tuple[Setting, ...]:
    """Read `config.yaml` with the section each setting stands in and the comment that names its origin."""
    if not path.is_file():
        return ()
    settings: list[Setting] = []
    section, entry = "", ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if not entry and line.startswith("# "):
            section = line[2:]
            continue
        entry = f"{entry}\n{line}" if entry else line
        origin = _ORIGIN.search(entry)
        if origin is None:
            continue
        parts = _SETTING.match(entry[: origin.start()])
        if parts is not None:
            value = "none" if parts[2] == "null" else visible(parts[2])
            settings.append(Setting(section, parts[1], value, origin[1]))
        entry = ""
    return tuple(settings)


def read_lines(path: Path, schema: type[R]) -> Iterator[R]:
    """Yield the records of a file one at a time; none if there is no file, and a torn last line is left out.

    Raises:
        DataError: a line is broken; the text names the file.
    """
    try:
        yield from read_records(path, schema)
    except ValidationError as error:
        raise DataError(f"{path} has a line that cannot be read: {_first(error)}") from error


def read_sketches(file: RolloutFile) -> list[Sketch]:
    """Return the sketches of a file's whole lines; none if there is no file.

    Raises:
        DataError: a line is broken; the text names the file.
    """
    try:
        return file.sketches()
    except ValidationError as error:
        raise DataError(f"{file.path} has a line that cannot be read: {_first(error)}") from error


def _read_record(path: Path, schema: type[R]) -> R | None:
    if not path.is_file():
        return None
    try:
        return schema.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise DataError(f"{path} cannot be read: {_first(error)}") from error


def _first(error: ValidationError) -> str:
    found = error.errors()[0]
    return f"{'.'.join(str(part) for part in found['loc']) or 'line'}: {found['msg']}"
