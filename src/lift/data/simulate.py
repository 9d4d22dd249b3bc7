"""Simulated campaigns whose true effects are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lift.data.arguments import check_kinds
from lift.data.calendar import holiday_table
from lift.data.campaign import Campaign
from lift.data.simulated_posts import clock, draw_impulses, draw_posts, log_lift
from lift.data.simulation_config import SimulationConfig
from lift.data.truth import true_effects
from lift.rng import stream

FloatArray = NDArray[np.float64]

__all__ = ["Simulation", "SimulationConfig", "simulate", "simulate_campaign"]

DAYS_PER_YEAR = 365.25
WEEK_DAYS = 7
CONTROL_WALK_SHARE = 0.6
CONTROL_LEVEL = 100_000.0
CONTROL_LOG_SD = 0.15


@dataclass(frozen=True, eq=False)
class Simulation:
    """A simulated campaign with all that it was made of.

    Attributes
    ----------
    config : SimulationConfig
    campaign : Campaign
    truth : DataFrame
        As :func:`simulate_campaign` returns it.
    impulses : ndarray, shape (n_posts,), log-lift-days
        Whole response to each post.
    log_lift : ndarray, shape (n_days, n_posts), log units
        Response to each post by day.
    baseline : ndarray, shape (n_days,), log downloads/day
        Downloads without posts and noise, on the log scale.
    """

    config: SimulationConfig
    campaign: Campaign
    truth: pd.DataFrame
    impulses: FloatArray
    log_lift: FloatArray
    baseline: FloatArray


def simulate_campaign(
    config: SimulationConfig | None = None, *, seed: int, horizon_days: int = 28
) -> tuple[Campaign, pd.DataFrame]:
    """Return a simulated campaign and its true effects.

    Parameters
    ----------
    config : SimulationConfig, optional
        What it is like; the default one if not given.
    seed : int
        Root seed; the same seed gives the same campaign.
    horizon_days : int
        Days after a post that count in its effect, as ``ModelSpec.horizon_days``.

    Returns
    -------
    campaign : Campaign
    truth : DataFrame
        Columns by ("post", "influencer", "platform", "creator_type", "content", "campaign"), unit
        and truth: leave-one-out incremental downloads over the horizon, on the observed days.

    Raises
    ------
    InputError
        If an argument is of another kind, or the configuration makes a campaign that cannot be
        analysed, such as one with too few observed days before the first post.
    """
    config = SimulationConfig() if config is None else config
    check_kinds(
        config=(config, SimulationConfig, "make one with lift.data.simulate.SimulationConfig(...)"),
        seed=(seed, int, "give a whole number, 0 or larger"),
        horizon_days=(horizon_days, int, "give a whole number of days"),
    )
    made = simulate(config, seed=seed, horizon_days=horizon_days)
    return made.campaign, made.truth


def simulate(
    config: SimulationConfig,
    *,
    seed: int,
    horizon_days: int = 28,
    posts: pd.DataFrame | None = None,
) -> Simulation:
    """Return a simulated campaign with all that it was made of.

    Parameters
    ----------
    config : SimulationConfig
    seed : int
        Root seed.
    horizon_days : int
        Days after a post that count in its effect.
    posts : DataFrame, optional
        The posts, in order of time, instead of simulated ones; their effects are simulated.

    Returns
    -------
    Simulation

    Raises
    ------
    InputError
        If the campaign cannot be analysed.
    """
    if posts is None:
        posts = draw_posts(config, seed)
    impulses = draw_impulses(config, posts, seed)
    lift = log_lift(config, posts, impulses)
    dates = pd.date_range(pd.Timestamp(config.start), periods=config.n_days, name="date")
    controls, pull = _controls(config, dates, seed)
    baseline = _level(config, seed) + _seasons(config, dates, seed) + pull
    downloads = _downloads(config, baseline + lift.sum(axis=1), seed)
    campaign = Campaign(
        downloads=pd.DataFrame({"date": dates, "downloads": downloads}),
        posts=posts,
        controls=controls,
        timezone=config.timezone,
        country=config.country,
        name=config.name,
    )
    days, _ = clock(config, posts)
    truth = true_effects(downloads, posts, days, lift, horizon_days)
    return Simulation(config, campaign, truth, impulses, lift, baseline)


def _level(config: SimulationConfig, seed: int) -> FloatArray:
    """Return the level: a random walk with drift that begins at the median downloads."""
    steps = stream(seed, "simulate", "level").normal(size=config.n_days - 1)
    steps = config.level_sd * steps + config.growth / DAYS_PER_YEAR
    return np.asarray(np.log(config.daily_downloads) + np.concatenate([[0.0], np.cumsum(steps)]))


def _seasons(config: SimulationConfig, dates: pd.DatetimeIndex, seed: int) -> FloatArray:
    """Return the sum of week, year and holidays."""
    week = config.week_sd * stream(seed, "simulate", "week").normal(size=WEEK_DAYS)
    out = (week - week.mean())[dates.day_of_week.to_numpy()]
    rng = stream(seed, "simulate", "year")
    angle = 2 * np.pi * dates.day_of_year.to_numpy() / DAYS_PER_YEAR
    for pair in (1, 2):
        sine, cosine = config.year_sd / pair * rng.normal(size=2)
        out = out + sine * np.sin(pair * angle) + cosine * np.cos(pair * angle)
    table = holiday_table(config.country, dates[0], dates[-1])
    for name in sorted(set(table["holiday"])):
        size = config.holiday_sd * stream(seed, "simulate", "holiday", str(name)).normal()
        out = out + size * np.asarray(dates.isin(table["date"][table["holiday"] == name]))
    return np.asarray(out)


def _controls(
    config: SimulationConfig, dates: pd.DatetimeIndex, seed: int
) -> tuple[pd.DataFrame | None, FloatArray]:
    """Return the table of controls, and what they add to log downloads."""
    pull = np.zeros(config.n_days)
    columns = {}
    for name in (*config.controls, *config.idle_controls):
        rng = stream(seed, "simulate", "control", name)
        walk = np.cumsum(rng.normal(size=config.n_days))
        daily = rng.normal(size=config.n_days) + rng.normal(size=WEEK_DAYS)[dates.day_of_week]
        mixed = CONTROL_WALK_SHARE * walk / walk.std() + (1 - CONTROL_WALK_SHARE) * daily
        score = (mixed - mixed.mean()) / mixed.std()
        columns[name] = np.rint(CONTROL_LEVEL * np.exp(CONTROL_LOG_SD * score))
        if name in config.controls:
            pull = pull + config.control_sd * rng.normal() * score
    if not columns:
        return None, pull
    return pd.DataFrame({"date": dates, **columns}), pull


def _downloads(config: SimulationConfig, log_mean: FloatArray, seed: int) -> FloatArray:
    """Return the downloads of each day; NaN on days that are not observed."""
    rng = stream(seed, "simulate", "noise")
    mean = np.exp(log_mean)
    if config.outcome == "negative_binomial":
        if config.noise_sd > 0:
            size = 1.0 / config.noise_sd**2
            mean = mean * rng.gamma(size, 1.0 / size, config.n_days)
    else:
        mean = mean * np.exp(config.noise_sd * rng.normal(size=config.n_days))
    values = (
        np.rint(mean) if config.outcome == "lognormal" else rng.poisson(mean).astype(np.float64)
    )
    n_missing = round(config.missing_share * config.n_days)
    gaps = stream(seed, "simulate", "missing").permutation(config.n_days)[:n_missing]
    values[gaps] = np.nan
    return values
