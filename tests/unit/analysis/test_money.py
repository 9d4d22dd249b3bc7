"""Money: quotients that stay honest, and what counts where costs and views are partly known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from small_posteriors import hand_made

from lift.analysis.effects import Effects
from lift.analysis.money import cost_per, money
from lift.analysis.outcomes import long_table, outcomes
from lift.analysis.retention import assumed_retention
from lift.analysis.schema import LONG_COLUMNS
from lift.errors import InputError
from lift.model.assumption import RetentionAssumption
from lift.model.posterior import Posterior
from lift.rng import stream

ASSUMED = RetentionAssumption.model_validate(
    {
        "activation": "included",
        "retention": {30: {"mean": 0.1, "n": 1e9}},
        "quality": {"sd": 0.0},
    }
)


def posterior(
    costs: tuple[float, ...] = (100.0, 50.0, np.nan),
    mean: tuple[float, ...] = (0.7, 0.0, 0.5),
    views: tuple[float, ...] = (1e4, np.nan, 2e4),
) -> Posterior:
    """Return three posts of two people; the second may have no effect."""
    made = hand_made(
        stream(1, "tests", "money").normal(mean, 0.15, size=(400, 3)),
        [20, 30, 60],
        np.full(90, 1000.0),
        window_days=20,
        horizon_days=14,
        text={"influencer": ["ann", "bob", "ann"]},
        views=views,
        attrs={"seed": 3},
    )
    groups = dict(made.tree.children.items())
    constant = made.tree["constant_data"].to_dataset().assign(cost=("post", list(costs)))
    groups["constant_data"] = xr.DataTree(constant)
    return Posterior(xr.DataTree(made.tree.to_dataset(), children=groups))


def test_cost_of_a_clear_effect() -> None:
    draws = stream(2, "tests", "clear").normal(200, 20, size=4000)
    found = cost_per(draws, 1000.0)
    assert found.median == pytest.approx(1000 / np.median(draws))
    assert found.lower == pytest.approx(1000 / np.quantile(draws, 0.975))
    assert found.upper == pytest.approx(1000 / np.quantile(draws, 0.025))


@pytest.mark.parametrize(
    ("mean", "bounded"), [(100.0, True), (19.0, False), (0.0, False), (-100.0, False)]
)
def test_a_cost_is_bounded_only_where_the_effect_is_clear(mean: float, bounded: bool) -> None:
    draws = stream(3, "tests", "nil").normal(mean, 10, size=4000)
    found = cost_per(draws, 1000.0)
    assert np.isfinite(found.upper) == bounded
    assert np.isfinite(found.lower) == (mean >= 0)
    if mean == 0.0:
        assert found.lower > 0


def test_three_draws_of_a_hundred_that_are_nil_leave_the_cost_open() -> None:
    """The quantile lies between a draw that is nil and one that is not."""
    found = cost_per(np.array([-1e-9] * 3 + [100.0] * 97), 1000.0)
    assert np.isinf(found.upper)
    assert found.lower == found.median == 10.0


def test_the_interval_of_a_cost_holds_it_as_often_as_it_says() -> None:
    """The set of costs from lower to upper is that of effects: an infinite cost is no effect."""
    rng = stream(4, "tests", "fieller")
    inside = 0
    for _ in range(2000):
        truth = rng.normal(10, 10)
        estimate = truth + 8 * rng.normal()
        draws = estimate * 100 / 164 + 10 * 64 / 164 + np.sqrt(6400 / 164) * rng.normal(size=400)
        found = cost_per(draws, 1000.0, 0.8)
        cost = 1000 / truth if truth > 0 else np.inf
        inside += found.lower <= cost <= found.upper
    # four binomial standard errors, and 1 % that the quantiles of 400 draws may be off
    assert abs(inside / 2000 - 0.8) < 4 * np.sqrt(0.16 / 2000) + 0.01


def test_costs_and_views_that_are_known_count_with_their_posts() -> None:
    made = posterior()
    effects = Effects(made)
    table = money(effects, by="influencer").set_index("unit")
    own = effects.draws("post").to_numpy().reshape(-1, 3)
    ann = table.loc["ann"]
    # Of ann's two posts only the first has a cost; both have views.
    assert ann["cost"] == 100.0
    assert ann["cost_median"] == pytest.approx(100 / np.median(own[:, 0]))
    assert "cost of 1 of 2 posts known: only these count" in ann["note"]
    both = effects.draws("influencer").sel(influencer="ann").to_numpy()
    assert ann["per_1000_mean"] == pytest.approx(both.mean() / 30)
    assert ann["views"] == 3e4
    bob = table.loc["bob"]
    assert np.isinf(bob["cost_upper"])
    assert "cost unbounded" in bob["note"]
    assert "no views given" in bob["note"]
    assert np.isnan(bob["per_1000_mean"])
    assert 0.2 < bob["prob_positive"] < 0.8


def test_monte_carlo_errors_of_costs_and_views() -> None:
    """Against medians and means of the first and the second half of independent draws."""
    effects = Effects(posterior())
    row = money(effects).iloc[0]
    draws = effects.draws("post").to_numpy()[..., 0]
    n = draws.size
    assert row["n_draws"] == n
    assert row["mcse_per_1000_mean"] == pytest.approx(draws.std() / np.sqrt(n) / 10, rel=0.15)
    # the sd of the median of n normal numbers is 1.2533 of that of their mean
    relative = 1.2533 * draws.std() / np.sqrt(n) / np.median(draws)
    assert row["mcse_cost_median"] / row["cost_median"] == pytest.approx(relative, rel=0.3)
    assert row["mcse_prob"] == 1 / (n + 1)
    nil = money(Effects(posterior(mean=(-0.7, 0.0, 0.5)))).iloc[0]
    assert np.isinf(nil["cost_median"])
    assert np.isnan(nil["mcse_cost_median"])
    free = money(Effects(posterior(costs=(np.nan, 1.0, 1.0)))).iloc[0]
    assert free["n_draws"] == n
    assert free["mcse_prob"] == row["mcse_prob"]
    assert np.isnan(free["mcse_cost_median"])


def test_where_no_cost_is_known_the_chance_of_an_effect_still_is() -> None:
    effects = Effects(posterior(costs=(np.nan, np.nan, np.nan)))
    table = money(effects)
    assert table["cost_median"].isna().all()
    expected = (effects.draws("post").to_numpy().reshape(-1, 3) > 0).mean(axis=0)
    np.testing.assert_allclose(table["prob_positive"], expected)


def test_a_post_that_cost_nothing_has_no_cost_per_download() -> None:
    row = money(Effects(posterior(costs=(0.0, 1.0, 1.0)))).iloc[0]
    assert np.isnan(row["cost_median"])
    assert "cost nothing" in row["note"]


def test_users_and_their_fits() -> None:
    made = posterior()
    effects = Effects(made, {"p1": "only prior: x"})
    retention = assumed_retention(made, ASSUMED)
    fits = {7: Effects(posterior(mean=(0.4, 0.4, 0.4)))}
    table = money(effects, retention, fits, days=(7, 30)).set_index(["unit", "outcome"])
    downloads = table.loc[("p1", "downloads")]
    users = table.loc[("p1", "users active on day 30")]
    assert users["cost_median"] == pytest.approx(10 * downloads["cost_median"], rel=1e-3)
    assert users["basis"].startswith("assumption-driven")
    assert "only prior: x" in users["note"]
    series = table.loc[("p1", "users active on day 7")]
    assert series["basis"] == "cohort series"
    expected = fits[7].draws("post").sel(post="p1").to_numpy()
    assert series["per_1000_mean"] == pytest.approx(expected.mean() / 10)


def test_a_fit_of_users_may_lack_a_post() -> None:
    late = hand_made(
        stream(5, "tests", "late").normal((0.2, 0.9), 0.1, size=(400, 2)),
        [30, 60],
        np.full(90, 50.0),
        ids=["p2", "p3"],
        window_days=20,
        horizon_days=14,
        text={"influencer": ["bob", "ann"]},
    )
    fit = Effects(late)
    effects = Effects(posterior())
    table = money(effects, None, {7: fit}, days=(7,)).set_index(["unit", "outcome"])
    third = table.loc[("p3", "users active on day 7")]
    expected = fit.draws("post").sel(post="p3").to_numpy()
    assert third["per_1000_mean"] == pytest.approx(expected.mean() / 20)
    first = table.loc[("p1", "users active on day 7")]
    assert np.isnan(first["cost_median"])
    assert "no cohort observed" in first["note"]
    ann = money(effects, None, {7: fit}, by="influencer", days=(7,)).iloc[1]
    assert "views of 1 of 2 posts known" in ann["note"]
    assert ann["views"] == 2e4


def test_a_target_has_a_probability() -> None:
    effects = Effects(posterior())
    table = money(effects, target=0.2)
    draws = effects.draws("post").sel(post="p1").to_numpy()
    assert table["prob_below_target"].iloc[0] == pytest.approx((draws * 0.2 > 100).mean())
    with pytest.raises(InputError, match="target must be positive"):
        money(effects, target=0.0)


def test_without_costs_and_views_there_is_no_money() -> None:
    nothing = (np.nan, np.nan, np.nan)
    with pytest.raises(InputError, match="must have a cost or views"):
        money(Effects(posterior(costs=nothing, views=nothing)))


def test_one_schema_for_downloads_users_and_money() -> None:
    made = posterior()
    effects = Effects(made, {"p1": "only prior: x"})
    found = outcomes(effects, assumed_retention(made, ASSUMED), {})
    table = long_table(effects, found)
    assert tuple(table.columns) == LONG_COLUMNS
    assert set(table["quantity"]) == {
        "cumulative",
        "daily",
        "users",
        "monthly_active_users",
        "cost",
        "per_1000_views",
    }
    for column in ("by", "unit", "outcome", "prob", "coupling", "basis", "extrapolated"):
        assert table[column].notna().all(), column
    cost = table[table["quantity"] == "cost"]
    assert cost["mean"].isna().all()
    assert cost["median"].notna().all()
    assert (cost["lower"] <= cost["upper"]).all()
    of_p1 = table[(table["by"] == "post") & (table["unit"] == "p1")]
    assert of_p1["note"].str.contains("only prior").all()
    assert set(of_p1["quantity"]) == set(table["quantity"]) - {"monthly_active_users"}
    plain = long_table(effects, outcomes(Effects(posterior()), None, {}))
    pd.testing.assert_frame_equal(
        plain[plain["quantity"] == "daily"].reset_index(drop=True),
        table[table["quantity"] == "daily"].reset_index(drop=True),
    )
