"""Posts of a simulated campaign, and what they add to log downloads."""

from __future__ import annotations

from datetime import datetime, time, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lift.data.simulation_config import SimulationConfig
from lift.rng import stream

FloatArray = NDArray[np.float64]

POSTING_HOURS = (8.0, 23.5)
HOME_SHARE = 0.75
COST_PER_VIEW = 0.012
COST_LOG_SD = 0.4
STUDENT_DF = 4


def draw_posts(config: SimulationConfig, seed: int) -> pd.DataFrame:
    """Return the table of posts of a simulated campaign, in order of time.

    Parameters
    ----------
    config : SimulationConfig
    seed : int
        Root seed.

    Returns
    -------
    DataFrame
        The columns of a campaign's posts, without audience and market.
    """
    n = config.n_posts
    times = _times(config, seed)
    people = _influencers(config, seed)
    rng = stream(seed, "simulate", "posts")
    # Everybody posts once before anybody posts twice.
    turns = [rng.permutation(len(people)) for _ in range(n // len(people) + 1)]
    who = rng.permutation(np.concatenate(turns)[:n])
    own = people.iloc[who].reset_index(drop=True)
    at_home = rng.random(n) < HOME_SHARE
    elsewhere = rng.integers(len(config.platforms), size=n)
    platform = np.where(at_home, own["platform"], np.array(config.platforms)[elsewhere])
    spread = config.views_sd * np.sqrt(0.5)
    views = np.exp(
        np.log(config.views_median) + spread * own["reach"] + spread * rng.normal(size=n)
    )
    sponsored = rng.random(n) < config.sponsored_share
    price = COST_PER_VIEW * np.exp(COST_LOG_SD * rng.normal(size=n))
    width = max(2, len(str(n)))
    return pd.DataFrame(
        {
            "post_id": [f"p{i + 1:0{width}d}" for i in range(n)],
            "posted_at": [_stamp(config, day) for day in times],
            "influencer": own["influencer"],
            "platform": platform,
            "creator_type": own["creator_type"],
            "content": own["content"],
            "sponsored": sponsored,
            "views": np.maximum(np.rint(views), 1.0) if config.views_given else np.nan,
            "cost": np.where(sponsored, np.rint(views * price), 0.0),
        }
    )


def _times(config: SimulationConfig, seed: int) -> FloatArray:
    """Return the sorted times of the posts in days since the first midnight."""
    rng = stream(seed, "simulate", "times")
    first, last = config.post_days
    n_bursts = max(1, round(config.n_posts * config.overlap / config.posts_per_burst))
    middles = rng.uniform(first, last + 1, n_bursts)
    days = rng.uniform(first, last + 1, config.n_posts)
    in_burst = rng.random(config.n_posts) < config.overlap
    near = middles[rng.integers(n_bursts, size=config.n_posts)]
    near = near + config.burst_days * rng.normal(size=config.n_posts)
    day = np.clip(np.floor(np.where(in_burst, near, days)), first, last)
    minutes = np.floor(60 * rng.uniform(*POSTING_HOURS, size=config.n_posts))
    return np.sort(day + minutes / (24 * 60))


def _stamp(config: SimulationConfig, day: float) -> pd.Timestamp:
    minutes = round((day % 1) * 24 * 60)
    midnight = datetime.combine(config.start + timedelta(days=int(day)), time())
    return pd.Timestamp(midnight + timedelta(minutes=minutes)).tz_localize(
        config.timezone, ambiguous=True, nonexistent="shift_forward"
    )


def _influencers(config: SimulationConfig, seed: int) -> pd.DataFrame:
    rng = stream(seed, "simulate", "influencers")
    n = config.n_influencers
    n_virtual = round(config.virtual_share * n)
    if config.virtual_share > 0 and n > 1:
        n_virtual = max(1, n_virtual)
    virtual = rng.permutation(np.arange(n) < n_virtual)
    return pd.DataFrame(
        {
            "influencer": [f"creator_{i + 1:02d}" for i in range(n)],
            "creator_type": np.where(virtual, "virtual", "human"),
            "content": np.array(config.contents)[rng.integers(len(config.contents), size=n)],
            "platform": np.array(config.platforms)[rng.integers(len(config.platforms), size=n)],
            "reach": rng.normal(size=n),
        }
    )


def draw_impulses(config: SimulationConfig, posts: pd.DataFrame, seed: int) -> FloatArray:
    """Return the whole response to each post.

    Parameters
    ----------
    config : SimulationConfig
    posts : DataFrame
        With influencer, platform, creator_type, content and views.
    seed : int
        Root seed.

    Returns
    -------
    ndarray, shape (n_posts,), log-lift-days
        Mean, plus deviations of platform, content, creator type, influencer and post; times the
        views, over their geometric mean, to the power of the elasticity.
    """
    n = len(posts)
    amplitude = np.full(n, config.amplitude_mean)
    sds = dict.fromkeys(("platform", "content", "creator_type"), config.group_sd)
    for attribute, sd in (sds | {"influencer": config.influencer_sd}).items():
        levels = {
            level: sd * stream(seed, "simulate", "amplitude", attribute, str(level)).normal()
            for level in sorted(set(posts[attribute]))
        }
        amplitude += posts[attribute].map(levels).to_numpy(dtype=np.float64)
    amplitude += config.post_sd * _deviations(config, n, seed)
    log_views = np.log(posts["views"].to_numpy(dtype=np.float64))
    if np.isfinite(log_views).all():
        amplitude *= np.exp(config.views_elasticity * (log_views - log_views.mean()))
    return amplitude


def _deviations(config: SimulationConfig, n: int, seed: int) -> FloatArray:
    """Return independent numbers with mean 0 and sd 1."""
    rng = stream(seed, "simulate", "amplitude", "posts")
    if config.amplitude_family == "normal":
        return rng.normal(size=n)
    if config.amplitude_family == "skewed":
        return np.asarray(rng.exponential(size=n) - 1.0)
    return np.asarray(rng.standard_t(STUDENT_DF, size=n) / np.sqrt(STUDENT_DF / (STUDENT_DF - 2)))


def daily_shares(first_day_share: float, shape: float, fraction: float, n_days: int) -> FloatArray:
    """Return how the response to a post is spread over calendar days.

    Parameters
    ----------
    first_day_share : float
        Share within 24 hours of posting, of a response that never ends, in (0, 1).
    shape : float
        Weibull shape, positive.
    fraction : float
        Part of the first day that had passed, in [0, 1).
    n_days : int
        Calendar days until the response has ended, the first included.

    Returns
    -------
    ndarray, shape (n_days,)
        Sums to 1: Weibull probabilities of the days, given the last midnight.
    """
    scale = (-np.log1p(-first_day_share)) ** (-1.0 / shape)
    midnights = np.concatenate([[0.0], np.arange(1, n_days + 1) - fraction])
    done = 1.0 - np.exp(-((midnights / scale) ** shape))
    return np.asarray(np.diff(done) / done[-1])


def log_lift(config: SimulationConfig, posts: pd.DataFrame, impulses: FloatArray) -> FloatArray:
    """Return what each post adds to log downloads on each day.

    Parameters
    ----------
    config : SimulationConfig
    posts : DataFrame
        With posted_at in the zone of the campaign, and platform.
    impulses : ndarray, shape (n_posts,), log-lift-days

    Returns
    -------
    ndarray, shape (n_days, n_posts), log units
    """
    out = np.zeros((config.n_days, len(posts)))
    for j, (day, fraction) in enumerate(zip(*clock(config, posts), strict=True)):
        platform = str(posts["platform"].iloc[j])
        shares = daily_shares(
            config.on_platform(platform, config.first_day_share),
            config.on_platform(platform, config.kernel_shape),
            float(fraction),
            config.response_days,
        )
        n = min(config.response_days, config.n_days - int(day))
        out[int(day) : int(day) + n, j] = impulses[j] * shares[:n]
    return out


def clock(
    config: SimulationConfig, posts: pd.DataFrame
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the day of each post, counted from 0, and the part of it that had passed."""
    wall = [pd.Timestamp(stamp).tz_convert(config.timezone) for stamp in posts["posted_at"]]
    days = [(stamp.date() - config.start).days for stamp in wall]
    passed = [(s.hour + s.minute / 60 + s.second / 3600) / 24 for s in wall]
    return np.array(days, dtype=np.int64), np.array(passed)
