"""A simulated campaign of the shape of a private one: to run the analysis without its data."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lift.data.campaign import Campaign
from lift.data.checks_shares import PREFIX
from lift.rng import stream

FloatArray = NDArray[np.float64]

NAME = "stand-in (simulated)"
DOWNLOADS = 2000.0
"""Downloads on the first day, whatever they are in the private campaign."""
LEVEL_SD, WEEK_SD, NOISE_SD = 0.01, 0.1, 0.08
IMPULSE_SD, DECAY = 0.5, 0.6
"""Size of a post's response (log units) and the share of it that is left a day later."""
VIEWS, VIEWS_SD = 1e5, 1.0
RETAINED = 0.2
GENERIC = ("influencer", "platform", "content", "audience")


def stand_in(campaign: Campaign, seed: int) -> Campaign:
    """Return a simulated campaign of the same shape as a private one.

    Kept are the days, the time zone and country, which values are missing, the days of the posts,
    who shares a level of an attribute with whom, and the names of the controls, which the
    specification may name. Everything else is simulated and depends on nothing private: counts,
    series, views, costs, and every name of a post, person, platform and content.

    Parameters
    ----------
    campaign : Campaign
        One market, or several that were fitted together.
    seed : int
        Root seed.

    Returns
    -------
    Campaign
    """
    names = campaign.markets
    alone = len(names) == 1
    parts = {name: campaign if alone else campaign.market(name) for name in names}
    downloads, controls, cohorts = [], [], []
    for name, part in parts.items():
        mark = () if alone else (name,)
        counts = _counts(part, stream(seed, "stand-in", "downloads", *mark))
        counts = np.where(part.downloads["downloads"].isna(), np.nan, counts)
        downloads.append(part.downloads.assign(downloads=counts))
        if part.controls is not None:
            rng = stream(seed, "stand-in", "controls", *mark)
            controls.append(_controls(part.controls, part.control_names, rng))
        if part.cohorts is not None:
            rng = stream(seed, "stand-in", "cohorts", *mark)
            cohorts.append(_cohorts(part.cohorts, rng))
    return Campaign(
        downloads=pd.concat(downloads, ignore_index=True),
        posts=_posts(campaign.posts, stream(seed, "stand-in", "posts")),
        controls=pd.concat(controls, ignore_index=True) if controls else None,
        timezone=campaign.timezone,
        country=campaign.country,
        name=NAME,
        cohorts=pd.concat(cohorts, ignore_index=True) if cohorts else None,
    )


def _controls(
    controls: pd.DataFrame, names: tuple[str, ...], rng: np.random.Generator
) -> pd.DataFrame:
    """Return a random walk in place of each series."""
    out = controls.copy()
    for name in names:
        out[name] = np.exp(4.0 + 0.03 * rng.normal(size=len(out)).cumsum())
    return out


def _counts(campaign: Campaign, rng: np.random.Generator) -> FloatArray:
    """Return a count for every day: level, week, posts and noise."""
    dates = campaign.dates
    n = len(dates)
    log_mean = np.log(DOWNLOADS) + LEVEL_SD * rng.normal(size=n).cumsum()
    log_mean += (WEEK_SD * rng.normal(size=7))[dates.day_of_week]
    local = campaign.posts["posted_at"].dt.tz_localize(None).dt.normalize()
    for day in (local - dates[0]).dt.days.to_numpy():
        since = np.arange(n) - day
        size = abs(IMPULSE_SD * rng.normal())
        log_mean += np.where(since >= 0, size * DECAY ** np.maximum(since, 0), 0.0)
    return np.asarray(rng.poisson(np.exp(log_mean + NOISE_SD * rng.normal(size=n))), dtype=float)


def _posts(posts: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Return posts at noon of the same days, with generic names and simulated amounts."""
    out = posts.copy()
    out["post_id"] = [f"post_{i + 1:03d}" for i in range(len(posts))]
    noon = posts["posted_at"].dt.tz_localize(None).dt.normalize() + pd.Timedelta(hours=12)
    out["posted_at"] = noon.dt.tz_localize(posts["posted_at"].dt.tz)
    for name in GENERIC:
        levels = {level: i + 1 for i, level in enumerate(sorted(posts[name].dropna().unique()))}
        out[name] = [
            pd.NA if pd.isna(level) else f"{name}_{levels[level]}" for level in posts[name]
        ]
    for name in ("views", "cost"):
        drawn = np.round(VIEWS * np.exp(VIEWS_SD * rng.normal(size=len(posts))))
        out[name] = np.where(posts[name].isna(), np.nan, np.maximum(drawn, 1.0))
    shares = [name for name in posts.columns if str(name).startswith(PREFIX)]
    if shares:
        # which markets a post reaches is kept, and the same share in each takes its place
        reached = posts[shares] > 0.0
        even = reached.div(reached.sum(axis=1), axis=0)
        out[shares] = even.where(posts[shares].notna())
    return out


def _cohorts(cohorts: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Return as many cohorts with simulated installs, of whom a share was active again."""
    out = cohorts.copy()
    installs = rng.poisson(DOWNLOADS, size=len(cohorts)).astype(float)
    out["installs"] = np.where(cohorts["installs"].isna(), np.nan, installs)
    for name in [name for name in cohorts.columns if str(name).startswith("active_d")]:
        active = rng.binomial(installs.astype(np.int64), RETAINED).astype(float)
        out[name] = np.where(cohorts[name].isna(), np.nan, active)
    return out
