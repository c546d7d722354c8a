"""Listeners that show a run while it goes on: bars on a terminal, plain lines in a pipe and in `console.log`."""

from __future__ import annotations

import math
import time
from pathlib import Path
from types import TracebackType
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from halo_forge.cli.console import progress_console
from halo_forge.cli.lines import Key, Line, Narrator, Phase
from halo_forge.core.events import Event, EventType
from halo_forge.core.words import duration

PLAIN_PACE_S = 5.0
LOG_FILE = "console.log"

# What ends a run as an error is printed by the command itself, after the view is closed.
ENDED_BY_ERROR = frozenset({EventType.RUN_FAILED, EventType.RUN_STOPPED})
SHOWN_AS_BARS = frozenset({EventType.PHASE_STARTED, EventType.PROGRESS, EventType.STEP})


class View(Protocol):
    """A listener that holds the terminal while it is open."""

    def __call__(self, event: Event) -> None:
        """Show one event."""

    def __enter__(self) -> View:
        """Take the terminal."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave it clean."""


def open_view(console: Console | None = None) -> View:
    """Choose the view that fits where stderr goes."""
    console = console or progress_console()
    return TerminalView(console) if console.is_terminal else PlainView(console)


class PlainView:
    """Plain lines, for pipes and files; progress at most every few seconds."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._narrator = Narrator(PLAIN_PACE_S)

    def __call__(self, event: Event) -> None:
        """Print the event's line."""
        line = self._narrator.tell(event)
        if line is not None and event.type not in ENDED_BY_ERROR:
            self._console.print(line.text, soft_wrap=True)

    def __enter__(self) -> PlainView:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to clean up."""


class TerminalView:
    """One bar a phase under way, and above the bars one line for whatever is finished."""

    def __init__(self, console: Console) -> None:
        self._narrator = Narrator(math.inf)
        self._bars: dict[Key, TaskID] = {}
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[count]}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}", style="cyan"),
            TextColumn("{task.fields[detail]}", style="dim"),
            console=console,
            transient=True,
        )
        self._waiting: TaskID | None = None
        self._draw_bars()

    def __call__(self, event: Event) -> None:
        """Move the bars, and print what is finished above them."""
        line = self._narrator.tell(event)
        if line is not None and event.type not in ENDED_BY_ERROR | SHOWN_AS_BARS:
            self._progress.console.print(_text(line), soft_wrap=True)
        self._draw_bars()

    def refresh(self) -> None:
        """Draw now; while the view is open this also happens several times a second."""
        self._progress.refresh()

    def _draw_bars(self) -> None:
        phases = self._narrator.phases
        for key in [key for key in self._bars if key not in phases]:
            self._progress.remove_task(self._bars.pop(key))
        for key, phase in phases.items():
            if key not in self._bars:
                self._bars[key] = self._add(phase.label, phase.total)
            self._update(self._bars[key], phase)
        # Models load and libraries are imported between the phases: something must move meanwhile.
        if phases and self._waiting is not None:
            self._progress.remove_task(self._waiting)
            self._waiting = None
        elif not phases and self._waiting is None:
            self._waiting = self._add("preparing", None)

    def _add(self, label: str, total: int | None) -> TaskID:
        return self._progress.add_task(label, total=total, count="", left="", detail="")

    def _update(self, bar: TaskID, phase: Phase) -> None:
        left = "" if phase.eta_s is None else f"{duration(phase.eta_s)} left"
        self._progress.update(
            bar, total=phase.total, completed=phase.done, count=phase.count, left=left, detail=phase.detail
        )

    def __enter__(self) -> TerminalView:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()


class ConsoleLog:
    """Appends the plain lines to `console.log` of the run folder that the events name.

    Its attribute `folder` is the folder of the run that started last, or None before the first.
    """

    def __init__(self) -> None:
        self.folder: Path | None = None
        self._narrator = Narrator(PLAIN_PACE_S)

    def __call__(self, event: Event) -> None:
        """Write the event's line, with the time of day in UTC."""
        line = self._narrator.tell(event)
        if event.type is EventType.RUN_STARTED:
            self.folder = Path(str(event.m["output"]))
        if line is None or self.folder is None:
            return
        clock = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(event.t))
        with (self.folder / LOG_FILE).open("a", encoding="utf-8") as log:
            log.write(f"{clock}  {line.text}\n")


def _text(line: Line) -> Text:
    return Text(line.text, style=line.style)
