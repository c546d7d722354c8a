"""Writing a file whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from halo_forge.core.folders import sync_folder


def write_atomically(path: Path, content: str) -> None:
    """Write a file so that it is either the old one or the new one, whole."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    sync_folder(path.parent)
