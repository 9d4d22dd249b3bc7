"""Couplings: superposed counts, noise of another world, and the name of each in every table."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from small_campaigns import rich_campaign
from small_posteriors import hand_made

from lift.analysis.baseline_draws import baseline_effects, draw_level
from lift.analysis.coupling import redrawn_noise, superposed
from lift.analysis.effects import Effects
from lift.analysis.monthly import monthly_active_users
from lift.analysis.retention import assumed_retention
from lift.analysis.users import incremental_users
from lift.engines.base import SampleSettings
from lift.engines.exact import fit_exact
from lift.errors import EngineError, InputError
from lift.model.assumption import RetentionAssumption
from lift.model.design import Design, build_design
from lift.model.posterior import Posterior
from lift.model.spec import ModelSpec
from lift.rng import stream

FloatArray = NDArray[np.float64]


def counts(impulse: float, n_draws: int = 4000) -> Posterior:
    """Return one post with an effect that is known, on days of 30 downloads."""
    return hand_made(
        np.full((n_draws, 1), impulse),
        [20],
        np.full(60, 30.0),
        window_days=20,
        horizon_days=10,
        attrs={"seed": 3, "likelihood": "negative_binomial"},
    )


def test_superposed_counts_have_the_moments_of_their_laws() -> None:
    lift = np.repeat([[0.5, -0.5, 0.0]], 40_000, axis=0)
    found = superposed(np.array([40.0, 40.0, 40.0]), lift, stream(1, "tests", "counts"))
    assert (found == np.rint(found)).all()
    share = 1 - np.exp(-0.5)
    assert found[:, 0].mean() == pytest.approx(40 * share, abs=5 * np.sqrt(40 * share / 40_000))
    assert found[:, 0].var() == pytest.approx(40 * share * (1 - share), rel=0.05)
    # 40 were kept, each of all with probability exp(-0.5): lost are 40 (exp(0.5) - 1) on average
    lost, sd = 40 * np.expm1(0.5), np.sqrt(40 * np.expm1(0.5) * np.exp(0.5))
    assert found[:, 1].mean() == pytest.approx(-lost, abs=5 * sd / 200)
    assert found[:, 1].var() == pytest.approx(sd**2, rel=0.05)
    assert (found[:, 2] == 0).all()
    assert (superposed(np.zeros(3), lift[:5], stream(1, "tests", "none")) == 0).all()


@pytest.mark.parametrize("impulse", [0.8, -0.8])
def test_superposition_keeps_the_mean_and_says_how_many_it_may_have_been(impulse: float) -> None:
    made = counts(impulse)
    shared, counted = Effects(made), Effects(made, coupling="superposition")
    a, b = shared.draws("campaign").to_numpy(), counted.draws("campaign").to_numpy()
    assert a.std() < 1e-9
    assert b.std() > 1
    assert b.mean() == pytest.approx(a.mean(), abs=5 * b.std() / np.sqrt(b.size))
    np.testing.assert_array_equal(
        b, Effects(made, coupling="superposition").draws("campaign").to_numpy()
    )


def test_every_table_names_its_coupling() -> None:
    made = counts(0.8, 40)
    effects = Effects(made, coupling="superposition")
    assumed = RetentionAssumption.model_validate(
        {"activation": "included", "retention": {7: {"mean": 0.2, "n": 100}}}
    )
    retention = assumed_retention(made, assumed)
    for table in (
        effects.table(),
        effects.daily(),
        effects.long(),
        incremental_users(effects, retention).table(),
        monthly_active_users(effects, retention),
    ):
        assert (table["coupling"] == "superposition").all()
    assert (Effects(made).table()["coupling"] == "shared").all()


def test_couplings_that_cannot_be_are_refused() -> None:
    made = counts(0.8, 4)
    with pytest.raises(InputError, match="one of shared, independent, superposition, found 'both'"):
        Effects(made, coupling="both")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="goes with draws of the noise"):
        Effects(made, coupling="independent")
    with pytest.raises(InputError, match="goes with draws of the noise"):
        Effects(made, noise=np.zeros((4, 60)))
    plain = hand_made(np.full((4, 1), 0.5), [20], np.full(60, 30.0))
    with pytest.raises(InputError, match="of counts, found a lognormal"):
        Effects(plain, coupling="superposition")


def test_the_level_is_drawn_from_its_posterior() -> None:
    """Against the Gaussian conditional written as one matrix, days missing."""
    n, step, start = 7, 0.04, 2.0
    rng = stream(5, "tests", "level")
    noise = rng.uniform(0.1, 0.5, size=n)
    rest = rng.normal(size=n)
    seen = np.array([True, True, False, True, False, True, True])
    walk = start + step * np.minimum(*np.meshgrid(np.arange(n), np.arange(n)))
    gain = walk[:, seen] @ np.linalg.inv(walk[np.ix_(seen, seen)] + np.diag(noise[seen]))
    mean, cov = gain @ rest[seen], walk - gain @ walk[seen]
    draws = 60_000
    found = draw_level(
        np.repeat(rest[None], draws, axis=0),
        np.repeat(noise[None], draws, axis=0),
        np.full(draws, step),
        start,
        seen,
        rng.normal(size=(n, draws)),
    )
    sd = np.sqrt(np.diag(cov))
    assert np.abs((found.mean(axis=0) - mean) / sd).max() < 5 / np.sqrt(draws)
    assert np.abs(np.cov(found.T) - cov).max() < 0.02 * sd.max() ** 2


@cache
def fitted() -> tuple[Posterior, Design]:
    campaign, spec = rich_campaign(), ModelSpec()
    posterior = fit_exact(campaign, spec, SampleSettings(draws=1000, chains=2, seed=4))
    return posterior, build_design(campaign, spec)


def test_the_noise_of_a_fit_has_the_sd_that_was_fitted() -> None:
    posterior, design = fitted()
    swapped = redrawn_noise(posterior, design)
    seen = design.observed
    assert np.isnan(swapped[:, ~seen]).all()
    assert np.isfinite(swapped[:, seen]).all()
    variance = posterior.draws["noise_sd"].to_numpy().reshape(-1, 1) ** 2 + design.poisson_variance
    # Fresh noise and that of the day, independent given the parameters: twice the variance.
    ratio = (swapped[:, seen] ** 2).mean() / (2 * variance[:, seen].mean())
    assert ratio == pytest.approx(1.0, abs=0.1)


def test_the_baseline_of_a_fit_is_that_of_its_coefficients() -> None:
    posterior, design = fitted()
    found = baseline_effects(posterior, design)
    draws = posterior.draws.isel(chain=0, draw=0)
    expected = draws["week"].to_numpy()[design.dates.day_of_week]
    control = next(block for block in design.blocks if block.name == "control")
    expected = expected + control.columns @ draws["control_effect"].to_numpy()
    np.testing.assert_allclose(found[0], expected, rtol=1e-9, atol=1e-12)


def test_independent_days_widen_the_interval_and_hardly_move_the_mean() -> None:
    posterior, design = fitted()
    shared = Effects(posterior)
    own = Effects(posterior, coupling="independent", noise=redrawn_noise(posterior, design))
    a, b = shared.draws("campaign").to_numpy(), own.draws("campaign").to_numpy()
    assert b.std() > 1.02 * a.std()
    assert abs(a.mean() - b.mean()) < 0.5 * a.std()
    days, draws = own.daily_draws(own.units("campaign")[0])
    lone = shared.daily_draws(shared.units("campaign")[0])[1]
    at = posterior.downloads.to_numpy()[days]
    noise = (draws - lone).std(axis=0) / at
    # sqrt(2) times the noise of a day, less what a day's own share takes off
    assert np.median(noise) == pytest.approx(
        np.sqrt(2) * float(posterior.draws["noise_sd"].mean()), rel=0.35
    )


def test_noise_that_is_not_of_one_day_is_refused() -> None:
    campaign = rich_campaign()
    spec = ModelSpec.model_validate({"baseline": {"trend": "damped"}})
    with pytest.raises(EngineError, match=r"local level and normal noise.*trend = \"damped\""):
        redrawn_noise(fitted()[0], build_design(campaign, spec))
