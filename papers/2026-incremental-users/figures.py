"""The figures of the paper, drawn from the committed results alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.dates import ConciseDateFormatter, MonthLocator
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

INK, MUTED, BLUE, BAND, ORANGE, GREEN = (
    "#1c2126", "#6b737b", "#2f6fb3", "#bfd5ec", "#b4541a", "#1f8a63",
)  # fmt: skip
WIDTH = 7.2
NOT_RANKED = ("campaign", "pareto_k", "safety_net")


def thousands(value: float, _: object = None) -> str:
    """Return a count in thousands or millions."""
    if abs(value) >= 1e6:
        return f"{value / 1e6:g}M"
    return f"{value / 1e3:g}k" if value else "0"


def curve(sources: dict[str, Any]) -> Figure:
    """Return downloads with and without the campaign, and their difference so far."""
    table: pd.DataFrame = sources["copilot_curve"].assign(
        date=lambda found: pd.to_datetime(found["date"])
    )
    figure = Figure(figsize=(WIDTH, 3.6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    above.fill_between(table["date"], table["lower"], table["upper"], color=BAND, linewidth=0)
    above.plot(table["date"], table["mean"], color=BLUE, linewidth=1.2, label="without the posts")
    above.plot(table["date"], table["observed"], color=INK, linewidth=1.0, label="observed")
    above.set_ylabel("downloads a day")
    above.legend(loc="upper right", ncols=2)
    above.margins(y=0.12)
    inside = table.dropna(subset=["so_far"])
    below.fill_between(
        inside["date"], inside["so_far_lower"], inside["so_far_upper"], color="#f1d3bf", linewidth=0
    )
    below.plot(inside["date"], inside["so_far"], color=ORANGE, linewidth=1.3)
    below.axhline(0, color=MUTED, linewidth=0.7)
    below.set_ylabel("gained so far")
    for axes in (above, below):
        axes.grid(axis="y")
        axes.yaxis.set_major_formatter(FuncFormatter(thousands))
    locator = MonthLocator()
    below.xaxis.set_major_locator(locator)
    below.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    return figure


def each_post(sources: dict[str, Any]) -> Figure:
    """Return the effect of every post: all at once, one at a time, and the truth."""
    effects: pd.DataFrame = sources["copilot_effects"]
    joint = effects[effects["by"] == "post"].reset_index(drop=True)
    alone: pd.DataFrame = sources["copilot_alone"]
    figure = Figure(figsize=(WIDTH, 3.3), layout="constrained")
    axes = figure.subplots()
    at = np.arange(len(joint))
    for table, shift, colour, label in (
        (alone, 0.18, ORANGE, "one post at a time"),
        (joint, -0.18, BLUE, "all posts at once"),
    ):
        error = [table["mean"] - table["lower"], table["upper"] - table["mean"]]
        axes.errorbar(
            at + shift, table["mean"], yerr=error, color=colour, fmt="o", markersize=3,
            elinewidth=1.2, label=label,
        )  # fmt: skip
    axes.plot(at, joint["truth"], color=GREEN, linestyle="", marker="_", markersize=9,
              markeredgewidth=2, label="truth")  # fmt: skip
    axes.axhline(0, color=MUTED, linewidth=0.7)
    axes.set_xticks(at, joint["unit"], rotation=90)
    axes.set_ylabel("downloads gained")
    axes.yaxis.set_major_formatter(FuncFormatter(thousands))
    axes.grid(axis="y")
    axes.legend(loc="upper right")
    return figure


def recovery(sources: dict[str, Any]) -> Figure:
    """Return estimate against truth of every post and of every campaign."""
    table: pd.DataFrame = sources["cover_effects"]
    figure = Figure(figsize=(WIDTH, 3.1), layout="constrained")
    panels = figure.subplots(1, 2)
    for axes, by, title in zip(panels, ("post", "campaign"), ("posts", "campaigns"), strict=True):
        own = table[table["by"] == by]
        scale = own["daily_downloads"]
        truth, mean = own["truth"] / scale, own["mean"] / scale
        error = [mean - own["lower_95"] / scale, own["upper_95"] / scale - mean]
        inside = (own["lower_95"] <= own["truth"]) & (own["truth"] <= own["upper_95"])
        for held, colour in ((True, BLUE), (False, ORANGE)):
            rows = inside == held
            axes.errorbar(
                truth[rows], mean[rows], yerr=[part[rows] for part in error], color=colour, fmt="o",
                markersize=2, elinewidth=0.5, alpha=0.75 if held else 1.0,
                label="holds the truth" if held else "does not",
            )  # fmt: skip
        ends = [float(min(truth.min(), mean.min())), float(max(truth.max(), mean.max()))]
        axes.plot(ends, ends, color=MUTED, linewidth=0.8)
        axes.set_title(title)
        axes.set_xlabel("true effect, baseline days")
        axes.grid()
    panels[0].set_ylabel("estimate with interval")
    panels[0].legend(loc="upper left")
    return figure


def ecdf(sources: dict[str, Any]) -> Figure:
    """Return how far the distribution of every quantity's ranks is from even."""
    table: pd.DataFrame = sources["ranks_all"]
    model = table["campaign"].str.replace(r"_\d+$", "", regex=True)
    figure = Figure(figsize=(WIDTH, 2.5), layout="constrained")
    kinds = [kind for kind in ("lognormal", "negative_binomial") if (model == kind).any()]
    panels = figure.subplots(1, len(kinds), sharey=True, squeeze=False)[0]
    for axes, kind in zip(panels, kinds, strict=True):
        own = table[model == kind].drop(columns=[*NOT_RANKED], errors="ignore")
        own = own.dropna(axis=1, how="all")
        n_ranks = int(own.to_numpy().max()) + 1
        grid = np.arange(n_ranks)
        line = (grid + 1) / n_ranks
        for name in own.columns:
            ranks = np.sort(own[name].dropna().to_numpy())
            share = np.searchsorted(ranks, grid, side="right") / len(ranks)
            strong = name == "effect[campaign]"
            axes.plot(
                line, share - line, linewidth=1.6 if strong else 0.6,
                color=ORANGE if strong else BLUE, alpha=1.0 if strong else 0.6,
                zorder=3 if strong else 2, label="campaign's effect" if strong else None,
            )  # fmt: skip
        spread = 2 * np.sqrt(line * (1 - line) / len(own))
        axes.plot(line, spread, line, -spread, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)))
        axes.set_title(f"{kind.replace('_', ' ')}, {len(own)} campaigns")
        axes.set_xlabel("rank of the truth, as a share")
        axes.grid(axis="y")
    panels[0].set_ylabel("ECDF less even")
    panels[0].legend(loc="upper right")
    return figure
