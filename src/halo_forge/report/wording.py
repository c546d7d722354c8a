"""Figures and foreign text as a reader wants to see them."""

from __future__ import annotations

import re
import time

from halo_forge.core.words import NONE, count, percent
from halo_forge.rollout.metrics import Estimate

TEXT_LIMIT = 4_000
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)


def number(value: float | None, digits: int = 2) -> str:
    """Return a figure with a fixed number of decimals."""
    return NONE if value is None else f"{value:.{digits}f}"


def span(estimate: Estimate) -> str:
    """Return the interval alone, `14.0–29.1%`."""
    if estimate.ci95 is None:
        return NONE
    return f"{estimate.ci95[0] * 100:.1f}–{estimate.ci95[1]:.1%}"


def with_interval(estimate: Estimate | None) -> str:
    """Return `21.3% (14.0–29.1%)`."""
    if estimate is None or estimate.value is None:
        return NONE
    return f"{percent(estimate.value)} ({span(estimate)})" if estimate.ci95 else percent(estimate.value)


def no_width(estimate: Estimate | None, prompts: int) -> tuple[str, ...]:
    """Say what an interval without width means; nothing if it has one.

    When none of n prompts shows an outcome, its true rate may still be up to about 3/n with 95% confidence
    (rule of three, Hanley and Lippman-Hand, JAMA 1983).
    """
    if estimate is None or estimate.ci95 is None or estimate.value not in (0.0, 1.0) or not prompts:
        return ()
    bound = min(1.0, 3 / prompts)
    side = f"up to {bound:.0%}" if estimate.value == 0 else f"down to {1 - bound:.0%}"
    return (
        f"Every prompt came out alike, so the interval has no width; with {count(prompts, 'prompt')} "
        f"a rate {side} is compatible with that.",
    )


def points(estimate: Estimate) -> str:
    """Return a difference of two shares, `+13.2 points (95% interval +5.1 to +21.0)`."""
    if estimate.value is None:
        return NONE
    text = f"{estimate.value * 100:+.1f} points"
    if estimate.ci95 is None:
        return text
    return f"{text} (95% interval {estimate.ci95[0] * 100:+.1f} to {estimate.ci95[1] * 100:+.1f})"


def moment(t: float) -> str:
    """Return seconds since 1970 as date and time, UTC."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(t))


def visible(text: str) -> str:
    """Write out the characters that hide or reorder text: controls, bidirectional overrides, lone surrogates."""
    return _HIDDEN.sub(lambda found: f"\\u{ord(found.group()):04x}", text.replace("\r\n", "\n"))


def cut(text: str, where: str, limit: int = TEXT_LIMIT) -> tuple[str, str]:
    """Return the text, made visible and at most `limit` characters long, and a note if it was longer.

    Args:
        where: the file that holds the whole text.
    """
    if len(text) <= limit:
        return visible(text), ""
    return visible(text[:limit]), f"Cut after {limit:,} of {len(text):,} characters; the whole text is in {where}."


def shorten(text: str, limit: int = 28) -> str:
    """Return one line of at most `limit` characters, for a label."""
    line = " ".join(visible(text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
