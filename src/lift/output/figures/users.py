"""Users over time."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from lift.output.figures.style import PALETTE, WIDTH_INCHES, counts, dates, days, drawing


def monthly_users(table: pd.DataFrame) -> Figure:
    """Return incremental monthly active users day by day.

    Parameters
    ----------
    table : DataFrame
        Rows of ``monthly_active_users`` of one unit: ``date, mean, lower, upper, prob,
        extrapolated`` are used.

    Returns
    -------
    Figure
        Mean and interval; the mean is broken where a material part of it is extrapolated.
    """
    with drawing():
        figure = Figure(figsize=(WIDTH_INCHES, 2.6), layout="constrained")
        axes = figure.subplots()
        when = days(table["date"])
        prob = float(table["prob"].iloc[0])
        axes.axhline(0.0, color=PALETTE["muted"], linewidth=0.8)
        axes.fill_between(
            when,
            table["lower"].to_numpy(),
            table["upper"].to_numpy(),
            color=PALETTE["effect_band"],
            linewidth=0,
            label=f"{prob:.0%} interval",
        )
        beyond = table["extrapolated"].to_numpy(dtype=bool)
        for mask, style, label in (
            (~beyond, "-", "by observed retention"),
            (beyond, (0, (3, 2)), "extrapolated in part"),
        ):
            if mask.any():
                axes.plot(
                    when,
                    table["mean"].where(mask).to_numpy(),
                    color=PALETTE["effect"],
                    linewidth=1.4,
                    linestyle=style,
                    label=label,
                )
        axes.set_title("Incremental monthly active users of the campaign")
        axes.legend(loc="upper left", ncols=3, fontsize=8.5)
        counts(axes)
        dates(axes)
        return figure
