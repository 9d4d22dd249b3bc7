"""Draws from the prior of several markets have in common what the model says."""

from __future__ import annotations

import numpy as np
import pandas as pd
from small_campaigns import daily_downloads, post_table

from lift.data.campaign import Campaign
from lift.model.markets import build_markets
from lift.model.markets_prior import draw_markets_prior
from lift.model.prior import draw_downloads
from lift.model.spec import ModelSpec

STILL = 1e7
"""Rate of an sd that is then nothing."""


def two_markets() -> Campaign:
    dates = pd.date_range("2025-01-01", periods=80)
    tables = [
        pd.DataFrame({"date": dates, "market": name, "downloads": daily_downloads(80)})
        for name in ("AT", "CH")
    ]
    posts = post_table((30.4, 50.2), market=["AT", None])
    return Campaign(downloads=pd.concat(tables), posts=posts)


def test_markets_share_a_path_and_posts_spill_over() -> None:
    spec = ModelSpec.model_validate(
        {
            "baseline": {"week": False, "level_rate": STILL, "noise_rate": STILL},
            "response": {"market_rate": STILL},
            "markets": {"shared_level": True, "shared_noise": True, "spill_over": True},
        }
    )
    design = build_markets(two_markets(), spec)
    found = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        at, ch = draw_markets_prior(design, [8.0, 7.0], rng)
        # what is left of a market's log downloads without its posts
        paths = [drawn.log_mean - drawn.log_lift.sum(axis=1) for drawn in (at, ch)]
        np.testing.assert_allclose(paths[0] - 8.0, paths[1] - 7.0, atol=1e-4)
        share = ch.values[design.designs[1].position("spill_over")]
        np.testing.assert_allclose(ch.amplitude, [share, 1.0] * at.amplitude, atol=1e-5)
        downloads = draw_downloads(design.designs[0], at, rng)
        np.testing.assert_allclose(np.log(downloads), at.log_mean, atol=1e-4)
        steps = np.diff(paths[0])
        level = at.values[design.designs[0].position("shared_level_sd")]
        shock = at.values[design.designs[0].position("shared_noise_sd")]
        found.append(steps / np.sqrt(level**2 + 2 * shock**2))
    # 5 standard errors of a variance
    assert abs(np.var(found) - 1) < 5 * np.sqrt(2 * 1.5 / np.size(found))
