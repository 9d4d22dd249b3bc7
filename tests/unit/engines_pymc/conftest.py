from __future__ import annotations

import pytest

from lift.data.campaign import Campaign
from lift.data.simulate import SimulationConfig, simulate_campaign

SMALL = {"n_days": 100, "n_posts": 5, "first_post_day": 30, "n_influencers": 2}


@pytest.fixture(scope="session")
def lognormal_campaign() -> Campaign:
    """Five posts of two influencers on two platforms, with days that were not observed."""
    config = SimulationConfig(missing_share=0.1, holiday_sd=0.2, country="IT", **SMALL)
    return simulate_campaign(config, seed=5)[0]


@pytest.fixture(scope="session")
def count_campaign() -> Campaign:
    """Few downloads, zeros among them, and days that were not observed."""
    config = SimulationConfig(
        missing_share=0.1,
        outcome="negative_binomial",
        daily_downloads=2.5,
        noise_sd=0.3,
        **SMALL,
    )
    return simulate_campaign(config, seed=6)[0]
