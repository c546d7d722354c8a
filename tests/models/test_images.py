"""Images that models can be shown, and those they cannot."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from halo_forge.models.images import BadImage, decode_image, read_image, upright_rgb


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
    with pytest.raises(BadImage, match=reason):
        decode_image(content)
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(BadImage, match=reason):
        read_image(tmp_path / "a.png")


def test_a_missing_file_is_a_bad_image(tmp_path: Path) -> None:
    with pytest.raises(BadImage, match="not there"):
        read_image(tmp_path / "a.png")
    with pytest.raises(BadImage, match="not there"):
        read_image(tmp_path)


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
    shown = upright_rgb(decode_image(encoded(image, format, **({"lossless": True} if format == "WEBP" else {})))[0])
    assert (shown.mode, shown.getpixel((1, 1))) == ("RGB", colour)


def test_a_picture_is_turned_as_its_camera_was_held(tmp_path: Path) -> None:
    held = Image.Exif()
    held[0x0112] = 6  # the top of the picture is at its right
    Image.new("RGB", (40, 20)).save(tmp_path / "a.jpg", exif=held)
    assert read_image(tmp_path / "a.jpg").size == (20, 40)


def test_of_a_moving_picture_the_first_frame_counts(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert read_image(tmp_path / "a.gif").getpixel((0, 0)) == (255, 0, 0)
