"""The figure of one intervention: outcome, effect by row, effect so far."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

PANELS = {
    "original": ("point.pred", "outcome"),
    "pointwise": ("point.effect", "effect"),
    "cumulative": ("cum.effect", "effect so far"),
}
OBSERVED, PREDICTED = "#222222", "#1f5fa8"


def impact_figure(
    series: pd.DataFrame,
    begin: object,
    pre_end: object,
    *,
    panels: Sequence[str] = ("original", "pointwise", "cumulative"),
    outcome: str = "outcome",
    level: str = "95%",
) -> Figure:
    """Return the figure.

    Parameters
    ----------
    series : DataFrame
        As ``series_table`` makes it.
    begin, pre_end : label of the index
        First row of the post-period and last of the pre-period, marked by lines.
    panels : sequence of "original", "pointwise", "cumulative"
    outcome : str
        Name of the outcome.
    level : str
        Probability of the bands, for the legend.

    Returns
    -------
    Figure
    """
    figure = Figure(figsize=(9.0, 1.0 + 2.3 * len(panels)), layout="constrained")
    axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    x = series.index.to_numpy()
    for axis, panel in zip(axes, panels, strict=True):
        stem, label = PANELS[panel]
        centre = series[stem].to_numpy()
        lower = series[f"{stem}.lower"].to_numpy()
        upper = series[f"{stem}.upper"].to_numpy()
        axis.fill_between(x, lower, upper, color=PREDICTED, alpha=0.2, lw=0, label=f"{level} band")
        if panel == "original":
            axis.plot(x, centre, color=PREDICTED, ls="--", lw=1.2, label="predicted without it")
            axis.plot(x, series["response"].to_numpy(), color=OBSERVED, lw=1.0, label="observed")
            axis.legend(loc="upper left", frameon=False, ncols=3, fontsize="small")
            axis.set_ylabel(outcome)
        else:
            axis.plot(x, centre, color=PREDICTED, lw=1.2)
            axis.axhline(0.0, color="0.5", lw=0.8)
            axis.set_ylabel(label)
        axis.axvline(begin, color="0.4", ls=":", lw=1.0)
        axis.axvline(pre_end, color="0.4", ls=":", lw=1.0)
    figure.align_ylabels()
    return figure
