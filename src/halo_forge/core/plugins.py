"""Finding verifiers and datasets by name: entry points, for the built-in ones as for anybody's.

A verifier's entry point (group `halo_forge.verifiers`) names a small pydantic config class. Importing it must be cheap;
its `build()` imports the runtime and checks that the machine has what it needs.
"""

from __future__ import annotations

from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points

from pydantic import BaseModel, ConfigDict

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
    from pydantic import ValidationError

    schema = find(VERIFIERS, name, what="verifier").load()
    if not (isinstance(schema, type) and issubclass(schema, VerifierConfig)):
        raise ConfigError(f"the entry point of verifier '{name}' is not a VerifierConfig but {schema!r}")
    try:
        return schema.model_validate(options)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "options"
        allowed = ", ".join(schema.model_fields) or "none"
        raise ConfigError(f"verifier '{name}', option '{key}': {first['msg']} (options it has: {allowed})") from error
