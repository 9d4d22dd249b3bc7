from __future__ import annotations

import numpy as np
import pytest
from small_posteriors import hand_made

from lift.analysis.displacement import tipping_displacement
from lift.analysis.effects import Effects
from lift.errors import InputError
from lift.model.posterior import Posterior

N_DAYS = 120


def made(mean: float = 0.8, sd: float = 0.05, **rest: object) -> Posterior:
    impulse = np.random.default_rng(3).normal(mean, sd, size=(400, 1))
    given = {"impulse": impulse, "days": [30], "downloads": np.full(N_DAYS, 1000.0)}
    return hand_made(**(given | rest))  # type: ignore[arg-type]


def test_gross_and_net_are_effects_to_their_lags() -> None:
    row = tipping_displacement(Effects(made())).iloc[0]
    for name, lags in (("gross", 14), ("net", 42)):
        effect = Effects(made(horizon_days=lags)).table("campaign").iloc[0]
        assert row[f"{name}_mean"] == pytest.approx(effect["mean"], rel=1e-12)
        assert row[f"{name}_lower"] == pytest.approx(effect["lower"], rel=1e-12)
        assert row[f"{name}_upper"] == pytest.approx(effect["upper"], rel=1e-12)


def test_at_the_tipping_share_the_lower_bound_is_zero() -> None:
    row = tipping_displacement(Effects(made(window_days=50)), prob=0.9).iloc[0]
    psi = row["tipping"]
    assert 0.5 < psi < 1.0
    # the same share in the model itself
    taken = made(window_days=50, horizon_days=42, draws={"displacement": (None, psi)})
    lower = Effects(taken).table("campaign", prob=0.9).iloc[0]["lower"]
    assert abs(lower) < 0.005 * row["net_mean"]


def test_an_effect_whose_interval_holds_zero_tips_at_once() -> None:
    assert tipping_displacement(Effects(made(0.1, 0.5))).iloc[0]["tipping"] == 0.0


def test_a_larger_effect_with_more_doubt_tips_sooner() -> None:
    sure = tipping_displacement(Effects(made(0.8, 0.02))).iloc[0]["tipping"]
    unsure = tipping_displacement(Effects(made(0.8, 0.2))).iloc[0]["tipping"]
    assert unsure < sure


def test_a_model_that_cannot_say_is_refused_with_every_reason() -> None:
    short = made(window_days=42, draws={"displacement": (None, 0.2)})
    with pytest.raises(InputError) as caught:
        tipping_displacement(Effects(short))
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize("prob", [0.0, 1.0, 1.5])
def test_a_probability_lies_between_0_and_1(prob: float) -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        tipping_displacement(Effects(made()), prob=prob)
