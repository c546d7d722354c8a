"""Figures as a page shows them."""

from __future__ import annotations

import time

from halo_forge.core.words import NONE


def age(then: float | None, now: float | None = None) -> str:
    """How long ago, such as `3 min ago`."""
    if then is None:
        return NONE
    seconds = max(0, (time.time() if now is None else now) - then)
    for length, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= length:
            return f"{int(seconds // length)} {unit} ago"
    return "just now"


def clock(then: float | None) -> str:
    """A moment in UTC, to the minute."""
    try:
        return NONE if then is None else time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(then))
    except (OverflowError, ValueError, OSError):  # a run folder may say anything
        return NONE


def size(count: float | None) -> str:
    """Bytes in a person's unit."""
    if count is None:
        return NONE
    for unit in ("B", "KB", "MB", "GB"):
        if abs(count) < 1_000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1_000
    return f"{count:.1f} TB"


def pretty(value: object) -> str:
    """A setting's value without Python's quotes."""
    if value is None:
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(pretty(item) for item in value) or NONE
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


def short(model: str) -> str:
    """A model as a list names it: of a folder the last two parts."""
    parts = model.rstrip("/").split("/")
    return "/".join(parts[-2:]) if model.startswith("/") and len(parts) > 3 else model
