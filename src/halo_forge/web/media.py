"""What a prompt lets a model see and hear, for a page to show: from the folders of the run and of its prompts alone.

A run folder is not trusted, so the path that a prompt names is followed only to an ordinary file of those folders, by
no link out of them and to nothing hidden; and what is given is pixels drawn anew or what begins as audio does.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import file_digest
from pathlib import Path
from threading import BoundedSemaphore
from typing import Literal, NamedTuple

from halo_forge.core.errors import DataError
from halo_forge.core.types import MediaPart, Prompt
from halo_forge.models.images import image_size
from halo_forge.models.media import BadMedia
from halo_forge.report.pictures import Frame, as_jpeg
from halo_forge.report.sounds import HEAD, NOT_PLAYED, sound_type
from halo_forge.runs.run_dir import read_launch

MOST_BYTES = {"image": 32 << 20, "audio": 64 << 20}
MOST_PIXELS = 50_000_000
_DECODED_AT_ONCE = BoundedSemaphore(2)


class Medium(NamedTuple):
    """An image or a piece of audio as the page names it.

    Args:
        number: its place among all media of the prompt, from 0.
        name: of its file.
        refused: why it is not shown, or "".
    """

    number: int
    kind: Literal["image", "audio"]
    name: str
    refused: str


class Turn(NamedTuple):
    """A message of a prompt, as the page shows it."""

    role: str
    text: str
    media: tuple[Medium, ...]


def folders_of(run: Path) -> tuple[Path, ...]:
    """The folders that a run's media may lie in: its own, and that of the file of prompts it was started with."""
    found = [run.resolve()]
    context = read_launch(run)
    named = context.inputs.get("prompts") if context is not None else None
    if context is not None and named is not None:
        try:
            file = (Path(context.cwd) / named.path).resolve(strict=True)
            if file.is_file() and file.parent != Path(file.anchor):
                found.append(file.parent)
        except (OSError, ValueError, RuntimeError):
            pass  # moved away, or no file: the name of a dataset
    return tuple(found)


def turns(prompt: Prompt, folders: Sequence[Path]) -> tuple[Turn, ...]:
    """Return the messages of a prompt, and which of their media can be shown."""
    shown, number = [], 0
    for message in prompt.messages:
        media = []
        for part in message.media:
            media.append(Medium(number, part.kind, Path(part.path).name, _refusal(part, folders)))
            number += 1
        shown.append(Turn(message.role, message.text, tuple(media)))
    return tuple(shown)


def picture(part: MediaPart, folders: Sequence[Path], frame: Frame) -> bytes:
    """Return an image of a prompt as a JPEG.

    Raises:
        DataError: it lies elsewhere, cannot be read, or is not the one whose hash the prompt has.
    """
    path = find(part, folders)
    try:
        width, height = image_size(path)
        if width * height > MOST_PIXELS:
            raise DataError(f"{path.name} has {width:,} x {height:,} pixels; {MOST_PIXELS:,} in all are shown at most")
        with _DECODED_AT_ONCE:
            return as_jpeg(part.model_copy(update={"path": str(path)}), frame)
    except BadMedia as error:
        raise DataError(f"there is nothing to show for a prompt {error}") from error


def sound(part: MediaPart, folders: Sequence[Path]) -> tuple[Path, str]:
    """Return the file of a prompt's audio, and its media type.

    Raises:
        DataError: it lies elsewhere, is nothing that browsers play, or is not the one whose hash the prompt has.
    """
    path = find(part, folders)
    kind = _begins_as(path)
    if kind is None:
        raise DataError(f"{path.name} has {NOT_PLAYED}")
    found = path.stat()
    if part.sha256 and _hash(path, found.st_size, found.st_mtime_ns) != part.sha256:
        raise DataError(f"{path.name} has changed since the prompt's hash of it was taken")
    return path, kind


def find(part: MediaPart, folders: Sequence[Path]) -> Path:
    """Return the file of an image or of audio.

    Args:
        folders: see `folders_of`; a relative path counts from the first.

    Raises:
        DataError: there is none, it lies in none of the folders or is hidden there, or it is too large.
    """
    try:
        path = (folders[0] / part.path).resolve(strict=True)
        found = path.stat()
    except (OSError, ValueError, RuntimeError) as error:
        raise DataError("it is not there any more") from error
    home = next((folder for folder in folders if path.is_relative_to(folder)), None)
    if home is None:
        raise DataError("it lies outside of the folders of the run and of its prompts")
    if any(name.startswith(".") for name in path.relative_to(home).parts) or not stat.S_ISREG(found.st_mode):
        raise DataError("it is no ordinary file")
    if found.st_size > MOST_BYTES[part.kind]:
        raise DataError(f"it has more than {MOST_BYTES[part.kind] >> 20} MiB")
    return path


def part_of(prompts: Iterable[Prompt], number: int) -> MediaPart:
    """Return the image or audio at a place among the media of one prompt.

    Raises:
        DataError: there is no such prompt, or it has fewer.
    """
    media = [part for prompt in prompts for message in prompt.messages for part in message.media]
    if number >= len(media):
        raise DataError("there is no such image or audio")
    return media[number]


def _refusal(part: MediaPart, folders: Sequence[Path]) -> str:
    try:
        path = find(part, folders)
    except DataError as error:
        return str(error)
    return f"it has {NOT_PLAYED}" if part.kind == "audio" and _begins_as(path) is None else ""


def _begins_as(path: Path) -> str | None:
    with path.open("rb") as file:
        return sound_type(file.read(HEAD))


@lru_cache(256)
def _hash(path: Path, size: int, changed: int) -> str:
    """The hash of a file; asked for again with each piece that a player wants, and kept while the file is the same."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
