"""The images of a prompt as a page shows them: of a size that suits the eye, in a format that every browser shows."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from typing import NamedTuple

from halo_forge.core.types import MediaPart
from halo_forge.models.images import read_image
from halo_forge.models.media import BadMedia

MOST_SHOWN = 4


class Frame(NamedTuple):
    """What a picture is fitted into.

    Args:
        largest: pixels of the longer side at most.
        smallest: pixels that the longer side of a tiny picture is enlarged towards, by whole times.
        quality: of JPEG, to 95.
    """

    largest: int
    smallest: int
    quality: int


THUMBNAIL = Frame(largest=480, smallest=160, quality=85)
LARGE = Frame(largest=2_400, smallest=640, quality=92)


def as_jpeg(part: MediaPart, frame: Frame) -> bytes:
    """Return an image in a frame; a tiny one is enlarged without smoothing, so that it can be made out.

    Raises:
        BadMedia: it cannot be read.
    """
    from PIL import Image

    image = read_image(part)
    image.thumbnail((frame.largest, frame.largest))
    times = frame.smallest // max(image.size)
    if times > 1:
        image = image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=frame.quality)
    return buffer.getvalue()


def thumbnails(media: Iterable[MediaPart]) -> tuple[str, ...]:
    """Return the first images among some media as addresses that hold them; what cannot be read is left out."""
    shown = []
    for part in [part for part in media if part.kind == "image"][:MOST_SHOWN]:
        try:
            content = as_jpeg(part, THUMBNAIL)
        except BadMedia:
            continue
        shown.append(f"data:image/jpeg;base64,{base64.b64encode(content).decode()}")
    return tuple(shown)
