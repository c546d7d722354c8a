"""Starting a tracker's process, and asking how it fares."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Literal

from halo_forge.runs.run_dir import TRACKING_FOLDER


class TrackerProcess:
    """A tracker at work on a run folder; see `tracking.child`."""

    def __init__(self, name: str, project: str, folder: Path, mode: Literal["live", "fresh"]) -> None:
        self.name = name
        self.log = folder / TRACKING_FOLDER / f"{name}.log"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "halo_forge.tracking.child", name, project, str(folder), mode],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the run, whose end the tracker still has to report
            )

    def failure(self) -> str | None:
        """Why it ended before it was told to, or None while it works."""
        return None if self._process.poll() is None else self._reason()

    def finish(self, timeout_s: float | None) -> str | None:
        """Tell it that the run is over, wait, and return what went wrong.

        Args:
            timeout_s: after so long it is ended; None waits for as long as it takes.
        """
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            return f"it was not done {timeout_s:.0f} s after the run ended"
        return self._reason() if self._process.returncode else None

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()

    def _reason(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else f"its process ended with status {self._process.returncode}"
