"""Small campaigns and hyperparameter points that tests of model, engines and analysis share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lift.data.campaign import Campaign
from lift.rng import stream

FloatArray = NDArray[np.float64]

START = "2025-01-01"
PEOPLE = ("ann", "bob", "ann", "cia", "bob", "dan", "ann", "bob")
PLATFORMS = ("tiktok", "instagram", "tiktok", "youtube")
CONTENTS = ("beauty", "travel", "beauty")


def post_table(times: Sequence[float], *, start: str = START, **columns: Any) -> pd.DataFrame:
    """Return posts at times in days since the first midnight (UTC), with the columns given."""
    stamps = [
        pd.Timestamp(start, tz="UTC") + pd.Timedelta(minutes=round(time * 1440)) for time in times
    ]
    ids = [f"p{i + 1}" for i in range(len(times))]
    return pd.DataFrame({"post_id": ids, "posted_at": stamps, **columns})


def rich_posts(times: Sequence[float], *, start: str = START) -> pd.DataFrame:
    """Return posts with every attribute that the model uses."""
    n = len(times)
    return post_table(
        times,
        start=start,
        influencer=[PEOPLE[i % len(PEOPLE)] for i in range(n)],
        platform=[PLATFORMS[i % len(PLATFORMS)] for i in range(n)],
        content=[CONTENTS[i % len(CONTENTS)] for i in range(n)],
        creator_type=["virtual" if i % 3 == 1 else "human" for i in range(n)],
        sponsored=[i % 4 != 3 for i in range(n)],
        views=[1e5 * (1 + 2 * ((3 * i) % 5)) for i in range(n)],
    )


def daily_downloads(
    n_days: int,
    times: Sequence[float] = (),
    *,
    level: float = 1000.0,
    noise: float = 0.08,
    impulse: float = 0.6,
    seed: int = 1,
) -> FloatArray:
    """Return whole downloads: a slow random walk, a week, posts that decay by half a day, noise."""
    rng = stream(seed, "tests", "downloads")
    days = np.arange(n_days)
    log_mean = np.log(level) + 0.01 * rng.normal(size=n_days).cumsum()
    log_mean += 0.1 * np.sin(2 * np.pi * days / 7)
    for time in times:
        since = days - np.floor(time)
        log_mean += np.where(since >= 0, impulse * 0.5 ** (np.maximum(since, 0) + 1), 0.0)
    return np.asarray(rng.poisson(np.exp(log_mean + noise * rng.normal(size=n_days))), dtype=float)


def campaign(
    n_days: int = 80,
    times: Sequence[float] = (30.4, 48.8),
    *,
    posts: pd.DataFrame | None = None,
    level: float = 1000.0,
    impulse: float = 0.6,
    seed: int = 1,
    n_controls: int = 0,
    missing: Sequence[int] = (),
    start: str = START,
    **settings: Any,
) -> Campaign:
    """Return a small campaign; ``missing`` are the positions of days that were not observed."""
    values = daily_downloads(n_days, times, level=level, impulse=impulse, seed=seed)
    values[list(missing)] = np.nan
    dates = pd.date_range(start, periods=n_days)
    controls = None
    if n_controls:
        rng = stream(seed, "tests", "controls")
        walks = np.exp(3.0 + 0.2 * rng.normal(size=(n_days, n_controls)))
        names = [f"series_{k}" for k in range(n_controls)]
        controls = pd.DataFrame(walks, columns=names)
        controls.insert(0, "date", dates)
    return Campaign(
        downloads=pd.DataFrame({"date": dates, "downloads": values}),
        posts=post_table(times, start=start) if posts is None else posts,
        controls=controls,
        **settings,
    )


def rich_campaign(
    n_days: int = 100, times: Sequence[float] = (30.4, 41.9, 41.9, 60.1, 75.5, 97.25), **rest: Any
) -> Campaign:
    """Return a campaign with groups, influencers, views, controls, holes and a post at the end."""
    start = rest.pop("start", START)
    given: dict[str, Any] = {"n_controls": 2, "missing": (3, 20, 42, 43, 99)}
    return campaign(
        n_days, times, posts=rich_posts(times, start=start), start=start, **(given | rest)
    )


def points(dim: int, n: int, *, seed: int = 1, spread: float = 1.0) -> FloatArray:
    """Return standard normal coordinates of hyperparameters, shape (n, dim)."""
    return spread * stream(seed, "tests", "points").normal(size=(n, dim))
