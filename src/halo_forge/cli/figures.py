"""How numbers are written for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from halo_forge.core.words import NONE, percent

if TYPE_CHECKING:
    from halo_forge.rollout.metrics import Estimate


def percent_interval(estimate: Estimate | None) -> str:
    """Write a share with its 95% interval, such as `37.5%  [31.0, 44.1]`."""
    if estimate is None or estimate.value is None:
        return NONE
    if estimate.ci95 is None:
        return percent(estimate.value)
    low, high = estimate.ci95
    return f"{percent(estimate.value)}  [{100 * low:.1f}, {100 * high:.1f}]"


def points_interval(difference: Estimate | None) -> str:
    """Write a difference of two shares in percentage points, such as `+12.3  [+8.1, +16.4]`."""
    if difference is None or difference.value is None:
        return NONE
    points = f"{100 * difference.value:+.1f}"
    if difference.ci95 is None:
        return points
    low, high = difference.ci95
    return f"{points}  [{100 * low:+.1f}, {100 * high:+.1f}]"


def mean_interval(estimate: Estimate) -> str:
    """Write a mean with its 95% interval, such as `0.412  [0.380, 0.444]`."""
    if estimate.value is None:
        return NONE
    if estimate.ci95 is None:
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f}  [{estimate.ci95[0]:.3f}, {estimate.ci95[1]:.3f}]"


def number(value: float | None, unit: str = "") -> str:
    """Write a number with about three significant digits and thousands apart."""
    if value is None:
        return NONE
    if value == int(value) or abs(value) >= 100:
        text = f"{value:,.0f}"
    elif abs(value) >= 0.001:
        text = f"{value:.3g}"
    else:
        text = f"{value:.1e}"
    return f"{text} {unit}" if unit else text
