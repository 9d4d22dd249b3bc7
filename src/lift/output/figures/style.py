"""The look of the figures, and their text as SVG."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from lift.output import wording

PALETTE: Mapping[str, str] = {
    "paper": "#fdfdfc",
    "ink": "#1c2126",
    "muted": "#6b737b",
    "rule": "#dcdfe2",
    "observed": "#22272d",
    "without": "#2f6fb3",
    "band": "#bfd5ec",
    "effect": "#b4541a",
    "effect_band": "#f1d3bf",
    "truth": "#1f8a63",
}
"""Every colour that a figure uses, by the part that it plays."""

WIDTH_INCHES = 8.2
"""Width of a figure: with 9 pt text it reads well in a column of 700 to 900 pixels."""

MAX_LABEL = 28
"""Letters of a name in a figure; the tables hold the whole name."""

_STYLE: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9.0,
    "text.color": PALETTE["ink"],
    "text.parse_math": False,
    "axes.edgecolor": PALETTE["muted"],
    "axes.labelcolor": PALETTE["ink"],
    "axes.facecolor": "none",
    "axes.titlesize": 9.0,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.unicode_minus": True,
    "grid.color": PALETTE["rule"],
    "grid.linewidth": 0.7,
    "xtick.color": PALETTE["muted"],
    "ytick.color": PALETTE["muted"],
    "xtick.labelcolor": PALETTE["ink"],
    "ytick.labelcolor": PALETTE["ink"],
    "legend.frameon": False,
    "figure.facecolor": PALETTE["paper"],
    "savefig.facecolor": PALETTE["paper"],
    "svg.fonttype": "none",
    "path.simplify": True,
}


@contextmanager
def drawing(**settings: Any) -> Iterator[None]:
    """Draw with lift's settings, whatever the user's own are; leave those as they were."""
    with mpl.rc_context(), warnings.catch_warnings():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE | dict(settings))
        # SVG text is set by the reader's fonts: a letter that is absent here may be there.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support")
        yield


def to_svg(figure: Figure, name: str, *, outlines: bool = False) -> str:
    """Return a figure as SVG text: the same bytes for the same figure, no date, text as text.

    Parameters
    ----------
    figure : Figure
    name : str
        Put before every identifier, so that several figures can stand in one page.
    outlines : bool
        Draw the letters and no background, for a page that is set by itself.

    Returns
    -------
    str
        An SVG document that ends in a line feed.
    """
    text = io.StringIO()
    page = {"svg.fonttype": "path", "savefig.facecolor": "none"} if outlines else {}
    with drawing(**{"svg.hashsalt": f"lift-{name}"}, **page):
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # laid out once: drawing again would move it by a hair
        nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
        figure.savefig(text, format="svg", metadata=nothing)
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", text.getvalue(), flags=re.DOTALL)
    svg = re.sub(r"<!DOCTYPE.*?>\s*", "", svg, count=1, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = svg.replace("url(#", f"url(#{name}-").replace('href="#', f'href="#{name}-')
    svg = svg.replace("'DejaVu Sans'", "system-ui, 'DejaVu Sans'")
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


def inline(svg: str, label: str) -> str:
    """Return an SVG document as an element for a page whose style sets its colours.

    Each colour of :data:`PALETTE` becomes a style variable of the page (``--fig-ink`` and so on)
    with the colour itself as fallback.

    Parameters
    ----------
    svg : str
        As :func:`to_svg` returns it.
    label : str
        What the figure shows, for those who cannot see it; it must be escaped for HTML.

    Returns
    -------
    str
        An ``<svg>`` element without fixed size.
    """
    start = svg.index("<svg")
    head_end = svg.index(">", start)
    view = re.search(r'viewBox="[^"]*"', svg[start:head_end])
    box = view.group(0) if view else ""
    head = (
        f'<svg {box} role="img" aria-label="{label}" xmlns="http://www.w3.org/2000/svg" '
        'xmlns:xlink="http://www.w3.org/1999/xlink" '
        'style="stroke-linejoin: round; stroke-linecap: butt">'
    )
    body = re.sub(r"<style.*?</style>", "", svg[head_end + 1 :], count=1, flags=re.DOTALL)
    for part, colour in PALETTE.items():
        body = body.replace(colour, f"var(--fig-{part.replace('_', '-')}, {colour})")
    return head + body.rstrip()


def counts(axes: Axes) -> None:
    """Write counts on the vertical axis in short form, with a quiet grid."""
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: wording.short(value)))
    axes.grid(axis="y")
    axes.set_axisbelow(True)


def dates(axes: Axes) -> None:
    """Write dates on the horizontal axis, short."""
    locator = AutoDateLocator(minticks=4, maxticks=9)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.margins(x=0.01)


def elided(name: object, letters: int = MAX_LABEL) -> str:
    """Return a name in one line and in at most so many letters."""
    text = wording.name(name)
    return text if len(text) <= letters else text[: letters - 1] + "\N{HORIZONTAL ELLIPSIS}"


def interval_of(table: pd.DataFrame) -> str:
    """Return what the lines of a table of effects are: its interval with its probability."""
    return (
        f"{wording.level(float(table['prob'].iloc[0]))} interval" if "prob" in table else "interval"
    )


def days(dates: pd.Series) -> list[float]:
    """Return dates as matplotlib counts them."""
    return [float(number) for number in date2num(pd.to_datetime(dates).to_numpy())]
