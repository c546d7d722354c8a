"""The images of a prompt as a page shows them: small, and inside of the page itself."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable

from halo_forge.core.types import MediaPart
from halo_forge.models.images import read_image
from halo_forge.models.media import BadMedia

LARGEST_SIDE, SMALLEST_SIDE = 480, 160
MOST_SHOWN = 4


def thumbnails(media: Iterable[MediaPart]) -> tuple[str, ...]:
    """Return the first images among some media as addresses that hold them; what cannot be read is left out.

    Tiny pictures are enlarged without smoothing, so that they can be made out.
    """
    from PIL import Image

    shown = []
    for part in [part for part in media if part.kind == "image"][:MOST_SHOWN]:
        try:
            image = read_image(part)
        except BadMedia:
            continue
        image.thumbnail((LARGEST_SIDE, LARGEST_SIDE))
        times = SMALLEST_SIDE // max(image.size)
        if times > 1:
            image = image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST)
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=85)
        shown.append(f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}")
    return tuple(shown)
