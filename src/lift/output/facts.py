"""Everything that a report says, as plain tables: gathered from a posterior, or made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from lift.analysis.counterfactual import curve, is_linear
from lift.analysis.diagnostics import Finding, summary
from lift.analysis.displacement import displacement_table, lags_of
from lift.analysis.effects import Effects
from lift.analysis.hierarchy import contrast_table
from lift.analysis.identifiability import Identifiability, comparable, identifiability
from lift.analysis.outcomes import Outcomes
from lift.model.spec import ModelSpec
from lift.output import contrasts
from lift.output.figures import MAX_PANELS

PANEL_LEAD_DAYS = 7
"""Days shown before a post in its own panel: one week of what was normal."""

GROUPINGS = ("influencer", "platform", "creator_type", "content")
"""Ways in which posts are grouped, in the order in which a report shows them."""

LEVELS = ("PASS", "REVIEW", "FAIL")
"""Levels of a finding, from good to bad."""


@dataclass(frozen=True)
class Singles:
    """The single effects of all posts added up, beside the effect of the campaign.

    Attributes
    ----------
    mean, lower, upper : float
        The sum of the single effects: downloads.
    index : float
        The interaction index: that sum over the effect of the campaign, minus one (means of
        both); NaN where the campaign's interval includes zero, since the ratio is then idle.
    """

    mean: float
    lower: float
    upper: float
    index: float


@dataclass(frozen=True, eq=False)
class Facts:
    """What a report says about one run.

    Attributes
    ----------
    name, market, timezone : str
    horizon_days : int
    prob : float
        Probability of every interval.
    tables : mapping of grouping to DataFrame
        ``Effects.table(by, prob)`` for ``"post"``, ``"campaign"`` and :data:`GROUPINGS`.
    curve : DataFrame
        ``date, observed, mean, lower, upper``: downloads per day without the campaign.
    cumulative : DataFrame
        ``date, mean, lower, upper``: incremental downloads of the campaign, running total.
    windows : mapping of post to DataFrame
        The columns of ``curve`` without that post, within its own window.
    posts : DataFrame
        ``post, date, influencer, platform, creator_type, content``; ``""`` is not given.
    controls : tuple of str
        Names of the control series.
    displacement : bool
        The model lets a response be taken back later.
    linear : bool
        Posts add to downloads, rather than multiply them.
    singles : Singles
    findings : tuple of Finding
    summary : DataFrame
        ``parameter, mean, sd, ess_bulk, ess_tail, r_hat, mcse_mean``.
    manifest : mapping
        As :func:`lift.output.manifest.build` makes it.
    truth : DataFrame or None
        ``by, unit, truth`` where the data were simulated.
    outcomes : Outcomes
        Tables of users and money, where the run has them.
    pull_forward : DataFrame or None
        Effects gross and net of pull-forward, of the campaign and the posts, where the model has
        displacement.
    components : DataFrame or None
        As :meth:`lift.analysis.components.Components.table`, where the run directory has them.
    displaced_days : tuple of two int, or None
        Days after a post, from 0, that gross and net effects count, where pull_forward is there.
    told_apart : Identifiability or None
        What the data say of each post, where it can be told.
    contrasts : DataFrame or None
        Contrasts of levels, as :func:`lift.analysis.hierarchy.contrast_table`, where there are any.
    contrasts_mean : str
        What their numbers are, in sentences.
    """

    name: str
    market: str
    timezone: str
    horizon_days: int
    prob: float
    tables: Mapping[str, pd.DataFrame]
    curve: pd.DataFrame
    cumulative: pd.DataFrame
    windows: Mapping[str, pd.DataFrame]
    posts: pd.DataFrame
    controls: tuple[str, ...]
    displacement: bool
    singles: Singles
    findings: Sequence[Finding]
    summary: pd.DataFrame
    manifest: Mapping[str, object]
    truth: pd.DataFrame | None = None
    outcomes: Outcomes = field(default_factory=Outcomes)
    pull_forward: pd.DataFrame | None = None
    linear: bool = False
    displaced_days: tuple[int, int] | None = None
    components: pd.DataFrame | None = None
    told_apart: Identifiability | None = None
    contrasts: pd.DataFrame | None = None
    contrasts_mean: str = ""

    def truth_of(self, by: str) -> dict[str, float]:
        """Return the true effect of each unit of a grouping; empty where nothing is known."""
        if self.truth is None:
            return {}
        rows = self.truth[self.truth["by"] == by]
        return dict(zip(rows["unit"].astype(str), rows["truth"].astype(float), strict=True))

    def groupings(self) -> tuple[str, ...]:
        """Return the groupings of which there is more than one unit."""
        return tuple(by for by in GROUPINGS if by in self.tables and len(self.tables[by]) > 1)

    def verdict(self) -> str:
        """Return the worst level of all findings; ``"PASS"`` where there are none."""
        return max((finding.level for finding in self.findings), key=LEVELS.index, default="PASS")


def gather(
    effects: Effects,
    findings: Sequence[Finding],
    manifest: Mapping[str, object],
    *,
    spec: ModelSpec | None = None,
    truth: pd.DataFrame | None = None,
    outcomes: Outcomes | None = None,
    prob: float = 0.95,
) -> Facts:
    """Return everything that a report says about a posterior.

    Parameters
    ----------
    effects : Effects
    findings : sequence of Finding
    manifest : mapping
        As :func:`lift.output.manifest.build` makes it.
    spec : ModelSpec, optional
        The one that was fitted; needed for displacement.
    truth : DataFrame, optional
        ``by, unit, truth`` where the data were simulated.
    outcomes : Outcomes, optional
        Tables of users and money.
    prob : float
        Probability of every interval, in (0, 1).

    Returns
    -------
    Facts
    """
    posterior = effects.posterior
    forward = pull_forward(effects, spec, prob)
    compared = contrast_table(posterior, prob) if "group" in posterior.draws else pd.DataFrame()
    tables = {by: effects.table(by, prob) for by in effects.available()}
    posts = posterior.posts
    days = posterior.dates[posts["post_day"].to_numpy()]
    moments = days + pd.to_timedelta(posts["post_fraction"].to_numpy(), unit="D")
    draws = posterior.draws
    return Facts(
        name=str(posterior.attrs["campaign"]),
        market=str(posterior.attrs["market"]),
        timezone=str(posterior.attrs["timezone"]),
        horizon_days=int(posterior.attrs["horizon_days"]),
        prob=prob,
        tables=tables,
        curve=curve(posterior, None, prob),
        cumulative=running_total(effects, prob),
        windows=post_curves(effects, tables["post"], prob),
        posts=posts[["post", *GROUPINGS]].astype(str).assign(date=moments),
        controls=tuple(map(str, draws["control"].to_numpy())) if "control" in draws.dims else (),
        displacement="displacement" in draws,
        linear=is_linear(posterior),
        singles=singles(effects, tables["campaign"], prob),
        findings=tuple(findings),
        summary=summary(posterior),
        manifest=manifest,
        truth=truth,
        outcomes=outcomes or Outcomes(),
        pull_forward=forward,
        displaced_days=None if forward is None else lags_of(posterior),
        told_apart=identifiability(
            posterior, spec, prob, effects if effects.coupling == "shared" else None
        )
        if spec is not None and comparable(posterior)
        else None,
        contrasts=None if compared.empty else compared,
        contrasts_mean="" if compared.empty else contrasts.meaning(compared, posterior),
    )


def pull_forward(effects: Effects, spec: ModelSpec | None, prob: float) -> pd.DataFrame | None:
    """Return effects gross and net of pull-forward, where the model has displacement.

    Parameters
    ----------
    effects : Effects
    spec : ModelSpec or None
    prob : float

    Returns
    -------
    DataFrame or None
        As :func:`lift.analysis.displacement.displacement_table`: the campaign, then the posts.
    """
    if spec is None or "displacement" not in effects.posterior.draws:
        return None
    parts = [displacement_table(effects, spec, by, prob) for by in ("campaign", "post")]
    return pd.concat(parts, ignore_index=True)


def running_total(effects: Effects, prob: float) -> pd.DataFrame:
    """Return the campaign's incremental downloads added up day by day.

    The bounds are quantiles of the added-up draws, not added-up bounds.

    Parameters
    ----------
    effects : Effects
    prob : float

    Returns
    -------
    DataFrame
        Columns date, mean, lower, upper (downloads); one row per observed day of the campaign's
        window, the total so far on the days between windows, and before them the day before the
        first post with zeros where the data have it.
    """
    (unit,) = effects.units("campaign")
    positions, daily = effects.daily_draws(unit)
    total = np.cumsum(daily, axis=1)
    tail = (1.0 - prob) / 2.0
    lower, upper = np.quantile(total, [tail, 1.0 - tail], axis=0)
    rows = pd.DataFrame(
        {
            "date": effects.posterior.dates[positions],
            "mean": total.mean(axis=0),
            "lower": lower,
            "upper": upper,
        }
    )
    # nothing is added between windows: without their days a line would rise towards the next post
    inside = np.flatnonzero(unit.window)
    between = np.setdiff1d(np.arange(inside[0], inside[-1]), inside)
    resting = pd.DataFrame({"date": effects.posterior.dates[between]})
    rows = pd.concat([rows, resting]).sort_values("date", ignore_index=True).ffill()
    first = int(inside[0])
    if first == 0:
        return rows
    before = effects.posterior.dates[first - 1 : first]
    start = pd.DataFrame({"date": before, "mean": 0.0, "lower": 0.0, "upper": 0.0})
    return pd.concat([start, rows], ignore_index=True)


def post_curves(effects: Effects, table: pd.DataFrame, prob: float) -> dict[str, pd.DataFrame]:
    """Return the curve without each post in its own window and the week before.

    Parameters
    ----------
    effects : Effects
    table : DataFrame
        ``Effects.table("post")``.
    prob : float

    Returns
    -------
    dict of post to DataFrame
        Columns date, observed, mean, lower, upper (downloads/day), in the order of the table. Of
        more posts than fit in a figure, those with the largest effects.
    """
    largest = table["mean"].abs().sort_values(ascending=False, kind="stable").index[:MAX_PANELS]
    curves = {}
    for row in table.loc[sorted(largest)].to_dict("records"):
        whole = curve(effects.posterior, [str(row["unit"])], prob)
        since = row["start"] - pd.Timedelta(days=PANEL_LEAD_DAYS)
        curves[str(row["unit"])] = whole[whole["date"].between(since, row["end"])]
    return curves


def singles(effects: Effects, campaign: pd.DataFrame, prob: float) -> Singles:
    """Return the single effects of all posts added up, and the interaction index.

    Parameters
    ----------
    effects : Effects
    campaign : DataFrame
        ``Effects.table("campaign")``.
    prob : float

    Returns
    -------
    Singles
    """
    total = effects.draws("post").sum("post").to_numpy()
    tail = (1.0 - prob) / 2.0
    lower, upper = np.quantile(total, [tail, 1.0 - tail])
    index = float(campaign["interaction_index"].iloc[0])
    return Singles(float(total.mean()), float(lower), float(upper), index)
