"""What `--dry-run` shows: that everything needed is there, and how much work it would be."""

from __future__ import annotations

from typing import NamedTuple


class Plan(NamedTuple):
    """Lines of name and value, for a person."""

    lines: tuple[tuple[str, str], ...]
