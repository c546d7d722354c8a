"""Answers with files of a run folder, none of which is trusted: no link leads out of it, and no page of it may act."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from starlette.responses import FileResponse, Response

from halo_forge.core.errors import DataError

INERT = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:; sandbox"


def inside(folder: Path, name: str) -> Path:
    """Return an ordinary file of a folder.

    Args:
        name: relative, maybe with slashes.

    Raises:
        DataError: there is none, or a link or `..` leads out of the folder.
    """
    home = folder.resolve()
    try:
        path = (home / name).resolve(strict=True)
        found = path.stat()
    except (OSError, ValueError, RuntimeError) as error:
        raise DataError(f"there is no file {name} in {folder}") from error
    if not path.is_relative_to(home) or not stat.S_ISREG(found.st_mode):
        raise DataError(f"{name} is no file of {folder}")
    return path


def existing(folder: Path, name: str) -> Path | None:
    """The same, or None where there is none."""
    try:
        return inside(folder, name)
    except DataError:
        return None


def download(path: Path, name: str | None = None, kind: str = "application/octet-stream") -> Response:
    """Give a file to be saved, never to be shown as a page of this server."""
    return FileResponse(path, media_type=kind, filename=name or path.name, headers={"content-security-policy": INERT})


def inert_page(path: Path) -> Response:
    """Show a file of HTML with its scripts, forms and requests switched off."""
    return FileResponse(path, media_type="text/html; charset=utf-8", headers={"content-security-policy": INERT})


def attachment(text: str, name: str, kind: str) -> Response:
    """Give a text to be saved."""
    safe = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in name)
    headers = {"content-disposition": f'attachment; filename="{safe}"'}
    return Response(text, media_type=kind, headers=headers)


def tail_of(path: Path, most: int) -> tuple[bytes, int]:
    """The last bytes of a file, and the place they begin at."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        begins = max(0, size - most)
        file.seek(begins)
        return file.read(most), begins
