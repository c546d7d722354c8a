"""Audio of a sample: what a page can play, and how it stands inside of a page that is to play wherever it is opened."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from pathlib import Path

from halo_forge.core.types import MediaPart
from halo_forge.report.blocks import Sound
from halo_forge.report.wording import visible

MOST_BYTES = 300_000
HEAD = 12
NOT_PLAYED = "a format that pages do not play"


def sound_type(head: bytes) -> str | None:
    """Return the media type of audio that browsers play, by how its file begins; None for everything else.

    Args:
        head: the first `HEAD` bytes.
    """
    if head.startswith(b"fLaC"):
        return "audio/flac"
    if head.startswith(b"RIFF") and head[8:12] == b"WAVE":
        return "audio/wav"
    if head.startswith(b"OggS"):
        return "audio/ogg"
    mpeg_frame = len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2  # MPEG audio, layer III
    return "audio/mpeg" if mpeg_frame or head.startswith(b"ID3") else None


def sounds(media: Iterable[MediaPart]) -> tuple[Sound, ...]:
    """Return the audio among media as it stands on the page: its bytes where they are few, else its name alone."""
    return tuple(_embed(part) for part in media if part.kind == "audio")


def _embed(part: MediaPart) -> Sound:
    path = Path(part.path)
    try:
        if path.stat().st_size > MOST_BYTES:
            return Sound("", f"{visible(part.path)} (too large for the page)")
        content = path.read_bytes()
    except OSError:
        return Sound("", f"{visible(part.path)} (not there any more)")
    kind = sound_type(content[:HEAD])
    if kind is None:
        return Sound("", f"{visible(part.path)} ({NOT_PLAYED})")
    return Sound(f"data:{kind};base64,{b64encode(content).decode()}", visible(path.name))
