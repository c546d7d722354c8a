"""Command-line options made from a command's schema: names, types, help and order come from its fields."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import click
import yaml
from annotated_types import Ge, Gt, Le, Lt
from click.core import ParameterSource
from pydantic.fields import FieldInfo

from halo_forge.config.options import CommandConfig, presentation
from halo_forge.config.shared import SECTIONS, PromptOptions
from halo_forge.core.errors import ConfigError

# Flags are padded to the widest column click gives them, so that all sections line up.
FLAGS_WIDTH = 30
COMPARISONS = ("<", ">", "!=")


class CommaSeparated(click.ParamType[Any]):
    """Several values in one word, such as `1,5,10`."""

    def __init__(self, item: click.ParamType[Any]) -> None:
        self.item = item
        self.name = f"{item.name},…"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Any, ...]:
        """Split and convert each part."""
        parts = [part.strip() for part in value.split(",")]
        return tuple(self.item.convert(part, param, ctx) for part in parts if part)


class KeyValue(click.ParamType[Any]):
    """One entry of a mapping, `key=value`, the value read as YAML; comparisons such as `>=3` and dates stay text."""

    name = "key=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Any]:
        """Split at the first `=`."""
        key, equals, text = value.partition("=")
        if not equals or not key.strip():
            self.fail(f"'{value}' is not of the form key=value", param, ctx)
        if text.startswith(COMPARISONS):
            return key.strip(), text
        try:
            value = yaml.safe_load(text)
            return key.strip(), text.strip() if isinstance(value, date) else value
        except yaml.YAMLError:
            self.fail(f"the value of '{key}' is not valid YAML: {text}", param, ctx)


class Setting(click.Option):
    """The option of one field."""

    def __init__(self, key: str, field: FieldInfo) -> None:
        annotation = _bare(field.annotation)
        self.key = key
        self.section = presentation(field).section
        self.is_mapping = get_origin(annotation) is dict
        self.is_list = get_origin(annotation) is tuple
        names = (key.removesuffix("s") if self.is_mapping else key, *presentation(field).aliases)
        flags = ["--" + name.replace("_", "-") for name in names]
        if annotation is bool:
            super().__init__(
                [f"{flag}/--no-{flag.removeprefix('--')}" for flag in flags] + [key], default=None, help=_help(field)
            )
        else:
            super().__init__(
                [*flags, key], type=_kind(annotation), multiple=self.is_mapping or self.is_list, help=_help(field)
            )

    def given(self, ctx: click.Context) -> dict[str, object]:
        """Return `{field: value}` if the user gave this option, and nothing otherwise."""
        if ctx.get_parameter_source(self.key) is not ParameterSource.COMMANDLINE:
            return {}
        value = ctx.params[self.key]
        if self.is_list:  # each time the flag is given it adds its words
            value = tuple(word for words in value for word in words)
        return {self.key: dict(value) if self.is_mapping else value}


class Shorthand(click.Option):
    """An option for one entry of a mapping, such as `--task asr` for `--verifier-option task=asr`.

    Args:
        name: of the entry, and of the flag.
        key: the field that holds the mapping.
        section: heading in the help.
        choices: what may be given.
        refused: what may not -> why, for values that a user could expect.
    """

    def __init__(
        self, name: str, *, key: str, section: str, choices: tuple[str, ...], refused: Mapping[str, str], help: str
    ) -> None:
        self.key, self.section = key, section
        super().__init__([f"--{name}"], type=_Choice(choices, refused), help=help)

    def given(self, ctx: click.Context) -> dict[str, object]:
        """Return `{field: {entry: value}}` if the user gave this option, and nothing otherwise."""
        value = ctx.params[str(self.name)]
        return {} if value is None else {self.key: {self.name: value}}


class _Choice(click.Choice[str]):
    """A choice that knows what else a user may ask for."""

    def __init__(self, choices: tuple[str, ...], refused: Mapping[str, str]) -> None:
        super().__init__(choices)
        self._refused = refused

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuse in words of its own what is not offered."""
        if value in self._refused:
            raise ConfigError(self._refused[value])
        return super().convert(value, param, ctx)


class SettingsCommand(click.Command):
    """A command with settings; its help groups them by section."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections of the settings, then the other options."""
        records: dict[str, list[tuple[str, str]]] = {name: [] for name in (*SECTIONS, "Command")}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None and isinstance(param, click.Option):
                flags, text = record
                section = param.section if isinstance(param, (Setting, Shorthand)) else "Command"
                records[section].append((flags.ljust(FLAGS_WIDTH), text))
        for name, rows in records.items():
            if rows:
                with formatter.section(name):
                    formatter.write_dl(rows)


def settings(schema: type[CommandConfig]) -> list[click.Parameter]:
    """Make one option for each field that has a flag: required ones, prompts, the command's own, then shared ones."""
    own, asked = schema.__annotations__, PromptOptions.model_fields
    fields = sorted(
        schema.model_fields.items(),
        key=lambda item: (not item[1].is_required(), item[0] not in asked, item[0] not in own),
    )
    return [Setting(key, field) for key, field in fields if not presentation(field).file_only]


def given_settings(ctx: click.Context) -> dict[str, object]:
    """Return field name -> value of the settings that the user really gave."""
    given: dict[str, object] = {}
    for param in ctx.command.params:
        if isinstance(param, (Setting, Shorthand)):
            for key, value in param.given(ctx).items():
                before = given.get(key)
                given[key] = {**before, **value} if isinstance(before, dict) and isinstance(value, dict) else value
    return given


def _bare(annotation: Any) -> Any:
    """Strip `Annotated` and `| None`."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        (annotation,) = (part for part in get_args(annotation) if part is not NoneType)
        return _bare(annotation)
    return annotation


def _kind(annotation: Any) -> click.ParamType[Any]:
    origin = get_origin(annotation)
    if origin is Literal:
        return click.Choice(get_args(annotation))
    if origin is tuple:
        return CommaSeparated(_kind(_bare(get_args(annotation)[0])))
    if origin is dict:
        return KeyValue()
    scalars: dict[Any, click.ParamType[Any]] = {
        str: click.STRING,
        int: click.INT,
        float: click.FLOAT,
        Path: click.Path(path_type=Path),
    }
    return scalars[annotation]


def _help(field: FieldInfo) -> str:
    notes = []
    if field.is_required():
        notes.append("required")
    elif field.default not in (None, {}, ()):
        notes.append(f"default: {_shown(field.default)}")
    for limit in field.metadata:
        match limit:
            case Ge(ge):
                notes.append(f"at least {ge}")
            case Gt(gt):
                notes.append(f"above {gt}")
            case Le(le):
                notes.append(f"at most {le}")
            case Lt(lt):
                notes.append(f"below {lt}")
    return f"{field.description}  [{'; '.join(notes)}]" if notes else str(field.description)


def _shown(default: object) -> str:
    if isinstance(default, bool):
        return "yes" if default else "no"
    if isinstance(default, tuple):
        return ",".join(str(item) for item in default)
    return str(default)
