"""Effects of units side by side, and their windows in time."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from lift.analysis.effects import ONLY_PRIOR
from lift.output import wording
from lift.output.figures.style import (
    PALETTE,
    WIDTH_INCHES,
    dates,
    days,
    drawing,
    elided,
    interval_of,
)


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
    with drawing():
        n = len(table)
        figure = Figure(figsize=(WIDTH_INCHES, 1.1 + 0.27 * max(n, 1)), layout="constrained")
        axes = figure.subplots()
        rows = np.arange(n)[::-1]
        axes.axvline(0.0, color=PALETTE["muted"], linewidth=0.8)
        for row, unit in zip(rows, table.to_dict("records"), strict=True):
            informed = ONLY_PRIOR not in str(unit["note"])
            axes.plot(
                [unit["lower"], unit["upper"]],
                [row, row],
                color=PALETTE["effect"],
                linewidth=2.2 if informed else 1.2,
                linestyle="-" if informed else (0, (2, 1.5)),
                solid_capstyle="round",
                zorder=2,
            )
            axes.plot(
                unit["mean"],
                row,
                marker="o",
                markersize=6,
                markeredgewidth=1.4,
                color=PALETTE["effect"],
                markerfacecolor=PALETTE["effect"] if informed else PALETTE["paper"],
                zorder=3,
            )
            if isfinite(value := truth.get(str(unit["unit"]), np.nan)):
                axes.plot(
                    value,
                    row,
                    marker="|",
                    markersize=13,
                    markeredgewidth=2.2,
                    color=PALETTE["truth"],
                    zorder=4,
                )
        axes.set_yticks(rows, [elided(unit) for unit in table["unit"]])
        axes.set_ylim(-0.7, max(n, 1) - 0.3)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        axes.spines["left"].set_visible(False)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: wording.short(value)))
        axes.set_xlabel(f"incremental downloads: mean and {interval_of(table)}")
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
        Rows of ``Effects.table``: ``unit, start, end, note`` are used.

    Returns
    -------
    Figure
        Bars above, the number of open windows on each day below.
    """
    with drawing():
        n = len(table)
        height = 0.17 * max(n, 1)
        figure = Figure(figsize=(WIDTH_INCHES, 1.7 + height), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[0.35 + height, 0.8])
        rows = np.arange(n)[::-1]
        start = np.array(days(table["start"]))
        stop = np.array(days(table["end"])) + 1.0
        for row, first, last in zip(rows, start, stop, strict=True):
            upper.plot(
                [first, last],
                [row, row],
                color=PALETTE["band"],
                linewidth=5.0,
                solid_capstyle="butt",
            )
            upper.plot(first, row, marker="|", markersize=7, color=PALETTE["without"])
        names = [
            f"{elided(unit)} (only prior)" if ONLY_PRIOR in str(note) else elided(unit)
            for unit, note in zip(table["unit"], table["note"], strict=True)
        ]
        upper.set_yticks(rows, names)
        upper.set_ylim(-0.8, max(n, 1) - 0.2)
        upper.tick_params(axis="y", length=0, labelsize=8.0)
        upper.spines["left"].set_visible(False)
        upper.set_title("Window of each post")
        calendar = np.arange(start.min(), stop.max() + 1.0)
        open_windows = [int(((start <= day) & (day < stop)).sum()) for day in calendar]
        lower.step(calendar, open_windows, where="post", color=PALETTE["without"], linewidth=1.3)
        lower.fill_between(calendar, open_windows, step="post", color=PALETTE["band"], linewidth=0)
        lower.set_ylim(bottom=0)
        lower.yaxis.get_major_locator().set_params(integer=True, nbins=4)
        lower.set_title("Windows open at a time")
        dates(lower)
        return figure
