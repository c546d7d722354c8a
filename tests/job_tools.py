"""The programs that a job script calls, as they are on the PATH of a job."""

from __future__ import annotations

import sys
from pathlib import Path

PYTHON = f'#!/bin/bash\nexec {sys.executable} {{}}"$@"\n'
OURS = {"python": "", "halo-forge": "-m halo_forge ", "ray": "-m ray.scripts.scripts "}


def lay_tools(folder: Path, flags: str = "", **stand_ins: str) -> Path:
    """Put the tests' Python, its Ray and this checkout's halo-forge into a folder, and stand-ins beside them.

    Args:
        flags: of halo-forge, besides those that it is called with.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ours = {name: PYTHON.format(words) for name, words in OURS.items()}
    ours["halo-forge"] = f"{ours['halo-forge'].rstrip()} {flags}\n"
    for name, text in {**ours, **stand_ins}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder
