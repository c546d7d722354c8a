"""Small pictures drawn by rule: two shapes, two digits, or three bars, and what can be asked about each.

A picture is 64 x 32 pixels, drawn at four times that and scaled down. Where things stand, their size and the paper's
tone vary, so that two pictures of the same things are still two pictures.
"""

from __future__ import annotations

import io
import random
from dataclasses import dataclass
from typing import Literal

from PIL import Image, ImageDraw

WIDTH, HEIGHT, FINE = 64, 32, 4
COLOURS = {
    "red": (214, 40, 40),
    "green": (30, 150, 60),
    "blue": (40, 80, 220),
    "orange": (245, 150, 20),
    "purple": (140, 50, 170),
}
SHAPES = ("circle", "square", "triangle", "cross")
# Segments of a digit as on a pocket calculator: top, upper left, upper right, middle, lower left, lower right, bottom.
SEGMENTS = (
    "1110111",
    "0010010",
    "1011101",
    "1011011",
    "0111010",
    "1101011",
    "1101111",
    "1010010",
    "1111111",
    "1111011",
)
Kind = Literal["shapes", "digits", "bars"]


@dataclass(frozen=True)
class Thing:
    """What stands in a picture: a shape, a digit, or a bar of so many tenths of the height."""

    name: str
    colour: str


@dataclass(frozen=True)
class Scene:
    """What a picture shows, from left to right."""

    kind: Kind
    things: tuple[Thing, ...]

    @property
    def key(self) -> str:
        """What two pictures of the same things have in common."""
        return f"{self.kind} " + " ".join(f"{thing.colour}-{thing.name}" for thing in self.things)

    def questions(self) -> list[tuple[str, str, tuple[str, ...]]]:
        """What can be asked: question, answer, and all that an answer of its kind can be."""
        colours = tuple(COLOURS)
        if self.kind == "shapes":
            asked = [(f"what colour is the {thing.name}?", thing.colour, colours) for thing in self.things]
            return asked + [(f"which shape is {thing.colour}?", thing.name, SHAPES) for thing in self.things]
        if self.kind == "digits":
            sides = zip(("left", "right"), self.things, strict=True)
            return [(f"which digit is on the {side}?", thing.name, tuple("0123456789")) for side, thing in sides]
        tall = sorted(self.things, key=lambda thing: int(thing.name))
        return [
            ("which bar is the tallest?", tall[-1].colour, colours),
            ("which bar is the shortest?", tall[0].colour, colours),
        ]


def draw_scene(rng: random.Random) -> Scene:
    """Choose what a picture shows; colours differ, and so do shapes and the heights of bars."""
    kind: Kind = rng.choice(("shapes", "digits", "bars"))
    if kind == "bars":
        heights = rng.sample(range(2, 10), 3)
        return Scene(kind, tuple(map(Thing, map(str, heights), rng.sample(list(COLOURS), 3))))
    names = rng.sample(SHAPES, 2) if kind == "shapes" else [str(rng.randint(0, 9)) for _ in range(2)]
    return Scene(kind, tuple(map(Thing, names, rng.sample(list(COLOURS), 2))))


def paint(scene: Scene, rng: random.Random) -> bytes:
    """Draw a picture of a scene, as PNG."""
    tone = rng.randint(225, 255)
    picture = Image.new("RGB", (WIDTH * FINE, HEIGHT * FINE), (tone, tone, tone))
    pen = ImageDraw.Draw(picture)
    share = WIDTH * FINE / len(scene.things)
    for place, thing in enumerate(scene.things):
        middle = share * (place + 0.5) + rng.uniform(-2, 2) * FINE
        if scene.kind == "bars":
            top = HEIGHT * FINE * (1 - int(thing.name) / 10)
            half = share * rng.uniform(0.25, 0.35)
            pen.rectangle((middle - half, top, middle + half, HEIGHT * FINE), fill=COLOURS[thing.colour])
            continue
        level, size = (HEIGHT / 2 + rng.uniform(-1.5, 1.5)) * FINE, rng.uniform(11, 13) * FINE
        (_shape if scene.kind == "shapes" else _digit)(pen, thing.name, COLOURS[thing.colour], middle, level, size)
    buffer = io.BytesIO()
    picture.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS).save(buffer, "PNG")
    return buffer.getvalue()


def _shape(pen: ImageDraw.ImageDraw, name: str, colour: tuple[int, int, int], x: float, y: float, size: float) -> None:
    box = (x - size, y - size, x + size, y + size)
    if name == "circle":
        pen.ellipse(box, fill=colour)
    elif name == "square":
        pen.rectangle(box, fill=colour)
    elif name == "triangle":
        pen.polygon(((x, y - size), (x - size, y + size), (x + size, y + size)), fill=colour)
    else:
        arm = size * 0.35
        pen.rectangle((x - size, y - arm, x + size, y + arm), fill=colour)
        pen.rectangle((x - arm, y - size, x + arm, y + size), fill=colour)


def _digit(pen: ImageDraw.ImageDraw, name: str, colour: tuple[int, int, int], x: float, y: float, size: float) -> None:
    half, width = size * 0.6, round(size * 0.35)
    left, right, top, bottom = x - half, x + half, y - size, y + size
    ends = (
        ((left, top), (right, top)), ((left, top), (left, y)), ((right, top), (right, y)), ((left, y), (right, y)),
        ((left, y), (left, bottom)), ((right, y), (right, bottom)), ((left, bottom), (right, bottom)),
    )  # fmt: skip
    for on, line in zip(SEGMENTS[int(name)], ends, strict=True):
        if on == "1":
            pen.line(line, fill=colour, width=width)
