from __future__ import annotations

import numpy as np
import pytest
from small_posteriors import hand_made

from lift.analysis.displacement import displacement_table
from lift.analysis.effects import Effects
from lift.errors import InputError
from lift.model.posterior import Posterior
from lift.model.spec import ModelSpec

N_DAYS = 120
SPEC = ModelSpec()


def made(mean: float = 0.8, sd: float = 0.05, **rest: object) -> Posterior:
    impulse = np.random.default_rng(3).normal(mean, sd, size=(400, 1))
    given = {"impulse": impulse, "days": [30], "downloads": np.full(N_DAYS, 1000.0)}
    return hand_made(**(given | rest))  # type: ignore[arg-type]


def test_gross_and_net_are_effects_to_their_lags() -> None:
    row = displacement_table(Effects(made()), SPEC).iloc[0]
    for name, lags in (("gross", 14), ("net", 42)):
        effect = Effects(made(horizon_days=lags)).table("campaign").iloc[0]
        assert row[f"{name}_mean"] == pytest.approx(effect["mean"], rel=1e-12)
        assert row[f"{name}_lower"] == pytest.approx(effect["lower"], rel=1e-12)
        assert row[f"{name}_upper"] == pytest.approx(effect["upper"], rel=1e-12)


def test_at_the_tipping_share_the_lower_bound_is_zero() -> None:
    row = displacement_table(Effects(made(window_days=50)), SPEC, prob=0.9).iloc[0]
    psi = row["tipping"]
    assert 0.5 < psi < 1.0
    # the same share in the model itself
    taken = made(window_days=50, horizon_days=42, draws={"displacement": (None, psi)})
    lower = Effects(taken).table("campaign", prob=0.9).iloc[0]["lower"]
    assert abs(lower) < 0.005 * row["net_mean"]


def test_an_effect_whose_interval_holds_zero_tips_at_once() -> None:
    assert displacement_table(Effects(made(0.1, 0.5)), SPEC).iloc[0]["tipping"] == 0.0


def test_a_larger_effect_with_more_doubt_tips_sooner() -> None:
    sure = displacement_table(Effects(made(0.8, 0.02)), SPEC).iloc[0]["tipping"]
    unsure = displacement_table(Effects(made(0.8, 0.2)), SPEC).iloc[0]["tipping"]
    assert unsure < sure


def test_a_response_that_ends_too_early_is_refused() -> None:
    with pytest.raises(InputError, match="more than 42 for a net effect, found 42"):
        displacement_table(Effects(made(window_days=42)), SPEC)


def test_what_the_model_takes_back_counts_in_the_net_effect_only() -> None:
    share = np.random.default_rng(4).beta(2, 4, size=400)
    with_share = made(window_days=50, draws={"displacement": (None, share)})
    row = displacement_table(Effects(with_share), SPEC).iloc[0]
    plain = displacement_table(Effects(made(window_days=50)), SPEC).iloc[0]
    assert row["gross_mean"] == pytest.approx(plain["gross_mean"], rel=1e-12)
    longer = made(window_days=50, horizon_days=42, draws={"displacement": (None, share)})
    net = Effects(longer).table("campaign").iloc[0]
    for name in ("mean", "lower", "upper"):
        assert row[f"net_{name}"] == pytest.approx(net[name], rel=1e-12)
    # the tipping share asks what any share would do, whatever the posterior of it
    assert row["tipping"] == pytest.approx(plain["tipping"], abs=1e-9)
    assert row["prob_tipped"] == pytest.approx((share > row["tipping"]).mean())
    assert row["displaced_mean"] == pytest.approx(share.mean())
    assert np.isnan(plain[["prob_tipped", "displaced_mean", "net_mean_weaker"]].astype(float)).all()


def test_a_weaker_prior_of_the_share_leaves_less_of_the_effect() -> None:
    """Beta(1, 4) pulls the share to 0: with less of it more is taken back."""
    share = np.random.default_rng(4).beta(2, 4, size=400)
    row = displacement_table(
        Effects(made(window_days=50, draws={"displacement": (None, share)})), SPEC
    ).iloc[0]
    assert row["net_mean_weaker"] < row["net_mean"] < row["net_mean_stronger"]
    weight = (1 - share) ** (3 * -0.2)
    assert np.average(share, weights=weight) > share.mean()


@pytest.mark.parametrize("prob", [0.0, 1.0, 1.5])
def test_a_probability_lies_between_0_and_1(prob: float) -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        displacement_table(Effects(made()), SPEC, prob=prob)
