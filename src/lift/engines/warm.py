"""Compile the engines' kernels into the cache on disk: ``python -m lift.engines.warm``."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lift.data.campaign import Campaign
from lift.engines.base import SampleSettings
from lift.engines.exact import fit_exact
from lift.engines.gibbs import fit_gibbs
from lift.engines.markets import fit_markets
from lift.exponential import exponential, exponential_less_one
from lift.model.spec import ModelSpec

N_DAYS = 60


def warm() -> None:
    """Fit tiny campaigns of every form, so that later processes find compiled kernels."""
    for fill in (exponential, exponential_less_one):
        fill(np.zeros(1))
    dates = pd.date_range("2025-01-01", periods=N_DAYS)
    wave = np.round(100 + 10 * np.sin(np.arange(N_DAYS)))
    downloads = pd.DataFrame({"date": dates, "downloads": wave})
    posts = pd.DataFrame({"post_id": ["one"], "posted_at": [pd.Timestamp("2025-02-01", tz="UTC")]})
    campaign = Campaign(downloads=downloads, posts=posts)
    settings: tuple[dict[str, object], ...] = (
        {"likelihood": "lognormal"},
        {"likelihood": "negative_binomial"},
        {"baseline": {"trend": "damped"}},
        {"baseline": {"trend": "damped"}, "likelihood": "negative_binomial"},
    )
    for setting in settings:
        spec = ModelSpec.model_validate(setting)
        fit_exact(campaign, spec, SampleSettings(draws=100, chains=1))
    many = pd.DataFrame(
        {
            "post_id": [f"p{i}" for i in range(2 * N_DAYS)],
            "posted_at": pd.date_range("2025-01-20", periods=2 * N_DAYS, freq="8h", tz="UTC"),
        }
    )
    crowded = Campaign(downloads=downloads, posts=many)
    fit_exact(crowded, ModelSpec(), SampleSettings(draws=100, chains=1))
    for likelihood in ("lognormal", "negative_binomial"):
        spec = ModelSpec.model_validate({"likelihood": likelihood})
        fit_gibbs(campaign, spec, SampleSettings(draws=100, chains=1))
    markets = Campaign(
        downloads=pd.concat([downloads.assign(market=name) for name in ("A", "B")]), posts=posts
    )
    for likelihood in ("lognormal", "negative_binomial"):
        spec = ModelSpec.model_validate({"likelihood": likelihood})
        fit_markets(markets, spec, SampleSettings(draws=100, chains=1))


if __name__ == "__main__":
    warm()
