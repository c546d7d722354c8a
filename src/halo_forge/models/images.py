"""Images as models see them: checked before they are decoded, upright, in RGB. With Pillow alone.

A picture's size is read from its header first, so that a small file that would unpack to a huge picture is refused
without being unpacked.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from halo_forge.core.types import MediaPart
from halo_forge.models.media import BadMedia, read_media

if TYPE_CHECKING:
    from PIL.Image import Image

SMALLEST_SIDE, LARGEST_SIDE, MOST_PIXELS = 2, 20_000, 100_000_000
LARGEST_RATIO = 200  # of the sides: processors of the Qwen2-VL family take no narrower picture
TOO_LARGE = f"with an image of more than {LARGEST_SIDE:,} pixels a side, or too many in all"
ENDINGS = {"PNG": "png", "JPEG": "jpg", "WEBP": "webp", "GIF": "gif", "BMP": "bmp", "TIFF": "tiff", "MPO": "jpg"}
GREY_16_BITS = ("I;16", "I;16B", "I;16L")
ORIENTATION, ON_ITS_SIDE = 0x0112, range(5, 9)  # the tag of EXIF, and its values that swap the sides


def decode_image(content: bytes) -> Image:
    """Decode an image as a whole, and return it as it is stored.

    Raises:
        BadMedia: it is empty, broken, of an unknown format, or of a size that is not taken.
    """
    if not content:
        raise BadMedia("with empty image")
    with _opened(io.BytesIO(content)) as image:
        image.load()
    return image


def image_size(path: Path) -> tuple[int, int]:
    """Return width and height of an image as it is shown, from its header.

    Raises:
        BadMedia: as for `decode_image`, as far as the header tells; or there is no such file.
    """
    if not path.is_file():
        raise BadMedia("whose image file is not there")
    with path.open("rb") as file, _opened(file) as image:
        width, height = image.size
        return (height, width) if image.getexif().get(ORIENTATION) in ON_ITS_SIDE else (width, height)


def read_image(part: MediaPart) -> Image:
    """Read an image upright and in RGB; what is transparent becomes white, and of a moving one the first frame counts.

    Raises:
        BadMedia: see `decode_image` and `read_media`.
    """
    return upright_rgb(decode_image(read_media(part)))


def upright_rgb(image: Image) -> Image:
    """Turn a picture as its camera was held, and make it RGB.

    Raises:
        BadMedia: it cannot be turned into colours.
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
        raise BadMedia("with a broken image") from error


@contextmanager
def _opened(file: io.BufferedReader | io.BytesIO) -> Iterator[Image]:
    """Open an image whose header says that it can be used; what goes wrong inside is a broken image as well."""
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # many pixels are refused here, by a limit of our own
            image = Image.open(file)
            _check_size(*image.size)
            if image.format not in ENDINGS:
                raise BadMedia("with an image in a format that is not known")
            yield image
    except Image.DecompressionBombError as error:
        raise BadMedia(TOO_LARGE) from error
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError) as error:
        raise BadMedia("with a broken image") from error


def _check_size(width: int, height: int) -> None:
    short, long = sorted((width, height))
    if short < SMALLEST_SIDE:
        raise BadMedia(f"with an image of less than {SMALLEST_SIDE} pixels a side")
    if long > LARGEST_SIDE or width * height > MOST_PIXELS:
        raise BadMedia(TOO_LARGE)
    if long > LARGEST_RATIO * short:
        raise BadMedia(f"with an image more than {LARGEST_RATIO} times as long as wide")
