"""The figures of the paper, drawn from the committed results alone."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

METHODS = {
    "r_default": ("lift, R's defaults", "#b4541a", "o"),
    "wide_level": ("lift, wide level", "#2f6fb3", "s"),
    "free_level": ("lift, free level", "#8a5fb0", "v"),
    "r_dynamic": ("lift, R's dynamic", "#c79a1e", "P"),
    "dynamic": ("lift, dynamic", "#1f8a63", "D"),
    "package": ("PyPI causalimpact", "#6b737b", "^"),
}
NOMINAL = 0.95


def power(sources: dict[str, Any]) -> Figure:
    """Return how often an effect is declared, by its size."""
    table: pd.DataFrame = sources["power"]
    figure = Figure(figsize=(7.2, 2.9), layout="constrained")
    axes = figure.subplots()
    labels = [f"{effect:.4g}" for effect in 100 * table["effect"].unique()]
    for i, (method, (label, colour, marker)) in enumerate(METHODS.items()):
        own = table[table["method"] == method]
        at = [position + 0.08 * (i - 2.5) for position in range(len(own))]
        axes.errorbar(
            at, own["share"], yerr=2 * own["se"], label=label, color=colour, marker=marker,
            markersize=4, linewidth=1.2, elinewidth=0.9,
        )  # fmt: skip
    axes.axhline(1 - NOMINAL, color="#1c2126", linewidth=0.8, linestyle=(0, (4, 3)))
    axes.set_xticks(range(len(labels)), labels)
    axes.set_xlabel("effect, % of the outcome")
    axes.set_ylabel("share declared an effect")
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.grid(axis="y")
    axes.legend(loc="upper left")
    return figure


def horizon(sources: dict[str, Any]) -> Figure:
    """Return coverage, width and error by the campaign's length, without and with a break."""
    table: pd.DataFrame = sources["horizon"]
    figure = Figure(figsize=(7.2, 3.3), layout="constrained")
    panels = figure.subplots(1, 3)
    for axes, column, title in zip(
        panels,
        ("share", "width", "rmse"),
        ("coverage", "width, sd a day", "error (RMSE), sd a day"),
        strict=True,
    ):
        _lines(axes, table, column)
        axes.set_title(title)
        axes.set_xlabel("days of the campaign")
        axes.grid(axis="y")
    panels[0].axhline(NOMINAL, color="#1c2126", linewidth=0.8, linestyle=(0, (4, 3)))
    panels[0].yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    panels[0].set_ylim(None, 1.01)
    for axes in panels[1:]:
        axes.set_ylim(0, None)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=3, columnspacing=1.2, handlelength=1.6
    )
    return figure


def _lines(axes: Axes, table: pd.DataFrame, column: str) -> None:
    for method, (label, colour, marker) in METHODS.items():
        for truth, style in (("plain", "-"), ("break", ":")):
            own = table[(table["method"] == method) & (table["truth"] == truth)]
            axes.plot(
                own["days"], own[column], color=colour, linestyle=style, linewidth=1.3,
                marker=marker if truth == "plain" else None, markersize=3,
                label=label if truth == "plain" else None,
            )  # fmt: skip
