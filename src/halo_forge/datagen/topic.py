r"""Topics: what is written about, as data. Those that come along lie in `topics/`; a user's own is such a file too.

name: rust_async
description: Asynchronous Rust with the standard library alone
language: rust
verifier: rust
verifier_options: {run: true}
style: Rust 2021 with the standard library alone …
categories: {wakers: "wakers, waker registration and spurious wake-ups"}
levels: {beginner: "one concept, up to about forty lines"}
variations: ["a job queue of a small service"]
required: ['\bfn main\b']
forbidden: ['\bunsafe\b']
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import yaml
from pydantic import Field, JsonValue, ValidationError, field_validator

from halo_forge.core.errors import ConfigError
from halo_forge.core.types import Record

FOLDER = files("halo_forge.datagen") / "topics"
SUFFIXES = (".yaml", ".yml")
# What the words of a request follow from; the rest only decides about answers that are there.
ASKED = {"language", "style", "tests", "categories", "levels", "variations"}


class Topic(Record):
    """What is written about.

    Args:
        name: begins the ids of the rows.
        description: one line for `--list`.
        language: what the blocks of code are fenced as, such as `rust`.
        style: what every answer keeps to.
        categories: name -> what the tasks are about.
        levels: name -> how hard they are.
        variations: settings that make tasks of one category and level differ.
        tests: how tests are to be written; without it answers have none.
        required: regular expressions (multi-line) of which each must be found in an answer's code.
        forbidden: regular expressions of which none may be.
        verifier: what judges answers with --verify.
        verifier_options: its own settings.
    """

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")
    description: str = ""
    language: str = Field(min_length=1)
    style: str = ""
    categories: dict[str, str] = Field(min_length=1)
    levels: dict[str, str] = Field(min_length=1)
    variations: tuple[str, ...] = ()
    tests: str | None = None
    required: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()
    verifier: str = "auto"
    verifier_options: dict[str, JsonValue] = {}

    @field_validator("required", "forbidden")
    @classmethod
    def _patterns(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            try:
                re.compile(pattern, re.MULTILINE)
            except re.error as error:
                raise ValueError(f"{pattern!r} is not a regular expression: {error}") from error
        return patterns

    @property
    def asked_sha256(self) -> str:
        """Hash of what the requests follow from."""
        return sha256(self.model_dump_json(include=ASKED).encode()).hexdigest()


def topic_names() -> list[str]:
    """Return the topics that come along, in order."""
    return sorted(item.name.removesuffix(".yaml") for item in FOLDER.iterdir() if item.name.endswith(".yaml"))


def find_topic(name: str) -> Topic:
    """Return a topic by its name, or the one that a file describes.

    Raises:
        ConfigError: there is no such topic or file, or the file does not describe one.
    """
    if name.endswith(SUFFIXES):
        return _read(Path(name))
    known = topic_names()
    if name not in known:
        close = get_close_matches(name, known, n=1)
        hint = f"did you mean '{close[0]}'? " if close else ""
        raise ConfigError(f"unknown topic '{name}': {hint}choose one of {', '.join(known)}, or name a YAML file")
    return _parse((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"), name)


def _read(path: Path) -> Topic:
    try:
        return _parse(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError as error:
        raise ConfigError(f"there is no file {path}; --list shows the topics that come along") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the topic {path}: {error}") from error


def _parse(text: str, where: str) -> Topic:
    try:
        return Topic.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise ConfigError(f"{where} is not valid YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the topic"
        fields = ", ".join(Topic.model_fields)
        message = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{where}: {key}: {message} (a topic has {fields})") from error
