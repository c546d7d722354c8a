"""What is compiled once for all runs and kept: crates, standard libraries."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from halo_forge.core.errors import EnvironmentFault
from halo_forge.core.folders import cache_folder

READABLE_FOLDER, READABLE_FILE = 0o755, 0o644


def kept_folder(kind: str, key: str, make: Callable[[Path], None]) -> Path:
    """Return a folder below the user's cache, made if it is not there yet.

    Runs that start at the same time may each make it; the first to finish is kept.

    Args:
        kind: what it holds, such as `crates`.
        key: everything its content depends on.
        make: fills an empty folder.

    Raises:
        EnvironmentFault: it cannot be made.
    """
    root = cache_folder() / kind
    folder = root / hashlib.sha256(key.encode()).hexdigest()[:24]
    if folder.is_dir():
        return folder
    try:
        root.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=root))
        try:
            make(draft)
            _open_to_all(draft)
            with contextlib.suppress(OSError):
                draft.rename(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        raise EnvironmentFault(f"cannot keep {kind} in {root}: {error}: free the disk or set XDG_CACHE_HOME") from error
    if not folder.is_dir():
        raise EnvironmentFault(f"cannot keep {kind} in {root}: set XDG_CACHE_HOME to a folder that can be written")
    return folder


def _open_to_all(folder: Path) -> None:
    """Let the spare users of the sandbox read it, whatever the umask."""
    folder.chmod(READABLE_FOLDER)
    for place in folder.rglob("*"):
        if not place.is_symlink():
            place.chmod(READABLE_FOLDER if place.is_dir() else READABLE_FILE)
