"""The two streams: results on stdout, progress on stderr."""

from __future__ import annotations

from typing import IO

from rich.console import Console

WIDTH_WHEN_PIPED = 120


def results_console(file: IO[str] | None = None) -> Console:
    """Console for tables, on stdout unless a file is named; piped, it is wide enough that no row wraps."""
    console = Console(file=file, markup=False, emoji=False, highlight=False)
    if not console.is_terminal:
        console.width = WIDTH_WHEN_PIPED
    return console


def progress_console() -> Console:
    """Console for what goes on."""
    return Console(stderr=True, markup=False, emoji=False, highlight=False)
