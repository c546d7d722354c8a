"""How every plot looks, and how one figure becomes a PNG file and an SVG drawing that follows the page's colours."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDE, HALF = 7.4, 3.6
DPI = 200


@dataclass(frozen=True)
class Colour:
    """A colour by its role: the name of the page's variable and its value on light and on dark ground."""

    name: str
    light: str
    dark: str
    pale: bool = False

    @property
    def ink(self) -> Colour:
        """The colour of words on it, on either ground."""
        return DARK_INK if self.pale else PALE_INK


INK = Colour("ink", "#1b1f24", "#e8eaed")
MUTED = Colour("muted", "#59626d", "#a3acb7")
RULE = Colour("rule", "#dfe3e8", "#353b43")
GROUND = Colour("ground", "#ffffff", "#15181c")
BLUE = Colour("blue", "#0067b0", "#5cb3f2")
ORANGE = Colour("orange", "#bf4a00", "#f59651")
GREEN = Colour("green", "#007457", "#3cc9a0")
PURPLE = Colour("purple", "#98467f", "#e29acb")
GREY = Colour("grey", "#929ca7", "#8b95a0", pale=True)
EARLY = Colour("early", "#8c3b04", "#c4672c")
MIDDLE = Colour("middle", "#d97a1c", "#e39a4e", pale=True)
LATE = Colour("late", "#eda84f", "#f0c07f", pale=True)
LAST = Colour("last", "#f3d9a4", "#f5e2ba", pale=True)
DARK_INK = Colour("dark-ink", "#1b1f23", "#15181b")
PALE_INK = Colour("pale-ink", "#fefefe", "#0f1214")
PALETTE = (INK, MUTED, RULE, GROUND, BLUE, ORANGE, GREEN, PURPLE, GREY, EARLY, MIDDLE, LATE, LAST, DARK_INK, PALE_INK)

_BY_VALUE = {colour.light: colour.name for colour in PALETTE}
_RC = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": INK.light,
    "text.parse_math": False,
    "axes.edgecolor": RULE.light,
    "axes.labelcolor": MUTED.light,
    "axes.labelsize": 8.5,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlepad": 8,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": RULE.light,
    "grid.linewidth": 0.7,
    "xtick.color": MUTED.light,
    "ytick.color": MUTED.light,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "figure.constrained_layout.h_pad": 0.06,
    "figure.constrained_layout.w_pad": 0.06,
    "figure.constrained_layout.wspace": 0.06,
    "svg.fonttype": "none",
    "savefig.facecolor": GROUND.light,
}


@contextmanager
def canvas(width: float, height: float) -> Iterator[Figure]:
    """Give an empty figure (inches) in the house style; no display and no global figure list is involved."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_RC):
        yield Figure(figsize=(width, height), layout="constrained")


def publish(figure: Figure, path: Path) -> Markup:
    """Write the figure as `path` (PNG) and return the same drawing as SVG for the page.

    Must be called inside the `canvas` block, whose style still applies when it is drawn.
    """
    import matplotlib

    matplotlib.rcParams["svg.hashsalt"] = path.stem
    with warnings.catch_warnings():
        # A label in a script that the bundled font lacks shows boxes in the PNG; the page uses the reader's fonts.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        partial = path.with_name(path.name + ".partial")
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(partial, format="png", dpi=DPI)
        partial.replace(path)
        drawing = BytesIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(drawing, format="svg", transparent=True, metadata=nothing)
    return _follow_page(drawing.getvalue().decode())


def _follow_page(svg: str) -> Markup:
    """Keep the drawing only; take fonts and colours from the page it stands in."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<style.*?</style>|<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    svg = re.sub(r' (?:width|height)="[\d.]+pt"| version="1.1"', "", svg)
    svg = re.sub(r"font-family: [^;\"]*;? ?", "", svg)
    svg = re.sub(
        r"((?:fill|stroke): )(#[0-9a-f]{6})",
        lambda m: f"{m[1]}var(--{_BY_VALUE[m[2]]})" if m[2] in _BY_VALUE else m[0],
        svg,
    )
    return Markup(re.sub(r"\n\s*", " ", svg).replace("<svg", '<svg aria-hidden="true" focusable="false"', 1))


def label_ends(axes: Axes, ends: Sequence[tuple[float, float, str, Colour]], gap: float) -> None:
    """Write each line's name at its right end, moved apart where they would meet.

    Args:
        ends: x, y, name and colour of each line's last point.
        gap: least distance between two names, in data units.
    """
    floor = float("-inf")
    for x, y, name, colour in sorted(ends, key=lambda end: end[1]):
        floor = max(y, floor + gap)
        axes.annotate(
            name,
            (x, floor),
            xytext=(9, 0),
            textcoords="offset points",
            va="center",
            color=colour.light,
            fontweight="bold",
            fontsize=8.5,
            annotation_clip=False,
        )


def key_above(axes: Axes, entries: Sequence[tuple[str, Colour]]) -> None:
    """Name the colours of stacked bars in one row above them."""
    from matplotlib.patches import Patch

    axes.legend(
        handles=[Patch(facecolor=colour.light, label=label) for label, colour in entries],
        loc="lower left",
        bbox_to_anchor=(0, 1.0),
        ncols=len(entries),
        handlelength=0.9,
        handleheight=0.9,
        columnspacing=1.4,
        borderaxespad=0.2,
        handletextpad=0.5,
        borderpad=0,
    )


def as_percent(axes: Axes, axis: str = "y", top: float = 1.0, ticks: int = 5) -> None:
    """Count an axis in per cent from 0 on.

    Args:
        top: end of the axis, as a share; no tick stands above 1.
        ticks: about how many steps.
    """
    from matplotlib.ticker import MaxNLocator

    line = axes.yaxis if axis == "y" else axes.xaxis
    places = MaxNLocator(ticks, steps=[1, 2, 2.5, 5, 10]).tick_values(0, min(top, 1.0))
    whole = min(top, 1.0) >= 0.1
    shown = [float(place) for place in places if place <= min(top, 1.0) + 1e-9]
    line.set_ticks(shown, [f"{place:.0%}" if whole else f"{place:.1%}" for place in shown])
    if axis == "y":
        axes.set_ylim(0, top)
    else:
        axes.set_xlim(0, top)


def name_rows(axes: Axes, names: Sequence[str]) -> None:
    """Name horizontal rows 0, 1, … from the top down."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", labelcolor=INK.light, pad=8)
    axes.grid(axis="y", visible=False)


def evenly(count: int, most: int) -> list[int]:
    """Return at most `most` of the numbers below `count`, evenly spaced, the first and the last among them."""
    if count <= most:
        return list(range(count))
    return sorted({round(i * (count - 1) / (most - 1)) for i in range(most)})
