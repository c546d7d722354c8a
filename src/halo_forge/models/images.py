"""Images as models see them: checked before they are decoded, upright, in RGB. With Pillow alone.

A picture's size is read from its header first, so that a small file that would unpack to a huge picture is refused
without being unpacked.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_BYTES = 256 << 20
SMALLEST_SIDE, LARGEST_SIDE, MOST_PIXELS = 2, 20_000, 100_000_000
LARGEST_RATIO = 200  # of the sides: processors of the Qwen2-VL family take no narrower picture
TOO_LARGE = f"with an image of more than {LARGEST_SIDE:,} pixels a side, or too many in all"
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "MPO")
GREY_16_BITS = ("I;16", "I;16B", "I;16L")


class BadImage(Exception):
    """An image that cannot be used; the text is the reason, in words that fit behind a count of rows."""


def decode_image(content: bytes) -> tuple[Image, str]:
    """Decode an image as a whole.

    Returns:
        The picture as it is stored, and its format, one of `FORMATS`.

    Raises:
        BadImage: it is empty, broken, of an unknown format, or of a size that is not taken.
    """
    from PIL import Image, UnidentifiedImageError

    if not content:
        raise BadImage("with empty image")
    if len(content) > MOST_BYTES:
        raise BadImage(f"with an image of more than {MOST_BYTES >> 20} MiB")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # many pixels are refused here, by a limit of our own
            image = Image.open(io.BytesIO(content))
            _check_size(*image.size)
            if image.format not in FORMATS:
                raise BadImage("with an image in a format that is not known")
            image.load()
    except Image.DecompressionBombError as error:
        raise BadImage(TOO_LARGE) from error
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError) as error:
        raise BadImage("with a broken image") from error
    return image, image.format


def read_image(path: Path) -> Image:
    """Read an image upright and in RGB; what is transparent becomes white, and of a moving one the first frame counts.

    Raises:
        BadImage: see `decode_image`; or there is no such file.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise BadImage(f"with an image of more than {MOST_BYTES >> 20} MiB")
        content = path.read_bytes()
    except OSError as error:
        raise BadImage("whose image file is not there") from error
    return upright_rgb(decode_image(content)[0])


def upright_rgb(image: Image) -> Image:
    """Turn a picture as its camera was held, and make it RGB.

    Raises:
        BadImage: it cannot be turned into colours.
    """
    from PIL import Image, ImageOps

    try:
        upright = ImageOps.exif_transpose(image)
        if upright.mode in GREY_16_BITS:
            upright = upright.point(lambda value: value / 256).convert("L")
        if "transparency" in upright.info or upright.mode in ("RGBA", "LA", "PA"):
            paper = Image.new("RGBA", upright.size, "white")
            upright = Image.alpha_composite(paper, upright.convert("RGBA"))
        return upright.convert("RGB")
    except (OSError, ValueError, SyntaxError) as error:
        raise BadImage("with a broken image") from error


def _check_size(width: int, height: int) -> None:
    short, long = sorted((width, height))
    if short < SMALLEST_SIDE:
        raise BadImage(f"with an image of less than {SMALLEST_SIDE} pixels a side")
    if long > LARGEST_SIDE or width * height > MOST_PIXELS:
        raise BadImage(TOO_LARGE)
    if long > LARGEST_RATIO * short:
        raise BadImage(f"with an image more than {LARGEST_RATIO} times as long as wide")
