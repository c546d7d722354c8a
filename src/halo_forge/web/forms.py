"""Forms made from a command's schema, the one that its flags are made of: fields, help, ranges, units, defaults."""

from __future__ import annotations

import re
import shlex
from collections.abc import Container, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from annotated_types import Ge, Gt, Le, Lt
from pydantic import JsonValue
from pydantic.fields import FieldInfo

from halo_forge.config.options import CommandConfig, presentation
from halo_forge.config.shared import SECTIONS
from halo_forge.core.plugins import DATASETS, VERIFIERS

Kind = Literal["text", "whole", "number", "switch", "choice", "list", "mapping", "yaml"]
UNITS = {
    "_s": "seconds",
    "_mb": "MB",
    "_tokens": "tokens",
    "max_length": "tokens",
    "logprob_gap": "nats",
    "steps": "steps",
    "epochs": "passes",
}
# An entry point's group, for settings whose values are names of plugins.
SUGGESTED = {"verifier": VERIFIERS, "dataset": DATASETS}
RANGE_SAID = re.compile(r"\d to [\d.]+")


@dataclass(frozen=True)
class Input:
    """One field of a form.

    Args:
        key: the setting.
        flag: its flag; None for a setting that only a file can hold.
        limits: the range in words, unless the help says it.
        default: what holds when the field is left empty, in words.
        suggestions: an entry point's group whose names are offered.
    """

    key: str
    flag: str | None
    label: str
    help: str
    kind: Kind
    required: bool
    choices: tuple[str, ...]
    unit: str
    limits: str
    default: str
    suggestions: str


@dataclass(frozen=True)
class Section:
    """Fields under one heading."""

    title: str
    inputs: tuple[Input, ...]


def sections(schema: type[CommandConfig], first: Container[str] = ()) -> tuple[Section, ...]:
    """Lay out the fields of a schema: by section, those of `first` and then the command's own before the others."""
    own = schema.__annotations__
    fields = sorted(schema.model_fields.items(), key=lambda item: (item[0] not in first, item[0] not in own))
    by_section: dict[str, list[Input]] = {name: [] for name in SECTIONS}
    for key, field in fields:
        by_section[presentation(field).section].append(input_of(key, field))
    return tuple(Section(title, tuple(inputs)) for title, inputs in by_section.items() if inputs)


def as_texts(schema: type[CommandConfig], values: Mapping[str, object]) -> dict[str, str]:
    """Put values into the texts of a form's fields; unknown settings are left out."""
    return {
        key: _text(input_of(key, schema.model_fields[key]).kind, value)
        for key, value in values.items()
        if key in schema.model_fields and value is not None
    }


def equivalent_command(command: str, config: CommandConfig) -> str:
    """The command line that does the same; settings that are the defaults are left out."""
    words = ["halo-forge", *command.split()]
    notes = []
    settings = config.model_dump(mode="json")
    for key, field in type(config).model_fields.items():
        if is_default(field, settings[key]):
            continue
        flag = _flag(key, field)
        if flag is None:
            notes.append(key)
        else:
            words += _typed(flag, settings[key])
    line = shlex.join(words)
    return f"{line} --config FILE  # with {', '.join(notes)} in FILE" if notes else line


def is_default(field: FieldInfo, value: JsonValue) -> bool:
    """Whether a value, as JSON, is the field's default."""
    if field.is_required():
        return False
    default = field.default
    if isinstance(default, tuple):
        default = list(default)
    return bool(value == (str(default) if isinstance(default, Path) else default))


def _typed(flag: str, value: JsonValue) -> list[str]:
    if isinstance(value, bool):
        return [flag if value else f"--no-{flag.removeprefix('--')}"]
    if isinstance(value, dict):
        pairs = (
            f"{key}={yaml.safe_dump(item, default_flow_style=True).removesuffix('...' + chr(10)).strip()}"
            for key, item in value.items()
        )
        return [word for pair in pairs for word in (flag, pair)]
    if isinstance(value, list):
        return [flag, ",".join(str(item) for item in value)]
    return [flag, str(value)]


def input_of(key: str, field: FieldInfo) -> Input:
    """Describe the field of a form for a setting."""
    annotation = _bare(field.annotation)
    kind = _kind(annotation, file_only=presentation(field).file_only)
    return Input(
        key=key,
        flag=_flag(key, field),
        label=label_of(key),
        help=str(field.description),
        kind=kind,
        required=field.is_required(),
        choices=tuple(str(choice) for choice in get_args(annotation)) if kind == "choice" else (),
        unit=next((unit for ending, unit in UNITS.items() if key.endswith(ending)), ""),
        limits="" if RANGE_SAID.search(str(field.description)) else _limits(field),
        default="" if field.is_required() else _shown(field.default),
        suggestions=SUGGESTED.get(key, ""),
    )


def _flag(key: str, field: FieldInfo) -> str | None:
    shown = presentation(field)
    if shown.file_only:
        return None
    name = key.removesuffix("s") if get_origin(_bare(field.annotation)) is dict else key
    return "--" + name.replace("_", "-")


def label_of(key: str) -> str:
    """The words of a setting's name."""
    words = re.sub(r"_(s|mb)$", "", key).replace("_", " ").replace("lora", "LoRA").replace("kl ", "KL ")
    return words[:1].upper() + words[1:]


def _bare(annotation: Any) -> Any:
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        parts = [part for part in get_args(annotation) if part is not NoneType]
        return _bare(parts[0])
    return annotation


def _kind(annotation: Any, *, file_only: bool) -> Kind:
    if file_only:
        return "yaml"
    by_origin: dict[Any, Kind] = {Literal: "choice", tuple: "list", dict: "mapping"}
    scalars: dict[Any, Kind] = {bool: "switch", int: "whole", float: "number", str: "text", Path: "text"}
    origin = get_origin(annotation)
    return by_origin[origin] if origin in by_origin else scalars[annotation]


def value_of(kind: Kind, text: str) -> object:
    """Read a field's text.

    Raises:
        ValueError: it cannot be read; the text says what is allowed.
    """
    text = text.replace("\r\n", "\n").strip()
    if kind == "list":
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if kind == "mapping":
        return dict(_pair(line) for line in text.split("\n") if line.strip())
    if kind == "yaml":
        try:
            return yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ValueError(f"Not valid YAML: {' '.join(str(error).split())}") from error
    if kind == "switch":
        if text not in ("yes", "no"):
            raise ValueError(f"Choose yes or no, not {text!r}")
        return text == "yes"
    return text


def _pair(line: str) -> tuple[str, object]:
    key, equals, text = line.partition("=")
    if not equals or not key.strip():
        raise ValueError(f"Write key=value, one a line, not {line!r}")
    try:
        return key.strip(), yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"The value of '{key}' is not valid YAML: {text}") from error


def _text(kind: Kind, value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if kind == "mapping" and isinstance(value, dict):
        return "\n".join(line.removeprefix("--x ") for line in _lines(value))
    if kind == "yaml":
        return yaml.safe_dump(value, sort_keys=False).removesuffix("...\n").strip()
    if isinstance(value, (list, tuple)):
        return ", ".join(str(item) for item in value)
    return str(value)


def _lines(value: dict[Any, Any]) -> list[str]:
    return [pair for pair in _typed("", value) if pair]


def _limits(field: FieldInfo) -> str:
    low = high = ""
    for limit in field.metadata:
        match limit:
            case Ge(ge):
                low = f"at least {ge}"
            case Gt(gt):
                low = f"above {gt}"
            case Le(le):
                high = f"at most {le}"
            case Lt(lt):
                high = f"below {lt}"
    return ", ".join(part for part in (low, high) if part)


def _shown(default: object) -> str:
    if default in (None, {}, ()):
        return ""
    if isinstance(default, bool):
        return "yes" if default else "no"
    if isinstance(default, tuple):
        return ", ".join(str(item) for item in default)
    return str(default)
