"""Figures of a run: matplotlib figures made of plain tables, and their text as SVG.

Every figure is drawn from data frames alone, with the object interface of matplotlib. Colours are
taken from :data:`PALETTE` only, so that a page may replace them by its own (see :func:`inline`).
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import ceil, isfinite

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from lift.output.numbers import short

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

MAX_PANELS = 24
"""Posts that :func:`post_panels` shows at most: six rows of four."""

MAX_LABEL = 28
"""Letters of a name in a figure; the tables hold the whole name."""

LOG_RATIO = 12.0
"""Largest over smallest observed count from which a curve gets a logarithmic axis."""

_STYLE = {
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
def _drawing(**settings: str) -> Iterator[None]:
    """Draw with lift's settings, whatever the user's own are; leave those as they were."""
    with mpl.rc_context(), warnings.catch_warnings():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE | settings)
        # SVG text is set by the reader's fonts, so a letter that is absent here is not absent there.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support")
        yield


def campaign_curve(
    curve: pd.DataFrame,
    cumulative: pd.DataFrame,
    posts: pd.DataFrame,
    *,
    prob: float = 0.95,
    truth: float | None = None,
) -> Figure:
    """Return observed downloads against the curve without the campaign, and their running gap.

    Parameters
    ----------
    curve : DataFrame
        Columns ``date, observed, mean, lower, upper``: downloads per day; NaN is not observed.
    cumulative : DataFrame
        Columns ``date, mean, lower, upper``: incremental downloads since the first post.
    posts : DataFrame
        Columns ``post, date``: marks along the time axis.
    prob : float
        Probability of the interval, for the legend.
    truth : float, optional
        The true total of a simulated campaign.

    Returns
    -------
    Figure
        Two panels on one time axis.
    """
    with _drawing():
        figure = Figure(figsize=(WIDTH_INCHES, 5.4), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[1.55, 1.0])
        handles = _curves(upper, curve, prob, with_log=True)
        handles = [*handles, _mark_posts(upper, posts)]
        figure.legend(handles=handles, loc="outside upper left", ncols=4, borderaxespad=0.0)

        days = cumulative["date"].to_numpy()
        lower.fill_between(
            days,
            cumulative["lower"].to_numpy(),
            cumulative["upper"].to_numpy(),
            color=PALETTE["effect_band"],
            linewidth=0,
        )
        lower.plot(days, cumulative["mean"].to_numpy(), color=PALETTE["effect"], linewidth=1.6)
        lower.axhline(0.0, color=PALETTE["muted"], linewidth=0.8)
        if truth is not None:
            lower.axhline(truth, color=PALETTE["truth"], linewidth=1.2, linestyle=(0, (5, 3)))
            lower.annotate(
                f"truth {short(truth)}",
                (0.0, truth),
                xycoords=("axes fraction", "data"),
                xytext=(3, 3),
                textcoords="offset points",
                color=PALETTE["truth"],
            )
        for date in pd.to_datetime(posts["date"]):
            lower.axvline(date, color=PALETTE["effect"], linewidth=0.6, alpha=0.45, zorder=0)
        lower.set_title("Incremental downloads, running total")
        _counts(lower)
        _dates(lower)
        return figure


def post_forest(
    table: pd.DataFrame, *, truth: Mapping[str, float] | None = None, heading: str = "post"
) -> Figure:
    """Return one line per unit: its interval and its mean, and the truth where it is known.

    Parameters
    ----------
    table : DataFrame
        Rows of ``Effects.table``: ``unit, mean, lower, upper, note`` are used.
    truth : mapping of unit to downloads, optional
    heading : str
        What a unit is, for the axis.

    Returns
    -------
    Figure
        As tall as its rows need.
    """
    truth = truth or {}
    with _drawing():
        n = len(table)
        figure = Figure(figsize=(WIDTH_INCHES, 1.1 + 0.27 * max(n, 1)), layout="constrained")
        axes = figure.subplots()
        rows = np.arange(n)[::-1]
        axes.axvline(0.0, color=PALETTE["muted"], linewidth=0.8)
        for row, unit in zip(rows, table.itertuples(index=False), strict=True):
            informed = "only prior" not in str(unit.note)
            axes.plot(
                [unit.lower, unit.upper],
                [row, row],
                color=PALETTE["effect"],
                linewidth=2.2 if informed else 1.2,
                linestyle="-" if informed else (0, (2, 1.5)),
                solid_capstyle="round",
                zorder=2,
            )
            axes.plot(
                unit.mean,
                row,
                marker="o",
                markersize=6,
                markeredgewidth=1.4,
                color=PALETTE["effect"],
                markerfacecolor=PALETTE["effect"] if informed else PALETTE["paper"],
                zorder=3,
            )
            if isfinite(value := truth.get(str(unit.unit), np.nan)):
                axes.plot(
                    value,
                    row,
                    marker="|",
                    markersize=13,
                    markeredgewidth=2.2,
                    color=PALETTE["truth"],
                    zorder=4,
                )
        axes.set_yticks(rows, [_elided(unit) for unit in table["unit"]])
        axes.set_ylim(-0.7, max(n, 1) - 0.3)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        axes.spines["left"].set_visible(False)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
        axes.set_xlabel("incremental downloads")
        if any(isfinite(truth.get(str(unit), np.nan)) for unit in table["unit"]):
            axes.plot([], [], "|", markersize=11, markeredgewidth=2.2, color=PALETTE["truth"])
            axes.legend(
                [axes.lines[-1]],
                ["truth (simulated data)"],
                loc="lower right",
                bbox_to_anchor=(1.0, 1.0),
                borderaxespad=0.0,
            )
        axes.set_title(f"Effect of each {heading}")
        return figure


def post_windows(table: pd.DataFrame) -> Figure:
    """Return the window of each unit as a bar in time, so that overlaps can be seen.

    Parameters
    ----------
    table : DataFrame
        Rows of ``Effects.table``: ``unit, start, end`` are used.

    Returns
    -------
    Figure
        Bars above, the number of open windows on each day below.
    """
    with _drawing():
        n = len(table)
        height = 0.17 * max(n, 1)
        figure = Figure(figsize=(WIDTH_INCHES, 1.7 + height), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[0.35 + height, 0.8])
        rows = np.arange(n)[::-1]
        start = pd.to_datetime(table["start"])
        stop = pd.to_datetime(table["end"]) + pd.Timedelta(days=1)
        for row, first, last in zip(rows, start, stop, strict=True):
            upper.plot(
                [first, last],
                [row, row],
                color=PALETTE["band"],
                linewidth=5.0,
                solid_capstyle="butt",
            )
            upper.plot(first, row, marker="|", markersize=7, color=PALETTE["without"])
        upper.set_yticks(rows, [_elided(unit) for unit in table["unit"]])
        upper.set_ylim(-0.8, max(n, 1) - 0.2)
        upper.tick_params(axis="y", length=0, labelsize=8.0)
        upper.spines["left"].set_visible(False)
        upper.set_title("Window of each post")
        days = pd.date_range(start.min(), stop.max(), freq="D")
        open_windows = [int(((start <= day) & (day < stop)).sum()) for day in days]
        lower.step(days, open_windows, where="post", color=PALETTE["without"], linewidth=1.3)
        lower.fill_between(days, open_windows, step="post", color=PALETTE["band"], linewidth=0)
        lower.set_ylim(bottom=0)
        lower.yaxis.get_major_locator().set_params(integer=True, nbins=4)
        lower.set_title("Windows open at a time")
        _dates(lower)
        return figure


def post_panels(windows: Mapping[str, pd.DataFrame], *, prob: float = 0.95) -> Figure:
    """Return a small panel per post: its own window, observed and without that post.

    Parameters
    ----------
    windows : mapping of post to DataFrame
        Columns ``date, observed, mean, lower, upper``, in the order in which they are drawn;
        :data:`MAX_PANELS` posts at most.
    prob : float
        Probability of the interval, for the legend.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        If there are no posts, or more than :data:`MAX_PANELS`.
    """
    if not 1 <= len(windows) <= MAX_PANELS:
        raise ValueError(f"1 to {MAX_PANELS} posts can be drawn, found {len(windows)}")
    columns = min(4, len(windows))
    rows = ceil(len(windows) / columns)
    with _drawing():
        size = (WIDTH_INCHES, 0.55 + 1.5 * rows)
        figure = Figure(figsize=size, layout="constrained")
        grid = figure.subplots(rows, columns, squeeze=False)
        handles: list[Artist] = []
        for axes, (post, window) in zip(grid.flat, windows.items(), strict=False):
            handles = _curves(axes, window, prob, with_log=False)
            axes.set_title(_elided(post, 22), fontsize=8.5)
            axes.tick_params(labelsize=7.5)
            axes.margins(x=0.02)
            locator = AutoDateLocator(minticks=2, maxticks=4)
            axes.xaxis.set_major_locator(locator)
            axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, show_offset=False))
            axes.yaxis.get_major_locator().set_params(nbins=3)
        for axes in list(grid.flat)[len(windows) :]:
            axes.set_visible(False)
        figure.legend(
            handles=handles, loc="outside upper left", ncols=3, fontsize=8.5, borderaxespad=0.0
        )
        return figure


def to_svg(figure: Figure, name: str) -> str:
    """Return a figure as SVG text: the same bytes for the same figure, no date, text as text.

    Parameters
    ----------
    figure : Figure
    name : str
        Put before every identifier, so that several figures can stand in one page.

    Returns
    -------
    str
        An SVG document that ends in a line feed.
    """
    text = io.StringIO()
    with _drawing(**{"svg.hashsalt": f"lift-{name}"}):
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


def _curves(axes: Axes, curve: pd.DataFrame, prob: float, *, with_log: bool) -> list[Artist]:
    """Draw observed and counterfactual with its band; return the handles of the legend."""
    days = curve["date"].to_numpy()
    observed = curve["observed"].to_numpy(dtype=float)
    lower, upper = curve["lower"].to_numpy(dtype=float), curve["upper"].to_numpy(dtype=float)
    band = axes.fill_between(
        days, lower, upper, color=PALETTE["band"], linewidth=0, label=f"{prob:.0%} interval"
    )
    (without,) = axes.plot(
        days,
        curve["mean"].to_numpy(dtype=float),
        color=PALETTE["without"],
        linewidth=1.4,
        label="without the campaign" if with_log else "without the post",
    )
    dense = len(curve) > 60
    (seen,) = axes.plot(
        days,
        observed,
        color=PALETTE["observed"],
        linewidth=0.9,
        marker=None if dense else "o",
        markersize=2.4,
        label="observed",
    )
    positive = observed[np.isfinite(observed) & (observed > 0)]
    everything = np.concatenate([observed, lower])
    wide = positive.size > 0 and positive.max() / positive.min() > LOG_RATIO
    if with_log and wide and (everything[np.isfinite(everything)] > 0).all():
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=12))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.set_title("Downloads per day (logarithmic axis)")
    elif with_log:
        axes.set_ylim(bottom=0.0)
        axes.set_title("Downloads per day")
    _counts(axes)
    return [seen, without, band]


def _mark_posts(axes: Axes, posts: pd.DataFrame) -> Line2D:
    """Draw a small mark at each post's time along the top, and return its legend handle."""
    dates = pd.to_datetime(posts["date"])
    for date in dates:
        axes.axvline(date, color=PALETTE["effect"], linewidth=0.6, alpha=0.45, zorder=0)
    (marks,) = axes.plot(
        dates.to_numpy(),
        np.ones(len(posts)),
        linestyle="none",
        marker=7,
        markersize=5,
        color=PALETTE["effect"],
        transform=axes.get_xaxis_transform(),
        clip_on=False,
        zorder=5,
        label="post",
    )
    return marks


def _counts(axes: Axes) -> None:
    """Write counts on the vertical axis in short form, with a quiet grid."""
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    axes.grid(axis="y")
    axes.set_axisbelow(True)


def _dates(axes: Axes) -> None:
    """Write dates on the horizontal axis, short."""
    locator = AutoDateLocator(minticks=4, maxticks=9)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.margins(x=0.01)


def _elided(name: object, letters: int = MAX_LABEL) -> str:
    """Return a name in one line and in at most so many letters."""
    text = " ".join(str(name).split())
    return text if len(text) <= letters else text[: letters - 1] + "\N{HORIZONTAL ELLIPSIS}"
