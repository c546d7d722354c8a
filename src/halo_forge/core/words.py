"""Figures in the words a person reads, the same on the terminal and on a page."""

from __future__ import annotations

NONE = "–"


def percent(value: float | None) -> str:
    """Write a share of 0 to 1, such as `37.5%`."""
    return NONE if value is None else f"{value:.1%}"


def count(value: int, noun: str, plural: str | None = None) -> str:
    """Write `1 prompt` or `1,200 prompts`."""
    return f"{value:,} {noun if value == 1 else plural or noun + 's'}"


def duration(seconds: float | None) -> str:
    """Write seconds as `0.4 s`, `12 s`, `3 min 20 s`, `2 h 05 min` or `3 days 04 h`."""
    if seconds is None:
        return NONE
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 48 * 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86_400} days {whole % 86_400 // 3600:02d} h"


def one_line(error: BaseException, chars: int = 300) -> str:
    """Write what an error says in one line of so many characters at most."""
    return " ".join(str(error).split())[:chars]
