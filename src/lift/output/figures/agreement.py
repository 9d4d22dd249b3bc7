"""Effects of several engines side by side."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from lift.output import wording
from lift.output.figures.style import PALETTE, WIDTH_INCHES, drawing, elided, interval_of

COLOURS = ("observed", "without", "effect", "truth", "muted")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
ROOM = 2.0
"""Engines whose limits reach further than this many times the reference's span are cut off."""


def engine_forest(table: pd.DataFrame, *, failed: tuple[str, ...] = ()) -> Figure:
    """Return one group of lines per unit, one line per engine: its interval and its mean.

    Parameters
    ----------
    table : DataFrame
        Columns unit, engine, mean, lower, upper, verdict; the rows of the first engine are the
        reference. Rows without a number are left out.
    failed : tuple of str
        Verdicts that are drawn as failures.

    Returns
    -------
    Figure
        As tall as its rows need. Intervals that would leave those of the reference with no room are
        cut off at the edge, with an arrow.
    """
    engines = list(dict.fromkeys(table.loc[table["mean"].notna(), "engine"]))
    units = list(dict.fromkeys(table["unit"]))
    reference = table[table["engine"] == engines[0]]
    low, high = min(0.0, reference["lower"].min()), reference["upper"].max()
    room = ROOM * (high - low) / 2
    margin = 0.03 * (high - low)
    edges = (
        max(low - room, min(low, float(table["lower"].min())) - margin),
        min(high + room, max(high, float(table["upper"].max())) + margin),
    )
    step = 0.8 / max(len(engines), 1)
    with drawing():
        height = 1.2 + 0.16 * len(units) * len(engines) + 0.12 * len(units)
        figure = Figure(figsize=(WIDTH_INCHES, height), layout="constrained")
        axes = figure.subplots()
        axes.axvline(0.0, color=PALETTE["muted"], linewidth=0.8)
        for row in table.to_dict("records"):
            if not np.isfinite(row["mean"]):
                continue
            i = engines.index(row["engine"])
            y = len(units) - 1 - units.index(row["unit"]) + 0.4 - step * (i + 0.5)
            colour = PALETTE[COLOURS[i % len(COLOURS)]]
            ends = np.clip([row["lower"], row["upper"]], *edges)
            axes.plot(ends, [y, y], color=colour, linewidth=1.6, solid_capstyle="butt", zorder=2)
            for end, edge, marker in zip((row["lower"], row["upper"]), edges, "<>", strict=True):
                if (end < edge) if marker == "<" else (end > edge):
                    axes.plot(edge, y, marker=marker, markersize=4, color=colour, zorder=3)
            axes.plot(
                np.clip(row["mean"], *edges),
                y,
                marker=MARKERS[i % len(MARKERS)],
                markersize=4.5,
                color=colour,
                markerfacecolor=PALETTE["paper"] if row["verdict"] in failed else colour,
                zorder=4,
            )
        for i, engine in enumerate(engines):
            marker, colour = MARKERS[i % len(MARKERS)], PALETTE[COLOURS[i % len(COLOURS)]]
            axes.plot([], [], marker=marker, color=colour, markersize=4.5, label=engine)
        axes.set_yticks(range(len(units)), [elided(unit) for unit in reversed(units)])
        axes.set_ylim(-0.6, max(len(units), 1) - 0.4)
        axes.set_xlim(edges)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        axes.spines["left"].set_visible(False)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: wording.short(value)))
        axes.set_xlabel(f"incremental downloads: mean and {interval_of(table)}")
        axes.legend(
            loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=len(engines), borderaxespad=0.0
        )
        axes.set_title("Effect of each post, by engine")
        return figure
