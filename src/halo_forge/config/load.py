"""defaults < YAML < flags, with the origin of every value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path
from typing import Generic, TypeVar

import yaml
from pydantic import ValidationError

from halo_forge.config.options import CommandConfig, presentation
from halo_forge.config.schemas import SCHEMAS
from halo_forge.config.shared import SECTIONS
from halo_forge.core.errors import ConfigError

C = TypeVar("C", bound=CommandConfig)


@dataclass(frozen=True)
class Loaded(Generic[C]):
    """A validated configuration and, for each key, where its value came from.

    Args:
        parent: id of the run that is run again with these settings, if there is one.
    """

    config: C
    origins: Mapping[str, str]
    parent: str | None = None

    def to_yaml(self) -> str:
        """Write every setting, grouped by section, with its origin as a comment; loads back to the same config."""
        values = self.config.model_dump(mode="json")
        sections: dict[str, list[str]] = {}
        for key, field in type(self.config).model_fields.items():
            value = (
                yaml.safe_dump(values[key], default_flow_style=True, width=10_000).removesuffix("...\n").rstrip("\n")
            )
            sections.setdefault(presentation(field).section, []).append(f"{key}: {value}  # {self.origins[key]}\n")
        return "\n".join(f"# {name}\n" + "".join(sections[name]) for name in SECTIONS if name in sections)


def load(schema: type[C], flags: Mapping[str, object], yaml_file: Path | None = None) -> Loaded[C]:
    """Merge and validate.

    Args:
        flags: field name -> value, only those the user gave.
        yaml_file: settings below the flags in rank.

    Raises:
        ConfigError: unknown key (the nearest valid one is named), missing or invalid value; names flag or line.
    """
    values: dict[str, object] = {}
    origins = dict.fromkeys(schema.model_fields, "default")
    for name, value in (_unfolded(schema, yaml_file) if yaml_file else {}).items():
        key = known_key(schema, name, f"{yaml_file}: ")
        if origins[key] != "default":
            raise ConfigError(f"{yaml_file}: '{name}' sets {key} a second time; keep one of the two")
        values[key], origins[key] = value, f"file {yaml_file}"
    for key, value in flags.items():
        values[key], origins[key] = value, "flag"
    try:
        return Loaded(schema.model_validate(values), origins)
    except ValidationError as error:
        raise ConfigError(_first_message(schema, error, origins)) from error


def read_yaml(path: Path) -> dict[str, object]:
    """Read a mapping of settings.

    Raises:
        ConfigError: no such file, not YAML (line and column are named), or not a mapping.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"{path} is not valid YAML: {reason}") from error
    if content is None:
        return {}
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise ConfigError(f"{path} must be a mapping of settings such as 'cycles: 5'")
    return content


def fitting_schemas(path: Path) -> list[str]:
    """Return the commands whose schema knows every key of the file, for `config validate`.

    Raises:
        ConfigError: no command knows all of them; the text names the nearest key of the closest command.
    """
    names = read_yaml(path)
    # Those of the domains know the same keys as the command they are made of.
    schemas = {command: schema for command, schema in SCHEMAS.items() if not _is_variant(schema)}
    unknown = {command: [n for n in names if schema.key_for(n) is None] for command, schema in schemas.items()}
    fitting = [command for command, missing in unknown.items() if not missing]
    if not fitting:
        closest = min(
            unknown,
            key=lambda command: (len(unknown[command]), _nearest(SCHEMAS[command], unknown[command][0]) is None),
        )
        known_key(SCHEMAS[closest], unknown[closest][0], f"{path} (read as {closest}): ")
    return fitting


def _is_variant(schema: type[CommandConfig]) -> bool:
    return any(schema is not other and issubclass(schema, other) for other in SCHEMAS.values())


def config_hash(config: CommandConfig) -> str:
    """Hash of the settings a run must not change when it is continued (those not marked resumable)."""
    fixed = {key for key, field in type(config).model_fields.items() if not presentation(field).resumable}
    return sha256(config.model_dump_json(include=fixed).encode()).hexdigest()


def _unfolded(schema: type[CommandConfig], path: Path) -> dict[str, object]:
    values = read_yaml(path)
    try:
        return schema.unfolded(values)
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from error


def known_key(schema: type[CommandConfig], name: str, where: str) -> str:
    """Return the field that a name stands for.

    Raises:
        ConfigError: no such field; the text begins with `where` and names the nearest one.
    """
    key = schema.key_for(name)
    if key is not None:
        return key
    nearest = _nearest(schema, name)
    hint = f"did you mean '{nearest}'?" if nearest else "known keys: " + ", ".join(sorted(_names(schema)))
    raise ConfigError(f"{where}unknown setting '{name}'; {hint}")


def _nearest(schema: type[CommandConfig], name: str) -> str | None:
    return next(iter(get_close_matches(name, _names(schema), n=1)), None)


def _names(schema: type[CommandConfig]) -> list[str]:
    return [*schema.model_fields, *(a for f in schema.model_fields.values() for a in presentation(f).aliases)]


def _first_message(schema: type[CommandConfig], error: ValidationError, origins: Mapping[str, str]) -> str:
    first = error.errors()[0]
    message = first["msg"].removeprefix("Value error, ")
    if not first["loc"]:
        return message
    key = str(first["loc"][0])
    flag = "--" + key.replace("_", "-")
    if first["type"] == "missing":
        field = schema.model_fields[key]
        return f"{flag} is required: {field.description}"
    origin = origins.get(key, "default")
    named = flag if origin in ("flag", "default") else f"{origin.removeprefix('file ')}: {key}"
    return f"{named}: {message}, but it is {first['input']!r}"
