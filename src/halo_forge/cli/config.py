"""`halo-forge config`: is a YAML file fit for a command?"""

from __future__ import annotations

from pathlib import Path

import click
from pydantic import ValidationError
from pydantic_core import PydanticUndefined

from halo_forge.cli.errors import debug_option
from halo_forge.config.load import fitting_schemas, load, read_yaml
from halo_forge.config.options import CommandConfig
from halo_forge.config.schemas import SCHEMAS
from halo_forge.core.errors import ConfigError

# Any text will do for a path, a model or a name: whether it exists is only looked at when the command runs.
STAND_IN = "given-later"


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
def validate(file: Path) -> None:
    """Check the keys and values of FILE, and say which commands it fits.

    Settings that the file leaves to the command line are listed, not refused.
    """
    commands = fitting_schemas(file)
    failures: list[ConfigError] = []
    for command in commands:
        try:
            missing = _missing(SCHEMAS[command], file)
        except ConfigError as error:
            failures.append(error)
        else:
            note = f"; still to be given: {', '.join(missing)}" if missing else ""
            click.echo(f"{file} fits halo-forge {command}{note}")
    if len(failures) == len(commands):
        raise failures[0]


def _missing(schema: type[CommandConfig], file: Path) -> list[str]:
    """Return the flags that the command needs beside the file.

    Raises:
        ConfigError: a value of the file is wrong, and no flag that is only added would mend it.
    """
    values = {schema.key_for(name) for name in read_yaml(file)}
    required = [key for key, field in schema.model_fields.items() if field.is_required() and key not in values]
    flags: dict[str, object] = dict.fromkeys(required, STAND_IN)
    missing = [_flag(key) for key in required]
    met: set[str | None] = set()
    while (complaint := _complaint(schema, flags, file)) is not None:
        met.add(complaint)
        unset = [key for key in _unset_texts(schema) if key not in values and key not in flags]
        mending = [key for key in unset if _complaint(schema, {**flags, key: STAND_IN}, file) not in met]
        if not mending:
            load(schema, flags, file)
        missing.append(" or ".join(_flag(key) for key in mending))
        flags[mending[0]] = STAND_IN
    return missing


def _complaint(schema: type[CommandConfig], flags: dict[str, object], file: Path) -> str | None:
    """What is wrong with several settings together; None when nothing is.

    Raises:
        ConfigError: a single setting is wrong.
    """
    try:
        load(schema, flags, file)
    except ConfigError as error:
        if not _concerns_several_fields(error):
            raise
        return str(error)
    return None


def _concerns_several_fields(error: ConfigError) -> bool:
    return isinstance(error.__cause__, ValidationError) and not error.__cause__.errors()[0]["loc"]


def _unset_texts(schema: type[CommandConfig]) -> list[str]:
    return [
        key
        for key, field in schema.model_fields.items()
        if field.default is None
        and field.default is not PydanticUndefined
        and field.annotation in (str | None, Path | None)
    ]


def _flag(key: str) -> str:
    return "--" + key.replace("_", "-")


validate.params.append(debug_option())
config = click.Group("config", help="YAML files of settings.", commands=[validate])
