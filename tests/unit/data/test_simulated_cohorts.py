"""Simulated cohorts: what was put in comes out of large numbers, and users have a truth."""

from __future__ import annotations

import numpy as np
from scipy.special import expit, logit

from lift.data.simulate import SimulationConfig, simulate
from lift.data.simulated_cohorts import CohortConfig, with_cohorts

CONFIG = SimulationConfig(n_days=150, n_posts=3, first_post_day=60, daily_downloads=1e6)
STILL = CohortConfig(
    retention={7: 0.2}, odds_ratio=0.5, activation=0.9, drift_sd=0, week_sd=0, kappa=1e9
)


def test_rates_mix_posts_and_others() -> None:
    made = simulate(CONFIG, seed=2)
    campaign, _ = with_cohorts(made, STILL, seed=2)
    assert campaign.cohorts is not None
    table = campaign.cohorts
    downloads = campaign.downloads["downloads"].to_numpy()
    np.testing.assert_allclose(table["installs"] / downloads, 0.9, atol=0.003)
    assert table["active_d7"].isna().sum() == 7
    assert table["active_d7"].isna().to_numpy()[-7:].all()
    share = np.maximum(-np.expm1(-made.log_lift.sum(axis=1)), 0.0)
    expected = (1 - share) * 0.2 + share * expit(logit(0.2) + np.log(0.5))
    seen = table["active_d7"].notna().to_numpy()
    rate = (table["active_d7"] / table["installs"]).to_numpy()[seen]
    # sd of a rate: sqrt(0.2 * 0.8 / 9e5) = 0.0004
    np.testing.assert_allclose(rate, expected[seen], atol=0.003)


def test_true_users_are_true_downloads_times_retention() -> None:
    made = simulate(CONFIG, seed=2)
    _, truth = with_cohorts(made, STILL, seed=2)
    both = truth.merge(made.truth, on=["by", "unit"], suffixes=("", "_downloads"))
    assert len(both) == len(made.truth)
    # the response to one post has one sign on all its days
    posts = both[both["by"] == "post"]
    lost = posts["truth_downloads"].to_numpy() < 0
    assert 0 < lost.sum() < len(lost)
    rates = np.where(lost, 0.2, expit(logit(0.2) + np.log(0.5)))
    np.testing.assert_allclose(posts["truth"], 0.9 * rates * posts["truth_downloads"], rtol=1e-9)


def test_the_seed_decides() -> None:
    made = simulate(CONFIG, seed=2)
    one, other = (with_cohorts(made, seed=seed)[0].digests["cohorts"] for seed in (2, 3))
    assert one == with_cohorts(made, seed=2)[0].digests["cohorts"]
    assert one != other


def test_days_without_downloads_have_no_cohort() -> None:
    made = simulate(CONFIG.model_copy(update={"missing_share": 0.1}), seed=2)
    campaign, _ = with_cohorts(made, seed=2)
    assert campaign.cohorts is not None
    assert len(campaign.cohorts) == 135
