"""Images that models can be shown, and those they cannot."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from halo_forge.core.types import MediaPart
from halo_forge.models.images import decode_image, image_size, read_image, upright_rgb
from halo_forge.models.media import BadMedia, inspect_media


def encoded(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


NOISE = encoded(Image.effect_noise((64, 64), 60))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "with empty image"),
        (b"GIF89a-not-really", "with a broken image"),
        (NOISE[: len(NOISE) // 2], "with a broken image"),
        (encoded(Image.new("L", (1, 1))), "less than 2 pixels"),
        (encoded(Image.new("1", (50_000, 3))), "more than 20,000 pixels a side"),
        (encoded(Image.new("1", (12_000, 12_000))), "too many in all"),
        (encoded(Image.new("1", (19_000, 19_000))), "too many in all"),
        (encoded(Image.new("L", (900, 3))), "200 times as long"),
        (encoded(Image.new("L", (9, 9)), "PPM"), "format that is not known"),
    ],
)
def test_what_cannot_be_shown_is_refused(content: bytes, reason: str, tmp_path: Path) -> None:
    with pytest.raises(BadMedia, match=reason):
        inspect_media("image", content)
    with pytest.raises(BadMedia, match=reason):
        read_image(part_of(tmp_path / "a.png", content))


@pytest.mark.parametrize(
    ("size", "reason"), [((50_000, 3), "20,000 pixels"), ((1, 1), "2 pixels"), ((900, 3), "200 times")]
)
def test_a_size_that_is_not_taken_is_told_from_the_header(size: tuple[int, int], reason: str, tmp_path: Path) -> None:
    whole = encoded(Image.new("1", size))
    with pytest.raises(BadMedia, match=reason):
        image_size(Path(part_of(tmp_path / "a.png", whole[:60]).path))


def part_of(path: Path, content: bytes) -> MediaPart:
    path.write_bytes(content)
    return MediaPart(kind="image", path=str(path))


def test_a_missing_file_is_a_bad_image(tmp_path: Path) -> None:
    for path in (tmp_path / "a.png", tmp_path):
        with pytest.raises(BadMedia, match="not there"):
            read_image(MediaPart(kind="image", path=str(path)))
        with pytest.raises(BadMedia, match="not there"):
            image_size(path)


@pytest.mark.parametrize(
    ("image", "format", "colour"),
    [
        (Image.new("RGB", (4, 4), (1, 2, 3)), "PNG", (1, 2, 3)),
        (Image.new("L", (4, 4), 7), "PNG", (7, 7, 7)),
        (Image.new("I;16", (4, 4), 65_535), "PNG", (255, 255, 255)),
        (Image.new("RGBA", (4, 4), (255, 0, 0, 0)), "PNG", (255, 255, 255)),
        (Image.new("RGBA", (4, 4), (255, 0, 0, 255)), "WEBP", (255, 0, 0)),
        (Image.new("LA", (4, 4), (0, 0)), "PNG", (255, 255, 255)),
        (Image.new("CMYK", (4, 4), (255, 0, 0, 0)), "TIFF", (0, 255, 255)),
        (Image.new("P", (4, 4), 0), "GIF", (0, 0, 0)),
    ],
)
def test_every_kind_of_picture_becomes_rgb(image: Image.Image, format: str, colour: tuple[int, int, int]) -> None:
    shown = upright_rgb(decode_image(encoded(image, format, **({"lossless": True} if format == "WEBP" else {}))))
    assert (shown.mode, shown.getpixel((1, 1))) == ("RGB", colour)


def test_a_picture_is_turned_as_its_camera_was_held(tmp_path: Path) -> None:
    held = Image.Exif()
    held[0x0112] = 6  # the top of the picture is at its right
    Image.new("RGB", (40, 20)).save(tmp_path / "a.jpg", exif=held)
    part = MediaPart(kind="image", path=str(tmp_path / "a.jpg"))
    assert read_image(part).size == image_size(tmp_path / "a.jpg") == (20, 40)


def test_of_a_moving_picture_the_first_frame_counts(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert read_image(MediaPart(kind="image", path=str(tmp_path / "a.gif"))).getpixel((0, 0)) == (255, 0, 0)
