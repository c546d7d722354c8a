"""Reading typed columns out of a row; null counts as absent, since tables of mixed rows fill gaps with it."""

from __future__ import annotations

from halo_forge.core.errors import DataError
from halo_forge.data.jsonl import JsonObject, json_type


def text_field(values: JsonObject, key: str) -> str | None:
    """Return a text column, or None where it is absent.

    Raises:
        DataError: it holds something else.
    """
    value = values.get(key)
    if value is None or isinstance(value, str):
        return value
    raise DataError(f"{key!r} must be a text, not {json_type(value)}")


def texts_field(values: JsonObject, key: str) -> tuple[str, ...]:
    """Return a column that lists non-empty texts; () where it is absent.

    Raises:
        DataError: it is not a list, or an item is not a text or is blank.
    """
    value = values.get(key)
    if value is None:
        return ()
    if not isinstance(value, list):
        raise DataError(f"{key!r} must be a list of texts, not {json_type(value)}")
    texts = tuple(item for item in value if isinstance(item, str) and item.strip())
    if len(texts) < len(value):
        raise DataError(f"{key!r} must list texts that are not blank")
    return texts


def source_field(values: JsonObject, key: str) -> str:
    """Return a column of source code, given as one text or as a list of lines; "" where it is absent.

    Raises:
        DataError: it is neither.
    """
    if isinstance(values.get(key), list):
        return "\n".join(texts_field(values, key))
    return text_field(values, key) or ""


def id_field(values: JsonObject) -> str | None:
    """Return the row's `id`, else its `task_id`, as a text; None where there is neither.

    Raises:
        DataError: it is neither a text nor an integer, or it is blank.
    """
    for key in ("id", "task_id"):
        value = values.get(key)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, (str, int)) or not str(value).strip():
            raise DataError(f"{key!r} must be an integer or a text that is not blank, but it is {shortened(value)}")
        return str(value)
    return None


def has(values: JsonObject, *keys: str) -> bool:
    """Whether every one of these columns is there and not null."""
    return all(values.get(key) is not None for key in keys)


def known_keys(values: JsonObject) -> str:
    """List the row's columns for an error text."""
    return ", ".join(shortened(key) for key in list(values)[:12]) or "none"


def shortened(value: object) -> str:
    """Show a value on one line, cut after 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
