"""Attributions against brute force over all orders, closed forms and the effects themselves."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from small_campaigns import rich_campaign
from small_posteriors import hand_made

from lift.analysis import attribution as module
from lift.analysis.attribution import attribution, attribution_table
from lift.analysis.effects import Effects
from lift.analysis.shares import day_shares
from lift.engines.base import SampleSettings
from lift.engines.exact import fit_exact
from lift.errors import InputError
from lift.model.posterior import Posterior
from lift.model.response import kernel_days
from lift.model.spec import ModelSpec
from lift.rng import stream

FloatArray = NDArray[np.float64]

DAYS = [20, 22, 22, 30, 50]
TEXT = {
    "influencer": ["ann", "bob", "ann", "cia", "bob"],
    "platform": ["tiktok", "instagram", "tiktok", "tiktok", "instagram"],
}


def brute_force(f: FloatArray) -> FloatArray:
    """Return Shapley values of ``v(S) = exp(-F) (exp(sum_S f) - 1)`` from all orders."""
    value = np.zeros(len(f))
    orders = list(permutations(range(len(f))))
    for order in orders:
        level = -f.sum()
        for post in order:
            value[post] += np.exp(level + f[post]) - np.exp(level)
            level += f[post]
    return value / len(orders)


def posterior(**changes: object) -> Posterior:
    rng = stream(3, "tests", "attribution")
    downloads = 1000.0 + 100.0 * rng.normal(size=110)
    downloads[[24, 60]] = np.nan
    given: dict[str, object] = {
        "impulse": rng.normal(0.6, 0.6, size=(200, 5)),
        "days": DAYS,
        "downloads": downloads,
        "fractions": [0.1, 0.9, 0.5, 0.3, 0.7],
        "shares": rng.uniform(0.2, 0.6, size=(200, 1)),
        "shape": rng.uniform(0.7, 1.2, size=200),
        "text": TEXT,
    }
    return hand_made(**(given | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("n_posts", range(1, 8))
def test_shapley_is_the_mean_over_all_orders(n_posts: int) -> None:
    f = stream(n_posts, "tests", "orders").normal(0.1, 0.8, size=n_posts)
    shares = day_shares(f[:, None])
    assert shares.shapley[:, 0] == pytest.approx(brute_force(f), rel=1e-12, abs=1e-13)


def test_the_formulas_of_a_day() -> None:
    f = np.array([0.5, -0.2, 0.9])
    shares = day_shares(f[:, None])
    whole = np.exp(-f.sum())
    assert shares.total[0] == pytest.approx(1 - whole)
    assert shares.leave_one_out[:, 0] == pytest.approx(1 - np.exp(-f))
    assert shares.add_one_in[:, 0] == pytest.approx(whole * (np.exp(f) - 1))
    assert shares.aumann_shapley[:, 0] == pytest.approx((1 - whole) * f / f.sum())
    # the path integral that defines it
    path = (np.arange(200_000) + 0.5) / 200_000
    slope = whole * np.exp(path[:, None] * f.sum()) * f
    assert shares.aumann_shapley[:, 0] == pytest.approx(slope.mean(axis=0), rel=1e-9)


def test_posts_that_cancel_have_the_limit() -> None:
    shares = day_shares(np.array([[0.4], [-0.4]]))
    assert shares.total[0] == 0.0
    assert shares.aumann_shapley[:, 0] == pytest.approx([0.4, -0.4])
    assert shares.shapley.sum() == pytest.approx(0.0, abs=1e-15)


def test_many_strong_posts_stay_finite_and_add_up() -> None:
    shares = day_shares(np.full((120, 1), 5.0))
    assert shares.shapley[:, 0] == pytest.approx(np.full(120, 1 / 120), rel=1e-9)
    assert shares.aumann_shapley.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("by", ["post", "influencer", "platform", "campaign"])
def test_shares_add_up_to_the_total_in_every_draw(by: str) -> None:
    shares = attribution(posterior(), by)
    total = Effects(posterior()).draws("campaign").isel(campaign=0)
    np.testing.assert_allclose(shares["total"], total, rtol=1e-12)
    for name in ("aumann_shapley", "shapley"):
        np.testing.assert_allclose(shares[name].sum(by), shares["total"], rtol=1e-9)
    over = shares["leave_one_out"].sum(by) / shares["total"] - 1
    np.testing.assert_allclose(shares["interaction_index"], over, atol=1e-12)


def test_against_days_and_kernels_written_out() -> None:
    made = posterior()
    draws = made.draws
    downloads = made.downloads.to_numpy()
    share = draws["first_day_share"].to_numpy()[1, 7, 0]
    kernels = [
        kernel_days(
            np.array(-np.log1p(-share)),
            np.array(draws["kernel_shape"].to_numpy()[1, 7]),
            fraction,
            60,
        )
        for fraction in (0.1, 0.9, 0.5, 0.3, 0.7)
    ]
    f = np.zeros((5, 110))
    for j, day in enumerate(DAYS):
        f[j, day : day + 60] = draws["impulse"].to_numpy()[1, 7, j] * kernels[j][: 110 - day]
    expected = np.zeros(5)
    for day in np.flatnonzero(np.isfinite(downloads[:79])):  # the last horizon ends on day 78
        if day >= 20:
            expected += downloads[day] * brute_force(f[:, day])
    found = attribution(made)["shapley"].isel(chain=1, draw=7)
    assert found.to_numpy() == pytest.approx(expected, rel=1e-10)


def test_groups_are_taken_away_together_and_shares_are_summed() -> None:
    made = posterior()
    posts, people = attribution(made), attribution(made, "influencer")
    assert people["influencer"].to_numpy().tolist() == ["ann", "bob", "cia"]
    assert people["n_posts"].to_numpy().tolist() == [2, 2, 1]
    ann = posts.isel(post=[0, 2])
    for name in ("aumann_shapley", "shapley"):
        np.testing.assert_allclose(people[name].sel(influencer="ann"), ann[name].sum("post"))
    # without overlap of windows, leave-one-out of the group is that of its own effect
    own = Effects(made).draws("platform").sel(platform="tiktok")
    found = attribution(made, "platform")["leave_one_out"].sel(platform="tiktok")
    assert float(abs(found - own).max()) < 0.05 * float(abs(own).mean())
    assert float(abs(found - ann["leave_one_out"].sum("post")).max()) > 1.0


def test_posts_apart_agree_in_every_estimand_and_do_not_interact() -> None:
    made = posterior(
        days=[5, 70],
        impulse=np.full((4, 2), 0.5),
        window_days=30,
        text=None,
        fractions=None,
        shares=0.5,
        shape=1.0,
    )
    shares = attribution(made)
    effects = Effects(made).draws("post")
    for name in module.ESTIMANDS:
        np.testing.assert_allclose(shares[name], effects, rtol=1e-3)
    assert shares.attrs["interaction_index"] == pytest.approx(0.0, abs=1e-12)


def test_chunks_of_draws_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = attribution(posterior())
    monkeypatch.setattr(module, "MAX_VALUES", 5 * 60 * 7)
    assert attribution(posterior()).equals(whole)


def test_displacement_is_part_of_the_response() -> None:
    psi = np.full(200, 0.5)
    made = posterior(draws={"displacement": (None, psi)})
    shares = attribution(made)
    assert float(shares["total"].mean()) < 0.9 * float(attribution(posterior())["total"].mean())
    np.testing.assert_allclose(
        shares["total"], Effects(made).draws("campaign").isel(campaign=0), rtol=1e-10
    )


def test_the_table() -> None:
    made = posterior()
    table = attribution_table(made, "post", 0.5)
    assert table["unit"].tolist() == ["p1", "p2", "p3", "p4", "p5"]
    shares = attribution(made)
    total = float(shares["total"].mean())
    assert table["aumann_shapley_mean"].sum() == pytest.approx(total)
    assert table["shapley_mean"].sum() == pytest.approx(total)
    assert table["share_of_total"].sum() == pytest.approx(1.0)
    index = table["interaction_index"].unique()
    assert index == pytest.approx([table["loo_mean"].sum() / total - 1])
    assert index[0] > 0.01
    bounds = np.quantile(shares["add_one_in"].to_numpy().reshape(-1, 5), [0.25, 0.75], axis=0)
    np.testing.assert_allclose(table[["add_one_in_lower", "add_one_in_upper"]].T, bounds)


def test_a_campaign_without_any_effect_has_no_shares() -> None:
    table = attribution_table(posterior(impulse=np.zeros((200, 5))))
    assert table["share_of_total"].isna().all()
    assert table["interaction_index"].isna().all()
    assert (table["loo_mean"] == 0).all()


@pytest.mark.parametrize("prob", [0.0, 1.0, 1.5])
def test_an_impossible_probability(prob: float) -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        attribution_table(posterior(), prob=prob)


def test_an_unknown_kind_of_set() -> None:
    with pytest.raises(InputError, match="by must be one of"):
        attribution(posterior(), "colour")


def test_a_small_fit() -> None:
    campaign = rich_campaign()
    fitted = fit_exact(campaign, ModelSpec(), SampleSettings(draws=400))
    shares = attribution(fitted)
    total = Effects(fitted).draws("campaign").isel(campaign=0)
    for name in ("aumann_shapley", "shapley"):
        np.testing.assert_allclose(shares[name].sum("post"), total, rtol=1e-9)
    table = attribution_table(fitted, "platform")
    assert isinstance(table, pd.DataFrame)
    assert table["n_posts"].sum() == 6
