"""Tiny models that see, and pictures to show them."""

from __future__ import annotations

import io
import random
from hashlib import sha256
from pathlib import Path

from PIL import Image

from halo_forge.core.types import Conversation, MediaPart, Message, Prompt, Reference, TextPart
from halo_forge.models.nano_vision import VisionShape, build_nano_vision_model

QUESTION = "which colour?"
COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}
SHAPE = VisionShape(vocabulary=300, hidden=64, mlp=64, layers=2, seen=64, patch=4)


def build_vision_model(folder: Path, family: str = "qwen2_vl") -> Path:
    assert family in ("qwen2_vl", "qwen2_5_vl")
    build_nano_vision_model(folder, [QUESTION, *COLOURS] * 20, seed=0, shape=SHAPE, family=family)
    return folder


def picture(colour: str = "red", size: tuple[int, int] = (32, 16), noise: int = 0) -> bytes:
    """A picture of one colour, with some noise so that no two are equal."""
    image = Image.new("RGB", size, COLOURS[colour])
    rng = random.Random(noise)
    for _ in range(10):
        image.putpixel((rng.randrange(size[0]), rng.randrange(size[1])), (rng.randrange(256),) * 3)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def shown(folder: Path, content: bytes, *, hashed: bool = True) -> MediaPart:
    """A file of an image, as rows name it."""
    digest = sha256(content).hexdigest()
    path = folder / f"{digest}.png"
    path.write_bytes(content)
    return MediaPart(kind="image", path=str(path), sha256=digest if hashed else "")


def asked(*parts: MediaPart, text: str = QUESTION) -> Message:
    return Message(role="user", content=(*parts, TextPart(text=text)))


def picture_prompt(folder: Path, colour: str, id: str = "", **picture_options: object) -> Prompt:
    part = shown(folder, picture(colour, **picture_options))
    return Prompt(id=id or colour, messages=(asked(part),), reference=Reference(answer=colour))


def picture_row(folder: Path, colour: str, noise: int) -> Conversation:
    part = shown(folder, picture(colour, noise=noise))
    return Conversation(id=f"{colour}-{noise}", messages=(asked(part), Message(role="assistant", content=colour)))
