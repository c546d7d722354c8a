"""Finding verifiers and datasets by name: entry points, for the built-in ones as for anybody's.

A verifier's entry point (group `halo_forge.verifiers`) names a small pydantic config class. Importing it must be cheap;
its `build()` imports the runtime and checks that the machine has what it needs.
"""

from __future__ import annotations

from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points

from pydantic import BaseModel, ConfigDict, ValidationError

from halo_forge.core.errors import ConfigError
from halo_forge.core.protocols import Sandbox, Verifier

VERIFIERS = "halo_forge.verifiers"
DATASETS = "halo_forge.datasets"


class VerifierConfig(BaseModel):
    """Base of every verifier's settings; its docstring's first line is the verifier's description."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def build(self, sandbox: Sandbox, workers: int) -> Verifier:
        """Make the verifier.

        Args:
            sandbox: where untrusted programs run.
            workers: programs checked at the same time.

        Raises:
            EnvironmentFault: the toolchain is missing; the text says what to install.
        """
        raise TypeError(f"{type(self).__name__} does not define build()")

    def check(self, sandbox: Sandbox) -> None:
        """Look whether the verifier can be made here; where making takes long the first time, without doing that.

        Raises:
            EnvironmentFault: as for `build`.
        """
        self.build(sandbox, workers=1).close()


def find(group: str, name: str, *, what: str) -> EntryPoint:
    """Return the entry point of that name.

    Raises:
        ConfigError: there is none; the text lists those that exist.
    """
    found = {entry.name: entry for entry in entry_points(group=group)}
    if name in found:
        return found[name]
    close = get_close_matches(name, found, n=1)
    hint = f"did you mean '{close[0]}'? " if close else ""
    raise ConfigError(f"unknown {what} '{name}': {hint}choose one of {', '.join(sorted(found))}")


def verifier_config(name: str, options: dict[str, object]) -> VerifierConfig:
    """Validate a verifier's own options.

    Raises:
        ConfigError: unknown verifier or option, or a value out of range.
    """
    schema = find(VERIFIERS, name, what="verifier").load()
    if not (isinstance(schema, type) and issubclass(schema, VerifierConfig)):
        raise ConfigError(f"the entry point of verifier '{name}' is not a VerifierConfig but {schema!r}")
    try:
        return schema.model_validate(options)
    except ValidationError as error:
        raise ConfigError(f"verifier '{name}'{_first_complaint(schema, error)}") from error


def _first_complaint(schema: type[VerifierConfig], error: ValidationError) -> str:
    first = error.errors()[0]
    inner = first.get("ctx", {}).get("error")
    if isinstance(inner, ConfigError):  # about the options of a verifier that this one uses
        return f": {inner}"
    key = ".".join(str(part) for part in first["loc"])
    if len(first["loc"]) == 1 and first["type"] == "missing":
        return f" needs --verifier-option {key}=…"
    if len(first["loc"]) == 1 and first["type"] == "extra_forbidden":
        close = get_close_matches(key, schema.model_fields, n=1)
        hint = f"did you mean '{close[0]}'? " if close else ""
        return f" has no option '{key}': {hint}it has {', '.join(schema.model_fields) or 'none'}"
    text = first["msg"] if inner is None else str(inner)
    return f", option '{key}': {text}" if key else f": {text}"
