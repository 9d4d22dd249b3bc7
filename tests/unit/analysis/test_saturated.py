"""Effects of responses that saturate, against games and days written out."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.integrate import quad
from small_posteriors import hand_made

from lift.analysis.attribution import attribution, attribution_table
from lift.analysis.counterfactual import curve, log_lift
from lift.analysis.displacement import displacement_table
from lift.analysis.effects import Effects
from lift.analysis.next_post import predict_next
from lift.analysis.shares import MAX_ORDERED, Rule, day_shares
from lift.model.posterior import Posterior
from lift.model.response import displaced, kernel_days
from lift.model.saturation import Saturation
from lift.model.spec import ModelSpec, ResponseSpec
from lift.rng import stream

FloatArray = NDArray[np.float64]

CURVES = ("exponential", "hill")
DAYS = [20, 22, 22, 30, 75]
FRACTIONS = [0.1, 0.9, 0.5, 0.3, 0.7]
N, N_DAYS, WINDOW = 60, 140, 50


def together(name: str, limit: FloatArray | float, x: FloatArray | float) -> FloatArray:
    """Return the curve, written a second time."""
    x = np.asarray(x)
    if name == "hill":
        return np.asarray(limit * x / (limit + np.abs(x)))
    return np.asarray(np.sign(x) * (limit - limit * np.exp(-np.abs(x) / limit)))


def posterior(name: str, **changes: object) -> Posterior:
    rng = stream(4, "tests", "saturated")
    downloads = 1000.0 + 100.0 * rng.normal(size=N_DAYS)
    downloads[[24, 60]] = np.nan
    limit = rng.uniform(0.3, 2.0, size=N)
    given: dict[str, object] = {
        "impulse": rng.normal(1.2, 1.0, size=(N, 5)),
        "days": DAYS,
        "downloads": downloads,
        "fractions": FRACTIONS,
        "shares": rng.uniform(0.2, 0.6, size=(N, 1)),
        "shape": rng.uniform(0.7, 1.2, size=N),
        "window_days": WINDOW,
        "horizon_days": 45,
        "text": {"influencer": ["ann", "bob", "ann", "cia", "bob"]},
    }
    given |= changes
    given["draws"] = {"saturation_limit": (None, limit)} | dict(given.get("draws", {}))  # type: ignore[call-overload]
    given["attrs"] = {"saturation": name}
    return hand_made(**given)  # type: ignore[arg-type]


def flat(made: Posterior, name: str) -> FloatArray:
    values = made.draws[name].to_numpy()
    return np.asarray(values.reshape(N, *values.shape[2:]))


def exposures(made: Posterior, displacement: FloatArray | None = None) -> FloatArray:
    """Return the responses of the posts before saturation, shape (draw, day, post)."""
    scale = -np.log1p(-flat(made, "first_day_share")[:, 0])
    out = np.zeros((N, N_DAYS + WINDOW, 5))
    for post, (day, fraction) in enumerate(zip(DAYS, FRACTIONS, strict=True)):
        kernel = kernel_days(scale, flat(made, "kernel_shape"), fraction, WINDOW)
        if displacement is not None:
            kernel = displaced(kernel, displacement, 14, 42)
        out[:, day : day + WINDOW, post] = flat(made, "impulse")[:, post, None] * kernel
    return out[:, :N_DAYS]


@pytest.mark.parametrize("name", CURVES)
def test_a_set_adds_what_all_add_less_what_the_others_would(name: str) -> None:
    made = posterior(name)
    x, limit = exposures(made), flat(made, "saturation_limit")[:, None]
    whole = together(name, limit, x.sum(axis=2))
    downloads = made.downloads.to_numpy()
    for members in ([1], [0, 3], [4], [0, 1, 2, 3, 4]):
        without = together(name, limit, np.delete(x, members, axis=2).sum(axis=2))
        lift = log_lift(made, np.array(members))
        days = slice(lift.first_day, lift.first_day + lift.values.shape[1])
        np.testing.assert_allclose(lift.values, (whole - without)[:, days], atol=1e-12)
        assert np.abs((whole - without)[:, : days.start]).max() == 0.0
        assert np.abs((whole - without)[:, days.stop :]).max(initial=0.0) == 0.0
        kept = downloads * np.exp(without - whole)
        ids = [f"p{post + 1}" for post in members]
        np.testing.assert_allclose(curve(made, ids)["mean"], kept.mean(axis=0))
        unit = Effects(made).unit("set", "set", np.array(members))
        seen = unit.window & np.isfinite(downloads)
        _, daily = Effects(made).daily_draws(unit)
        np.testing.assert_allclose(daily, (downloads - kept)[:, seen], atol=1e-9)


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("name", CURVES)
def test_shapley_is_the_mean_over_all_orders(name: str, linear: bool) -> None:
    for n_posts in range(1, 7):
        rng = stream(n_posts, "tests", "orders")
        f, limit = rng.normal(0.3, 1.0, size=(n_posts, 3)), rng.uniform(0.3, 2.0, size=3)
        rule = Rule(linear, Saturation(name, limit))
        found = day_shares(f, rule).shapley
        level = together(name, limit, f.sum(axis=0))

        def value(posts: list[int], f=f, limit=limit, level=level) -> FloatArray:
            lift = together(name, limit, f[posts].sum(axis=0))
            return lift if linear else np.exp(lift - level)

        expected = np.zeros_like(f)
        orders = list(permutations(range(n_posts)))
        for order in orders:
            for k, post in enumerate(order):
                expected[post] += value(list(order[: k + 1])) - value(list(order[:k]))
        np.testing.assert_allclose(found, expected / len(orders), atol=1e-12)


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("name", CURVES)
def test_the_formulas_of_a_day(name: str, linear: bool) -> None:
    f, limit = np.array([0.9, -0.4, 1.7]), 0.8
    shares = day_shares(f[:, None], Rule(linear, Saturation(name, np.array([limit]))))
    whole = float(together(name, limit, f.sum()))

    def share(lift: float) -> float:
        """What the day has more with a lift than without any, of what it has with all."""
        return lift if linear else float(np.exp(lift - whole) - np.exp(-whole))

    assert shares.total[0] == pytest.approx(share(whole))
    for j in range(3):
        rest = float(together(name, limit, f.sum() - f[j]))
        assert shares.leave_one_out[j, 0] == pytest.approx(share(whole) - share(rest))
        assert shares.add_one_in[j, 0] == pytest.approx(share(float(together(name, limit, f[j]))))

        # the path integral that defines it
        def slope(q: float, j: int = j) -> float:
            step = 1e-5
            up, down = (q * f.sum() + sign * step * f[j] for sign in (1.0, -1.0))
            high, low = (share(float(together(name, limit, at))) for at in (up, down))
            return (high - low) / (2.0 * step)

        path, _ = quad(slope, 0.0, 1.0)
        assert shares.aumann_shapley[j, 0] == pytest.approx(path, rel=1e-6)


def test_draws_in_parts_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = stream(9, "tests", "parts")
    f, limit = rng.normal(0.3, 0.5, size=(4, 50)), rng.uniform(0.3, 2.0, size=50)
    rule = Rule(False, Saturation("hill", limit))
    whole = day_shares(f, rule).shapley
    monkeypatch.setattr("lift.analysis.shares.MAX_SETS", 16 * 7)
    np.testing.assert_allclose(day_shares(f, rule).shapley, whole, rtol=1e-13)


def test_a_far_limit_is_none() -> None:
    f = stream(5, "tests", "far").normal(0.2, 0.5, size=(5, 40))
    for linear in (False, True):
        far = day_shares(f, Rule(linear, Saturation("hill", np.full(40, 1e9))))
        none = day_shares(f, Rule(linear))
        for field in ("leave_one_out", "add_one_in", "aumann_shapley", "shapley", "total"):
            np.testing.assert_allclose(getattr(far, field), getattr(none, field), atol=1e-8)


@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize("by", ["post", "influencer", "campaign"])
def test_shares_add_up_to_the_total_in_every_draw(name: str, by: str) -> None:
    made = posterior(name)
    shares = attribution(made, by)
    effects = Effects(made)
    total = effects.draws("campaign").isel(campaign=0)
    np.testing.assert_allclose(shares["total"], total, rtol=1e-9, atol=1e-9)
    for attributed in ("aumann_shapley", "shapley"):
        np.testing.assert_allclose(
            shares[attributed].sum(by), shares["total"], rtol=1e-9, atol=1e-9
        )
    # every post acts beyond its own window only in the campaign's
    x, limit = exposures(made), flat(made, "saturation_limit")[:, None]
    downloads = made.downloads.to_numpy()
    seen = effects.units("campaign")[0].window & np.isfinite(downloads)
    whole = together(name, limit, x.sum(axis=2))
    for i, unit in enumerate(effects.units(by)):
        own = x[..., unit.members].sum(axis=2)
        alone = downloads * np.exp(-whole) * np.expm1(together(name, limit, own))
        found = shares["add_one_in"].to_numpy().reshape(N, -1)[:, i]
        np.testing.assert_allclose(found, alone[:, seen].sum(axis=1), rtol=1e-9, atol=1e-7)
        rest = together(name, limit, x.sum(axis=2) - own)
        gone = downloads * -np.expm1(rest - whole)
        found = shares["leave_one_out"].to_numpy().reshape(N, -1)[:, i]
        np.testing.assert_allclose(found, gone[:, seen].sum(axis=1), rtol=1e-9, atol=1e-7)


def test_posts_that_are_too_many_for_all_orders_have_no_shapley_value() -> None:
    many = MAX_ORDERED + 1
    rng = stream(6, "tests", "many")
    made = hand_made(
        rng.normal(0.5, 0.2, size=(20, many + 1)),
        [20] * many + [80],
        np.full(120, 100.0),
        window_days=40,
        draws={"saturation_limit": (None, 1.0)},
        attrs={"saturation": "hill"},
    )
    table = attribution_table(made)
    assert table["shapley_mean"].isna().tolist() == [True] * many + [False]
    assert table["note"].str.contains("no Shapley value").tolist() == [True] * many + [False]
    whole = Effects(made).draws("campaign").mean()
    assert table["aumann_shapley_mean"].sum() == pytest.approx(float(whole))


@pytest.mark.parametrize("name", CURVES)
def test_pull_forward_is_taken_back_before_the_curve(name: str) -> None:
    share = stream(8, "tests", "pulled").beta(2, 6, size=N)
    made = posterior(name, draws={"displacement": (None, share)})
    found = displacement_table(Effects(made), ModelSpec(), by="post")
    downloads = made.downloads.to_numpy()
    limit = flat(made, "saturation_limit")[:, None]
    before, after = exposures(made), exposures(made, share)
    for post, day in enumerate(DAYS):
        rest = np.delete(after, post, axis=2).sum(axis=2)
        for kind, own, last in (("gross", before, 14), ("net", after, 42)):
            days = np.arange(day, min(day + last + 1, N_DAYS))
            days = days[np.isfinite(downloads[days])]
            lift = together(name, limit, own[..., post] + rest) - together(name, limit, rest)
            wanted = (downloads * -np.expm1(-lift))[:, days].sum(axis=1).mean()
            assert found[f"{kind}_mean"][post] == pytest.approx(wanted, rel=1e-9)


def test_a_next_post_is_by_itself() -> None:
    draws = {"group_mean": ("group", [2.0]), "amplitude_sd": (None, 0.0)}
    made = posterior("hill", draws=draws, coords={"group": ["all"]}, horizon_days=20)
    asked = pd.DataFrame({"baseline": [300.0]})
    spec = ModelSpec(response=ResponseSpec(kernel_by="none"))
    found = predict_next(made, spec, asked, seed=1).draws.to_numpy().reshape(N)
    scale = -np.log1p(-flat(made, "first_day_share")[:, 0])
    kernel = kernel_days(scale, flat(made, "kernel_shape"), 0.5, WINDOW)[:, :21]
    lift = together("hill", flat(made, "saturation_limit")[:, None], 2.0 * kernel)
    np.testing.assert_allclose(found, 300.0 * np.expm1(lift).sum(axis=1))


def test_posts_that_saturate_leave_little_to_each() -> None:
    """Posts that multiply say more one by one than together, posts that saturate less."""
    same = {"impulse": np.full((N, 5), 1.5)}
    near, far = (
        attribution(posterior("exponential", **same, draws={"saturation_limit": (None, limit)}))
        for limit in (0.3, 1e6)
    )
    assert float(near.attrs["interaction_index"]) < 0.0 < float(far.attrs["interaction_index"])
