"""What is wrong with a form: every problem at once, each beside the field that it is about."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from halo_forge.config.options import CommandConfig
from halo_forge.config.shared import VerifierChoice
from halo_forge.core.errors import ConfigError
from halo_forge.core.plugins import verifier_config
from halo_forge.web.forms import input_of, value_of

WHOLE_FORM = ""
REQUIRED = "Required"
FLAG = re.compile(r"--([a-z][a-z0-9-]*)")
STAND_IN = "x"
ROUNDS = 8


@dataclass(frozen=True)
class Checked:
    """What became of the values of a form.

    Args:
        config: the settings, if they are valid.
        values: field -> value, of those that were given.
        problems: field -> what is wrong with it; under `WHOLE_FORM` what is about none in particular.
    """

    config: CommandConfig | None
    values: dict[str, object]
    problems: dict[str, str]


def check(schema: type[CommandConfig], texts: Mapping[str, str]) -> Checked:
    """Validate what was typed; an empty text leaves a setting at its default."""
    values: dict[str, object] = {}
    problems: dict[str, str] = {}
    for name, text in texts.items():
        if name not in schema.model_fields:
            problems[WHOLE_FORM] = f"there is no setting '{name}'"
        elif text.strip():
            try:
                values[name] = value_of(input_of(name, schema.model_fields[name]).kind, text)
            except ValueError as error:
                problems[name] = str(error)
    return _validate(schema, values, problems)


def check_values(schema: type[CommandConfig], values: Mapping[str, object]) -> Checked:
    """Validate values as a file holds them."""
    return _validate(schema, dict(values), {})


def needs(schema: type[CommandConfig]) -> dict[str, tuple[str, ...]]:
    """Return what an empty form still needs: setting -> the settings that may stand in its place."""
    problems = check_values(schema, {}).problems
    return {
        key: () if said == REQUIRED else tuple(other for other in problems if other != key and problems[other] == said)
        for key, said in problems.items()
        if key != WHOLE_FORM
    }


def _validate(schema: type[CommandConfig], values: dict[str, object], problems: dict[str, str]) -> Checked:
    given = {key: value for key, value in values.items() if key not in problems}
    try:
        config = schema.model_validate(given)
    except ValidationError:
        return Checked(None, values, {**_problems(schema, given), **problems})
    problems = {**_about_verifier(config), **problems}
    return Checked(None if problems else config, values, problems)


def _about_verifier(config: CommandConfig) -> dict[str, str]:
    """What is wrong with a verifier's name or its own options, which the schema of a command does not know."""
    if not isinstance(config, VerifierChoice):
        return {}
    try:
        verifier_config(config.verifier, dict(config.verifier_options))
    except ConfigError as error:
        said = str(error)
        unknown = said.startswith("unknown verifier")
        return {"verifier" if unknown else "verifier_options": said[:1].upper() + said[1:]}
    return {}


def _problems(schema: type[CommandConfig], given: dict[str, object]) -> dict[str, str]:
    """Find every problem.

    What settings demand of each other is looked at only once each is well by itself, and one demand at a time. So what
    is wrong is put right with something that stands in for it, until nothing is left to say.
    """
    found: dict[str, str] = {}
    trial = dict(given)
    for _ in range(ROUNDS):
        try:
            schema.model_validate(trial)
            break
        except ValidationError as error:
            errors = error.errors()
        before = dict(trial)
        for one in errors:
            message = REQUIRED if one["type"] == "missing" else one["msg"].removeprefix("Value error, ")
            message = message[:1].upper() + message[1:]
            if one["loc"]:
                key = str(one["loc"][0])
                found.setdefault(key, message)
                if trial.pop(key, None) is None:
                    trial[key] = STAND_IN
                continue
            named = _settings_in(schema, message)
            for key in named or (WHOLE_FORM,):
                found.setdefault(key, message)
            free = [key for key in named if trial.get(key) is None]
            if free:
                trial[free[0]] = STAND_IN
        if trial == before:
            break
    return found


def _settings_in(schema: type[CommandConfig], message: str) -> tuple[str, ...]:
    """The settings that a message is about: those named before it goes on to say what to do."""
    about = re.split(r"[:;]", message, maxsplit=1)[0]
    keys = (flag.replace("-", "_") for flag in FLAG.findall(about))
    return tuple(dict.fromkeys(key for key in keys if key in schema.model_fields))
