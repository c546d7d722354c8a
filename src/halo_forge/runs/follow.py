"""Following a file of lines that a run still writes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

POLL_S = 0.2


def follow_lines(path: Path, last: int | None, goes_on: Callable[[], bool]) -> Iterator[str]:
    """Yield the whole lines of a file, and what is added as long as somebody writes it.

    A line is given once it is complete. When the file is cut, as a continued run cuts a torn line, reading goes on at
    its new end.

    Args:
        last: begin with this many lines from the end; None begins with the first.
        goes_on: asked when there is nothing new; after it says no, the rest is read once more and that is all.
    """
    while not path.exists():
        if not goes_on():
            return
        time.sleep(POLL_S)
    with path.open("rb") as file:
        if last is not None:
            yield from deque(_whole_lines(file), maxlen=last)
        while True:
            ending = not goes_on()
            yield from _whole_lines(file)
            if ending:
                return
            time.sleep(POLL_S)


def _whole_lines(file: BinaryIO) -> Iterator[str]:
    """Yield the lines from here on that are complete, and stay before one that is not."""
    begin = file.tell()
    end = file.seek(0, 2)
    file.seek(min(begin, end))
    while True:
        place = file.tell()
        line = file.readline()
        if not line.endswith(b"\n"):
            file.seek(place)
            return
        yield line.decode(errors="replace").rstrip("\n")
