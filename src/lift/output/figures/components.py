"""Components of the model by day, in small panels."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from lift.output import wording
from lift.output.components import ABSOLUTE, TITLES
from lift.output.figures.style import PALETTE, WIDTH_INCHES, counts, dates, days, drawing, elided

FloatArray = NDArray[np.float64]

MAX_COMPONENTS = 12
"""Panels of components that :func:`component_panels` shows at most; the widest moving ones."""

COLUMNS = 3
SHOWN_DAYS = 28
"""Days of a week that repeats."""


def component_panels(table: pd.DataFrame, observed: pd.DataFrame) -> Figure:
    """Return what each component of the model adds by day, below the fitted downloads.

    Parameters
    ----------
    table : DataFrame
        As :meth:`lift.analysis.components.Components.table`.
    observed : DataFrame
        Columns ``date, observed`` (downloads/day); NaN is not observed.

    Returns
    -------
    Figure
        Medians with their intervals. The level is in downloads per day; where the model is on the
        log scale what the others add is in percent, which is exact for medians and quantiles.
    """
    prob = float(table["prob"].iloc[0])
    panels = _panels(table)
    rows = ceil(len(panels) / COLUMNS)
    with drawing():
        figure = Figure(figsize=(WIDTH_INCHES, 2.7 + 1.45 * rows), layout="constrained")
        grid = figure.add_gridspec(rows + 1, COLUMNS, height_ratios=[1.5, *[1.0] * rows])
        whole = figure.add_subplot(grid[0, :])
        downloads = table[table["component"] == "downloads"]
        (seen,) = whole.plot(
            days(observed["date"]),
            observed["observed"].to_numpy(dtype=float),
            linestyle="none",
            marker="o",
            markersize=1.8,
            color=PALETTE["observed"],
            label="observed",
        )
        band, line = _draw(whole, downloads, lambda values: values)
        band.set_label(f"{prob:.0%} interval")
        line.set_label("fitted (median)")
        whole.set_title("Downloads per day")
        counts(whole)
        dates(whole)
        figure.legend(
            handles=[seen, line, band], loc="outside upper left", ncols=3, borderaxespad=0.0
        )
        for place, (component, control, part) in enumerate(panels):
            axes = figure.add_subplot(grid[1 + place // COLUMNS, place % COLUMNS])
            _panel(axes, component, control, part)
        return figure


def _panels(table: pd.DataFrame) -> list[tuple[str, str, pd.DataFrame]]:
    """Return components and single controls with their rows, in order, the largest if too many."""
    grouped = table.groupby(["component", "control"], sort=False)
    found = [
        (str(component), str(control), rows)
        for (component, control), rows in grouped
        if component in TITLES and component != "downloads"
    ]
    singles = [part for part in found if part[1]]
    room = MAX_COMPONENTS - (len(found) - len(singles))
    spread = sorted(singles, key=lambda part: -float(np.ptp(part[2]["median"].to_numpy())))
    kept = {control for _, control, _ in spread[: max(room, 0)]}
    return [part for part in found if not part[1] or part[1] in kept]


def _draw(
    axes: Axes, rows: pd.DataFrame, scale: Callable[[FloatArray], FloatArray]
) -> tuple[Artist, Artist]:
    """Draw medians and intervals on a scale; return the band and the line."""
    when = days(rows["date"])
    lower, median, upper = (scale(rows[name].to_numpy()) for name in ("lower", "median", "upper"))
    band = axes.fill_between(when, lower, upper, color=PALETTE["band"], linewidth=0)
    (line,) = axes.plot(when, median, color=PALETTE["without"], linewidth=1.0)
    return band, line


def _panel(axes: Axes, component: str, control: str, rows: pd.DataFrame) -> None:
    """Draw one component."""
    multiplies = str(rows["unit"].iloc[0]).startswith("log")
    level = component in ABSOLUTE
    title = TITLES[component].capitalize()
    if component == "week" and _repeats(rows["median"].to_numpy()):
        rows = rows.tail(SHOWN_DAYS)
        title = f"Week, the last {len(rows)} days"
    elif level:
        title = f"{title}, downloads per day"
    if not multiplies:
        _draw(axes, rows, lambda values: values)
    else:
        _draw(axes, rows, np.exp if level else np.expm1)
    axes.set_title(elided(control, 24) if control else title, fontsize=8.5)
    counts(axes)
    if multiplies and not level:
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: wording.percent(value)))
    if not level:
        axes.axhline(0.0, color=PALETTE["muted"], linewidth=0.7, zorder=0.5)
    axes.tick_params(labelsize=7.5)
    axes.margins(x=0.02)
    locator = AutoDateLocator(minticks=2, maxticks=4)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, show_offset=False))
    axes.locator_params(axis="y", nbins=4)


def _repeats(week: FloatArray) -> bool:
    """Return whether every week is as the one before."""
    return bool(np.allclose(week[7:], week[:-7], rtol=0.0, atol=1e-9))
