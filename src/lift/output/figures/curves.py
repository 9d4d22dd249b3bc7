"""Curves: downloads observed and without the campaign, or without one post."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import ceil

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from lift.output import wording
from lift.output.figures.style import PALETTE, WIDTH_INCHES, counts, dates, days, drawing, elided

MAX_PANELS = 24
"""Posts that :func:`post_panels` shows at most: six rows of four."""

LEAST_INCHES = 3.2
"""Height that the label beside the panels needs, below their legend."""

LEGEND_INCHES = 0.25
"""Height of the legend above the panels."""

LEAD_DAYS = 90
"""Days shown before the first post, to see what was normal."""

TRAIL_DAYS = 30
"""Days shown after the last day of the campaign's window."""

LOG_RATIO = 12.0
"""Largest over smallest observed count from which a curve gets a logarithmic axis."""


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
        Two panels on one time axis, from :data:`LEAD_DAYS` before the first post to
        :data:`TRAIL_DAYS` after the last day of the running total.
    """
    first = pd.to_datetime(posts["date"]).min() - pd.Timedelta(days=LEAD_DAYS)
    last = cumulative["date"].max() + pd.Timedelta(days=TRAIL_DAYS)
    curve = curve[curve["date"].between(first, last)]
    with drawing():
        figure = Figure(figsize=(WIDTH_INCHES, 5.4), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[1.55, 1.0])
        handles = _curves(upper, curve, prob, with_log=True)
        handles = [*handles, _mark_posts(upper, posts)]
        figure.legend(handles=handles, loc="outside upper left", ncols=4, borderaxespad=0.0)

        since = days(cumulative["date"])
        lower.fill_between(
            since,
            cumulative["lower"].to_numpy(),
            cumulative["upper"].to_numpy(),
            color=PALETTE["effect_band"],
            linewidth=0,
        )
        lower.plot(since, cumulative["mean"].to_numpy(), color=PALETTE["effect"], linewidth=1.6)
        lower.axhline(0.0, color=PALETTE["muted"], linewidth=0.8)
        if truth is not None:
            lower.axhline(truth, color=PALETTE["truth"], linewidth=1.2, linestyle=(0, (5, 3)))
            lower.annotate(
                f"truth {wording.short(truth)}",
                (0.0, truth),
                xycoords=("axes fraction", "data"),
                xytext=(3, 3),
                textcoords="offset points",
                color=PALETTE["truth"],
            )
        for date in _post_days(posts["date"]):
            lower.axvline(date, color=PALETTE["effect"], linewidth=0.6, alpha=0.45, zorder=0)
        lower.set_title("Incremental downloads, running total")
        counts(lower)
        dates(lower)
        return figure


def post_panels(
    windows: Mapping[str, pd.DataFrame],
    *,
    prob: float = 0.95,
    prior: Collection[str] = (),
    moments: Mapping[str, pd.Timestamp] | None = None,
) -> Figure:
    """Return a small panel per post: its own window, observed and without that post.

    Parameters
    ----------
    windows : mapping of post to DataFrame
        Columns ``date, observed, mean, lower, upper``, in the order in which they are drawn;
        :data:`MAX_PANELS` posts at most.
    prob : float
        Probability of the interval, for the legend.
    prior : collection of post
        The posts that are only prior, which their titles say.
    moments : mapping of post to Timestamp, optional
        When each post went out: a line in its panel, at that day's downloads.

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
    with drawing():
        height = max(0.55 + 1.5 * rows, LEAST_INCHES)
        figure = Figure(figsize=(WIDTH_INCHES, height), layout="constrained")
        grid = figure.subplots(rows, columns, squeeze=False)
        handles: list[Artist] = []
        for axes, (post, window) in zip(grid.flat, windows.items(), strict=False):
            handles = _curves(axes, window, prob, with_log=False)
            if moments and post in moments:
                (when,) = _post_days(pd.Series([moments[post]]))
                line = axes.axvline(when, color=PALETTE["effect"], linewidth=0.9, label="post")
                handles = [*handles, line]
            title = f"{elided(post, 12)} (only prior)" if post in prior else elided(post, 22)
            axes.set_title(title, fontsize=8.5)
            axes.tick_params(labelsize=7.5)
            axes.margins(x=0.02)
            locator = AutoDateLocator(minticks=2, maxticks=4)
            axes.xaxis.set_major_locator(locator)
            axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, show_offset=False))
            axes.yaxis.get_major_locator().set_params(nbins=3)
        figure.supylabel(
            "downloads per day, each panel on its own axis",
            y=0.5 * (1.0 - LEGEND_INCHES / height),
            fontsize=8.5,
        )
        for axes in list(grid.flat)[len(windows) :]:
            axes.set_visible(False)
        figure.legend(
            handles=handles, loc="outside upper left", ncols=4, fontsize=8.5, borderaxespad=0.0
        )
        return figure


def _curves(axes: Axes, curve: pd.DataFrame, prob: float, *, with_log: bool) -> list[Artist]:
    """Draw observed and counterfactual with its band; return the handles of the legend."""
    when = days(curve["date"])
    observed = curve["observed"].to_numpy(dtype=float)
    lower, upper = curve["lower"].to_numpy(dtype=float), curve["upper"].to_numpy(dtype=float)
    band = axes.fill_between(
        when, lower, upper, color=PALETTE["band"], linewidth=0, label=f"{prob:.0%} interval"
    )
    (without,) = axes.plot(
        when,
        curve["mean"].to_numpy(dtype=float),
        color=PALETTE["without"],
        linewidth=1.4,
        label="without the campaign" if with_log else "without the post",
    )
    dense = len(curve) > 60
    (seen,) = axes.plot(
        when,
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
        axes.set_title("Downloads per day")
        if wide or not positive.size:
            axes.set_ylim(bottom=0.0)
    counts(axes)
    return [seen, without, band]


def _post_days(moments: pd.Series) -> list[float]:
    """Return the days of posts: an evening's post is drawn at the downloads that it came with."""
    return days(pd.to_datetime(moments).dt.normalize())


def _mark_posts(axes: Axes, posts: pd.DataFrame) -> Line2D:
    """Draw a small mark at each post's day along the top, and return its legend handle."""
    moments = _post_days(posts["date"])
    for date in moments:
        axes.axvline(date, color=PALETTE["effect"], linewidth=0.6, alpha=0.45, zorder=0)
    (marks,) = axes.plot(
        moments,
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
