"""How a schema's field says what its flag looks like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo


@dataclass(frozen=True)
class Presentation:
    """What a field shows besides its type and range.

    Args:
        section: heading it stands under in `--help` and in `config.yaml`.
        aliases: other names the flag and the YAML key may have.
        resumable: whether a run may be continued with another value.
        file_only: whether it has no flag, as a list of mappings can hardly be typed.
    """

    section: str
    aliases: tuple[str, ...] = ()
    resumable: bool = False
    file_only: bool = False


def option(
    default: Any,
    help: str,
    *,
    section: str,
    aliases: tuple[str, ...] = (),
    resumable: bool = False,
    file_only: bool = False,
    **limits: Any,
) -> Any:
    """Declare one setting: `default` of `...` makes it required; `limits` are pydantic's (`ge`, `le`, `gt`, `lt`)."""
    field: FieldInfo = Field(default, description=help, **limits)
    field.metadata.append(Presentation(section, aliases, resumable, file_only))
    return field


def presentation(field: FieldInfo) -> Presentation:
    """Return what `option` attached to the field."""
    return next(item for item in field.metadata if isinstance(item, Presentation))


class CommandConfig(BaseModel):
    """Base of every command's schema."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    @classmethod
    def key_for(cls, name: str) -> str | None:
        """Return the field that a YAML key or flag name stands for, or None."""
        if name in cls.model_fields:
            return name
        for key, field in cls.model_fields.items():
            if name in presentation(field).aliases:
                return key
        return None

    @classmethod
    def unfolded(cls, values: dict[str, object]) -> dict[str, object]:
        """Rewrite what a file says in a short form into settings.

        Raises:
            ValueError: it says one thing twice.
        """
        return values
