"""Audio of a sample, inside the page itself, so that it plays wherever it is opened."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from pathlib import Path

from halo_forge.core.types import MediaPart
from halo_forge.report.blocks import Sound
from halo_forge.report.wording import visible

MOST_BYTES = 300_000
TYPES = {".flac": "audio/flac", ".wav": "audio/wav", ".mp3": "audio/mpeg", ".ogg": "audio/ogg"}


def sounds(media: Iterable[MediaPart]) -> tuple[Sound, ...]:
    """Return the audio among media as it stands on the page: its bytes where they are few, else its name alone."""
    return tuple(_embed(part) for part in media if part.kind == "audio")


def _embed(part: MediaPart) -> Sound:
    path = Path(part.path)
    kind = TYPES.get(path.suffix.lower())
    if kind is None:
        return Sound("", f"{visible(part.path)} (a format that pages do not play)")
    try:
        if path.stat().st_size > MOST_BYTES:
            return Sound("", f"{visible(part.path)} (too large for the page)")
        content = path.read_bytes()
    except OSError:
        return Sound("", f"{visible(part.path)} (not there any more)")
    return Sound(f"data:{kind};base64,{b64encode(content).decode()}", visible(path.name))
