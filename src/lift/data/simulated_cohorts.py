"""Cohorts of a simulated campaign, whose posts bring users that are retained otherwise."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field
from scipy.special import expit, logit

from lift.data.campaign import Campaign
from lift.data.closed import Closed
from lift.data.simulate import Simulation
from lift.data.simulated_posts import clock
from lift.data.simulation_config import Finite, InnerShare, NonNegative, Positive
from lift.data.truth import true_effects
from lift.rng import stream

FloatArray = NDArray[np.float64]

MONTH_DAYS = 30
WEEK_DAYS = 7


class CohortConfig(Closed):
    """How the users of a simulated campaign are retained; immutable, closed to unknown keys.

    Attributes
    ----------
    retention : dict of int to float
        Share of organic installs that are active a number of days later, on the first day of the
        data; the days are those of the table.
    odds_ratio : float
        Odds of the retention of post-driven installs over those of organic ones.
    activation : float
        Installs per download.
    drift_sd : float
        Sd of what the log-odds of retention drift in 30 days.
    week_sd : float
        Sd of a weekday's log-odds of retention.
    kappa : float
        A day's rates vary beyond chance by ``sqrt(R (1 - R) / (kappa + 1))``.
    """

    retention: Annotated[
        dict[Annotated[int, Field(ge=1, le=9999)], InnerShare], Field(min_length=1)
    ] = Field(default_factory=lambda: {1: 0.3, 7: 0.15, 30: 0.07})
    odds_ratio: Positive = 0.6
    activation: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    drift_sd: NonNegative = 0.1
    week_sd: NonNegative = 0.05
    kappa: Annotated[Finite, Field(gt=0.0)] = 300.0


def with_cohorts(
    made: Simulation,
    config: CohortConfig | None = None,
    *,
    seed: int,
    horizon_days: int = 28,
) -> tuple[Campaign, pd.DataFrame]:
    """Return a simulated campaign with a cohort table, and the true incremental users.

    Parameters
    ----------
    made : Simulation
    config : CohortConfig, optional
        The default one if not given.
    seed : int
        Root seed.
    horizon_days : int
        Days after a post whose installs count in its effect.

    Returns
    -------
    campaign : Campaign
        Cohorts younger than a day after the install have no value for it; there are none where
        downloads were not observed.
    truth : DataFrame
        Columns by, unit, day and truth (people): leave-one-out, the users expected of the installs
        that the posts brought within the horizon, ``sum_t Y_t (1 - exp(-F_t)) a R_t(day)``;
        installs that they kept away count with the retention of those that came anyway.
    """
    config = config or CohortConfig()
    base = made.campaign
    dates = base.dates
    n = len(dates)
    downloads = base.downloads["downloads"].to_numpy()
    rng = stream(seed, "simulate", "cohorts")
    seen = np.isfinite(downloads)
    installs = np.full(n, np.nan)
    installs[seen] = rng.binomial(downloads[seen].astype(np.int64), config.activation)
    share = np.maximum(-np.expm1(-made.log_lift.sum(axis=1)), 0.0)
    drift = config.drift_sd / np.sqrt(MONTH_DAYS) * np.cumsum(rng.normal(size=n))
    week = config.week_sd * rng.normal(size=WEEK_DAYS)
    moved = drift - drift[0] + (week - week.mean())[dates.day_of_week]
    post_days, _ = clock(made.config, base.posts)
    columns, truths = {}, []
    for day in sorted(config.retention):
        organic = logit(config.retention[day]) + moved
        brought = expit(organic + np.log(config.odds_ratio))
        rate = (1.0 - share) * expit(organic) + share * brought
        rate = np.clip(rate, 1e-9, 1.0 - 1e-9)
        today = rng.beta(config.kappa * rate, config.kappa * (1.0 - rate))
        active = np.full(n, np.nan)
        active[seen] = rng.binomial(installs[seen].astype(np.int64), today[seen])
        active[n - day :] = np.nan
        columns[f"active_d{day}"] = active
        users, anyway = (downloads * config.activation * own for own in (brought, expit(organic)))
        truth = true_effects(users, base.posts, post_days, made.log_lift, horizon_days, anyway)
        truth.insert(2, "day", day)
        truths.append(truth)
    table = pd.DataFrame({"install_date": dates, "installs": installs, **columns})
    campaign = Campaign(
        downloads=base.downloads.drop(columns="market"),
        posts=base.posts.drop(columns="market"),
        controls=None if base.controls is None else base.controls.drop(columns="market"),
        timezone=base.timezone,
        country=base.country,
        name=base.name,
        cohorts=table[table["installs"].notna()].reset_index(drop=True),
    )
    return campaign, pd.concat(truths, ignore_index=True)
