"""Folders of the user's that halo-forge keeps things in."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return where what can be made again is kept: `halo-forge` below `$XDG_CACHE_HOME`, by default below `~/.cache`.

    The variable counts only with an absolute path, as the XDG base directory specification demands.
    """
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (named if named.is_absolute() else Path.home() / ".cache") / "halo-forge"


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on disk: a rename is not, only because the file is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
